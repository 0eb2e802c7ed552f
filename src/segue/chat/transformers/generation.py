"""Writes replies with `generate`, token by token, going on from what was read before.

`generate` runs in a thread of its own and hands over each token; closing the stream stops it
after the token it is at.
"""

import copy
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from segue.chat.transformers.families import Family
from segue.chat.transformers.sequence_cache import (
    CachedTokens,
    is_truncatable,
    remember_features,
    take_tokens,
    truncate_cache,
)
from segue.chat.transformers.text import TokenTextStream, kept_ids, special_tokens
from segue.errors import ModelError
from segue.models.decoding.sampling import COLDEST, SamplingSettings, TokenSampler
from segue.models.decoding.sequence_pool import FEATURE_BYTES, SequencePool
from segue.runtime.byte_cache import ByteCache
from segue.runtime.device import is_out_of_memory
from segue.runtime.text_stream import reply_text

ALONG_THE_TEXT = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
"""Inputs with one entry for each id; all others describe pictures."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """A prompt as a processor made it, and the pictures one by one."""

    tensors: dict[str, Tensor]
    """`input_ids` (1, T) and what else the network takes."""
    pictures: tuple[str, ...]
    """Digests, in order."""

    @property
    def ids(self) -> list[int]:
        return self.tensors["input_ids"][0].tolist()


class ReplyGenerator:
    """One model with its memory."""

    def __init__(self, model: Any, processor: Any, family: Family, name: str) -> None:
        self.model = model.eval()
        self.name = name
        self._tokenizer = processor.tokenizer
        self._resumes = family.resumes
        self._slots = frozenset(
            i for i in getattr(processor, "image_token_ids", ()) or () if i is not None
        )
        self._sequences: SequencePool[CachedTokens] = SequencePool()
        self._lock = threading.Lock()
        self._ends = _end_ids(model, self._tokenizer)
        visible_ids = kept_ids(self._tokenizer)
        self._hidden = (
            frozenset(special_tokens(self._tokenizer)) - visible_ids | self._ends | self._slots
        )
        self._features: ByteCache[str, Any] = ByteCache(FEATURE_BYTES, size_of=lambda _: 0)
        if model.can_generate() and not model.config.is_encoder_decoder:
            self._features = remember_features(model)

    @property
    def published(self) -> dict[str, Any]:
        """How the checkpoint itself says that words are picked."""
        settings = self.model.generation_config.to_dict()
        return {key: value for key, value in settings.items() if value is not None}

    def limit_memory(self, *, features: int, sequences: int) -> None:
        """Bound what is remembered, in bytes; what is over goes with the next reply."""
        self._features.budget_bytes, self._sequences.limit_bytes = features, sequences

    def memory_bytes(self) -> dict[str, int]:
        """Return what is remembered."""
        return {"features": self._features.size_bytes, "sequences": self._sequences.size_bytes}

    def forget(self) -> None:
        """Forget all sequences and pictures."""
        self._sequences.clear()
        getattr(self.model, "forget_features", lambda: None)()

    def stream(
        self, inputs: Inputs, pictures_from: "PicturesFrom", choice: SamplingSettings
    ) -> Generator[str, None, str]:
        """Write the reply as text.

        Args:
            inputs: the whole prompt.
            pictures_from: makes the picture inputs of all pictures but the first n.
            choice: how to pick words.

        Returns:
            "stop" or "length".

        Raises:
            ModelError: the prompt is too long, memory is short, or the model failed.
        """
        self._refuse_too_long(inputs)
        decoder = TokenTextStream(self._decode, self._hidden)
        tokens = self._tokens(inputs, pictures_from, choice)
        return (yield from reply_text(tokens, self._ends, decoder, choice.stop))

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )

    def _refuse_too_long(self, inputs: Inputs) -> None:
        room = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if room and len(inputs.ids) >= room and not self.model.config.is_encoder_decoder:
            raise ModelError(
                f"The conversation has {len(inputs.ids)} tokens, pictures included, and "
                f"{self.name} reads at most {room}. Use fewer or shorter turns."
            )

    def _tokens(
        self, inputs: Inputs, pictures_from: "PicturesFrom", choice: SamplingSettings
    ) -> Generator[int, None, None]:
        """Yield the ids of the reply; the one that ends it comes last."""
        sequence = CachedTokens()
        if self._resumes:
            sequence = take_tokens(self._sequences, inputs.ids, inputs.pictures, self._slots)
        written: list[int] = []
        generation = _GenerationThread(
            self, self._arguments(inputs, pictures_from, sequence), choice
        )
        try:
            for token in generation:
                written.append(token)
                yield token
        finally:
            generation.close()
            if self._resumes and generation.whole:
                self._keep(inputs, [*inputs.ids, *generation.written], sequence.cache)

    def _keep(self, inputs: Inputs, ids: list[int], cache: Any) -> None:
        if is_truncatable(cache) and ids:
            length = min(cache.get_seq_length(), len(ids))
            self._sequences.give(
                CachedTokens(inputs.pictures, ids[:length], truncate_cache(cache, length))
            )

    def _arguments(
        self, inputs: Inputs, pictures_from: "PicturesFrom", sequence: CachedTokens
    ) -> dict[str, Any]:
        """Return what `generate` gets: everything along the text, and the pictures not yet read."""
        if not self._resumes:
            return dict(inputs.tensors)
        if sequence.cache is None:
            sequence.cache = DynamicCache(config=self.model.config)
            return {**inputs.tensors, "past_key_values": sequence.cache}
        along = {k: v for k, v in inputs.tensors.items() if k in ALONG_THE_TEXT}
        # Positions of later text depend on the shapes of all pictures, also of those read before.
        positions = self.model._prepare_position_ids_for_generation(
            along["input_ids"], dict(inputs.tensors)
        )
        return {
            **along,
            **pictures_from(len(sequence.pictures)),
            "position_ids": positions,
            "past_key_values": sequence.cache,
        }

    def settings(self, choice: SamplingSettings) -> GenerationConfig:
        """Return the checkpoint's settings for `generate`; `TokenSampler` samples the tokens."""
        settings = copy.deepcopy(self.model.generation_config)
        settings.update(
            do_sample=False, temperature=None, top_p=None, top_k=None, num_beams=1,
            max_new_tokens=choice.max_new_tokens, max_length=None, use_cache=True,
            early_stopping=None, length_penalty=None, eos_token_id=sorted(self._ends) or None,
        )  # fmt: skip
        if settings.pad_token_id is None:
            settings.pad_token_id = self._tokenizer.pad_token_id or min(self._ends, default=0)
        return settings

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One reply at a time: networks keep positions between steps."""
        with self._lock, torch.inference_mode():
            yield


class PicturesFrom:
    """Makes the inputs of all pictures but the first n."""

    def __init__(self, processor: Any, images: Sequence[Any], place: Any, dtype: Any) -> None:
        self._processor, self._images, self._place, self._dtype = processor, images, place, dtype

    def __call__(self, first: int) -> dict[str, Tensor]:
        fresh = list(self._images[first:])
        if not fresh:
            return {}
        mark = self._processor.image_token
        inputs = self._processor(text=[mark * len(fresh)], images=[fresh], return_tensors="pt")
        inputs = inputs.to(self._place, dtype=self._dtype)
        return {k: v for k, v in inputs.items() if k not in ALONG_THE_TEXT}


class _GenerationThread:
    """One call of `generate`, in a thread; iterate over it for the ids."""

    def __init__(
        self, writer: ReplyGenerator, arguments: dict[str, Any], choice: SamplingSettings
    ) -> None:
        self._writer, self._arguments, self._choice = writer, arguments, choice
        self._queue: SimpleQueue[int | BaseException | None] = SimpleQueue()
        self._closed = threading.Event()
        self._prompt_seen = False
        self.written: list[int] = []
        """All ids so far, also those nobody asked for."""
        self.whole = False
        """It came to an end without an error."""
        self._thread = threading.Thread(target=self._generate, name="segue-generate", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[int]:
        while (token := self._queue.get()) is not None:
            if isinstance(token, BaseException):
                raise self._model_error(token) from token
            yield token

    def close(self) -> None:
        """Stop after the token it is at, and wait for that."""
        self._closed.set()
        self._thread.join()

    def put(self, ids: Tensor) -> None:
        """Take the prompt, then each token; called by `generate`."""
        if self._prompt_seen:
            self.written.append(int(ids.reshape(-1)[-1]))
            self._queue.put(self.written[-1])
        self._prompt_seen = True

    def end(self) -> None:
        """Take notice of the end; called by `generate`."""

    def _stops(self, ids: Tensor, scores: Any, **_: Any) -> Tensor:
        return torch.full((len(ids),), self._closed.is_set(), device=ids.device)

    def _generate(self) -> None:
        try:
            with self._writer.alone():
                if not self._closed.is_set():
                    self._writer.model.generate(
                        **self._arguments,
                        generation_config=self._writer.settings(self._choice),
                        logits_processor=LogitsProcessorList(self._logits_processors()),
                        stopping_criteria=StoppingCriteriaList([self._stops]),
                        streamer=self,
                    )
            self.whole = bool(self.written)
            self._queue.put(None)
        except BaseException as error:  # it belongs to whoever reads the stream
            self._queue.put(error)

    def _logits_processors(self) -> list[Any]:
        if self._choice.temperature < COLDEST:
            return []
        sampler = TokenSampler(self._choice)

        def sample(ids: Tensor, scores: Tensor) -> Tensor:
            only_choice = torch.full_like(scores, -torch.inf)
            only_choice[0, sampler.sample(scores[0])] = 0
            return only_choice

        return [sample]

    def _model_error(self, error: BaseException) -> ModelError:
        if is_out_of_memory(error):
            self._writer.forget()
            return ModelError(
                f"Out of memory while {self._writer.name} wrote. Use fewer or smaller pictures, "
                "a smaller dtype, quantisation, or another device."
            )
        reason = " ".join(str(error).split())[:300]
        return ModelError(f"{self._writer.name} failed ({type(error).__name__}: {reason}).")


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids that end a reply: the checkpoint's and the tokenizer's."""
    published = model.generation_config.eos_token_id
    ends = published if isinstance(published, list) else [published]
    return frozenset(i for i in (*ends, tokenizer.eos_token_id) if i is not None)
