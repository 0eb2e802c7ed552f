"""The tokenizer of Grounding DINO's text encoder, found on this machine and nowhere else."""

from pathlib import Path
from typing import Any

from segue.detect.captions import CLS, DOT, QUESTION, SEP
from segue.errors import ModelError

_FILES = ("tokenizer.json", "vocab.txt")
_HUB_IDS = ("bert-base-uncased", "google-bert/bert-base-uncased")


def load_bert_tokenizer(weights: Path, vocabulary: str | Path | None = None) -> Any:
    """Load the tokenizer that belongs to weights.

    Args:
        weights: a folder of a transformers model, which holds its tokenizer, or an original
            checkpoint, which does not.
        vocabulary: `vocab.txt`, or a folder with it; None: looked for beside the checkpoint, in a
            folder "bert-base-uncased" beside it, and in the hub's cache. Never fetched.

    Raises:
        ModelError: it is in none of these places, or is not the vocabulary the network needs.
    """
    place = Path(vocabulary).expanduser() if vocabulary is not None else _find_vocabulary(weights)
    if place is None or not place.exists():
        raise ModelError(
            "The words of Grounding DINO are those of bert-base-uncased, and its vocab.txt (0.2 "
            f"MB) was not found: {f'there is no {place}' if place else _places_text(weights)}. "
            "Put it beside the checkpoint, pass vocabulary='…/vocab.txt', or run: "
            "hf download google-bert/bert-base-uncased vocab.txt"
        )
    return _check_ids(_load_tokenizer(place), place)


def _find_vocabulary(weights: Path) -> Path | None:
    folder = weights if weights.is_dir() else weights.parent
    for candidate in (folder, folder / "bert-base-uncased"):
        if any((candidate / name).is_file() for name in _FILES):
            return candidate
    if weights.is_dir():
        return None
    from huggingface_hub import try_to_load_from_cache

    for hub_id in _HUB_IDS:
        if isinstance(cached := try_to_load_from_cache(hub_id, "vocab.txt"), str):
            return Path(cached)
    return None


def _places_text(weights: Path) -> str:
    folder = weights if weights.is_dir() else weights.parent
    return f"looked in {folder}, {folder / 'bert-base-uncased'} and the hub's cache"


def _load_tokenizer(place: Path) -> Any:
    from transformers import AutoTokenizer, BertTokenizer

    has_config = place.is_dir() and (place / "tokenizer_config.json").is_file()
    vocab = place / "vocab.txt" if place.is_dir() else place
    try:
        if has_config:
            return AutoTokenizer.from_pretrained(
                str(place), local_files_only=True, trust_remote_code=False
            )
        if vocab.suffix == ".json" or not vocab.is_file():
            from transformers import PreTrainedTokenizerFast

            vocab = vocab if vocab.suffix == ".json" else place / "tokenizer.json"
            return PreTrainedTokenizerFast(tokenizer_file=str(vocab), unk_token="[UNK]")
        return BertTokenizer(vocab=str(vocab))
    except Exception as error:  # whatever a damaged file makes the library raise
        raise ModelError(f"The vocabulary at {place} could not be read: {error}.") from error


def _check_ids(tokenizer: Any, place: Path) -> Any:
    needed = {"[CLS]": CLS, "[SEP]": SEP, ".": DOT, "?": QUESTION}
    for token, expected in needed.items():
        number = tokenizer.convert_tokens_to_ids(token)
        if number != expected:
            raise ModelError(
                f"The vocabulary at {place} must have {token!r} at {expected}, as in "
                f"bert-base-uncased, got {number}. The network takes these numbers for the borders "
                "of phrases."
            )
    return tokenizer
