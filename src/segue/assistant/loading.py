"""Load a stage by name: a nickname, a hub id, a folder, a checkpoint, an address."""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from segue.assistant.memory import FoundStage, check_memory, take_check_option
from segue.errors import InputError, MissingWeights, ModelError, UnknownName
from segue.pipeline.presets import CARDS, STAGES, nicknames
from segue.runtime.catalog import Entry, unknown_name_message
from segue.runtime.profile import Profile
from segue.segment import Segmenter
from segue.trackers import TRACKERS, Tracker

log = logging.getLogger(__name__)

FindProfile = Callable[[str], Profile]
"""The name of a chat model -> what `segue doctor` found out about it."""

_BACKEND_OF_MODEL_TYPE: Mapping[str, Mapping[str, str]] = {
    "chat": {"qwen": "qwen_vl"},
    "detect": {
        "grounding-dino": "grounding_dino",
        "mm-grounding-dino": "grounding_dino",
        "owlv2": "owlv2",
        "omdet-turbo": "omdet_turbo",
        "clipseg": "clipseg",
        "sam3": "sam3",
        "sam3_video": "sam3",
    },
    "segment": {
        "sam": "sam",
        "sam_hq": "sam_hq",
        "sam2": "sam2",
        "sam2_video": "sam2",
        "edgetam": "edgetam",
        "edgetam_video": "edgetam",
        "sam3_tracker": "sam3",
        "sam3_video": "sam3",
    },
}
_BACKEND_OF_ORIGINAL: Mapping[str, str] = {"detect": "grounding_dino", "segment": "sam"}
"""Which program wrote the single-file checkpoints (.pth) of a stage."""


def load_stage(
    kind: str,
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    find_profile: FindProfile | None = None,
) -> Any:
    """Load one stage by name.

    Args:
        kind: "chat", "detect" or "segment".
        source: a nickname, "backend:source", a folder, an original checkpoint file, a URL of
            one, or a hub id; behind it "?option=value" where the backend takes options. For "chat"
            also "base+adapter", with any of these as the base and the folder of a LoRA adapter;
            or that folder alone, which knows its base.
        device: "auto", "cpu", "cuda", "mps".
        dtype: "float32", "bfloat16", "float16"; None: as the model likes on the device.
        find_profile: gives the profile that `segue doctor` made of a chat model, by the model's
            name; None: no profile is used.

    Raises:
        UnknownName: not a nickname, a path or a hub id.
        InputError: the nickname belongs to another stage.
        ModelError: the weights are missing, unreadable, or of a kind this stage does not know.
    """
    found = find_stage(kind, source, device=device, dtype=dtype, find_profile=find_profile)
    check_memory([found])
    return found()


def find_stage(
    kind: str,
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    find_profile: FindProfile | None = None,
) -> Callable[[], Any]:
    """Find a stage by name, and fetch its weights where they are not here; see `load_stage`.

    Returns:
        What loads it.
    """
    catalog, name = STAGES[kind], str(source)
    backend, colon, place_text = name.partition(":")
    if colon and backend in catalog and catalog[backend].stand_in:
        return _find_stand_in(kind, backend, place_text)
    if colon and backend in catalog and catalog[backend].remote:
        profile = _profile_option(catalog[backend], name, find_profile)
        return partial(catalog.load, backend, place_text, name=name, **profile)
    if kind == "chat" and (pair := _base_and_adapter(name)):
        base, adapter = pair
        found = find_stage("chat", base, device=device, dtype=dtype, find_profile=find_profile)

        def load_both() -> Any:
            return _attach_adapter(found(), adapter, name)

        return replace(found, load=load_both) if isinstance(found, FoundStage) else load_both
    source, options = _split_options(name)
    backend, place = _resolve(kind, source)
    _check_options(kind, backend, source, options)
    is_checked = take_check_option(options)
    arguments: dict[str, Any] = {
        "device": device,
        "dtype": dtype,
        **_profile_option(catalog[backend], name, find_profile),
        **options,
    }
    return FoundStage(
        load=partial(catalog.load, backend, place, name=name, **arguments),
        kind=kind,
        backend=backend,
        place=place,
        options=options,
        device=arguments["device"],
        dtype=arguments["dtype"],
        is_checked=is_checked,
    )


def _find_stand_in(kind: str, backend: str, place_text: str) -> Callable[[], Any]:
    """Return what builds a backend without weights from what stands behind its colon."""
    argument = place_text
    options: dict[str, str] = {}
    if STAGES[kind][backend].options:
        argument, options = _split_options(place_text)
        _check_options(kind, backend, f"{backend}:", options)
    return partial(STAGES[kind].load, backend, *([argument] if argument else []), **options)


def _check_options(kind: str, backend: str, name: str, options: Mapping[str, str]) -> None:
    """Refuse what the backend of a stage, which the user called `name`, does not take."""
    valid_options = STAGES[kind][backend].options
    if unknown_options := sorted(set(options) - set(valid_options)):
        raise InputError(
            f"The {kind} model {name!r} takes no option {unknown_options[0]!r}. "
            f"Known: {', '.join(valid_options) or 'none'}."
        )


def find_stages(
    finders: Mapping[str, Callable[[], Callable[[], Any]]], optional: Collection[str] = ()
) -> dict[str, Callable[[], Any]]:
    """Find several stages before any is loaded.

    Args:
        finders: kind -> what finds the stage, as `find_stage` does.
        optional: kinds that may turn out not to be needed; where nothing but their weights is
            missing, that is raised by what should load them.

    Raises:
        MissingWeights: weights of one or more are missing; the message names all of them.
        SegueError: as `load_stage`; a `ModelError` where they do not fit into memory together.
    """
    found: dict[str, Callable[[], Any]] = {}
    missing: dict[str, MissingWeights] = {}
    for kind, find in finders.items():
        try:
            found[kind] = find()
        except MissingWeights as error:
            missing[kind] = error
    if missing:
        failure = _all_missing(list(missing.values()))
        if not set(missing) <= set(optional):
            raise failure
        found |= dict.fromkeys(missing, partial(_fail, failure))
    check_memory(list(found.values()))
    return found


def _all_missing(errors: Sequence[MissingWeights]) -> MissingWeights:
    from segue.runtime.weights.hub import missing_weights

    names = list(dict.fromkeys(name for error in errors for name in error.names))
    together = missing_weights(names, errors[0].reason)
    remedy = "The preset 'embedded' needs no download."
    return MissingWeights(f"{together} {remedy}", names, together.reason)


def _fail(error: Exception) -> NoReturn:
    raise error


def load_tracker(
    source: str | Path,
    segmenter: Segmenter | None,
    *,
    device: str = "auto",
    dtype: str | None = None,
) -> Tracker:
    """Load a tracker by name.

    Args:
        source: "box_following", which follows with `segmenter`; or a video model: the nickname of a
            segmenter that has one ("sam2.1-hiera-tiny"), a folder or a hub id.
        segmenter: what the assistant segments with.
        device: "auto", "cpu", "cuda", "mps".
        dtype: "float32", "bfloat16", "float16"; None: as the model likes on the device.

    Raises:
        InputError: box following without a segmenter.
        UnknownName: not a tracker, a nickname, a path or a hub id.
        ModelError: the weights are missing, unreadable, or of no video model.
    """
    from segue.runtime.weights import locate

    name = str(source)
    if name == "box_following":
        if segmenter is None:
            raise InputError("Following boxes needs a segmenter. Load one: segment=….")
        return TRACKERS.load(name, segmenter)
    place: str | Path = name
    nicknames = {
        nickname: card.source
        for nickname, card in CARDS.items()
        if card.kind == "segment" and card.backend in ("sam2", "sam3")
    }
    if name in nicknames:
        place = nicknames[name]
    elif "/" not in name and not Path(name).exists():
        known = dict.fromkeys(["box_following", *nicknames], 0)
        raise UnknownName(
            f"{unknown_name_message('tracker', name, known)} A folder or a hub id (owner/name) "
            "of a video model will do as well."
        )
    return TRACKERS.load("video_memory", locate(place), device=device, dtype=dtype, name=name)


def _profile_option(
    entry: Entry, name: str, find_profile: FindProfile | None
) -> dict[str, Profile]:
    """Return the profile of a chat model as an argument of its backend, where there is one."""
    if not entry.takes_profile or find_profile is None:
        return {}
    profile = find_profile(name)
    if profile == Profile(name=name):
        return {}
    log.info("%s: using the profile that segue doctor made on %s", name, profile.checked or "?")
    return {"profile": profile}


def _split_options(name: str) -> tuple[str, dict[str, str]]:
    """Return what stands before "?", and the options behind it; addresses and paths stay whole."""
    source, mark, query = name.partition("?")
    if not mark or name.startswith(("http://", "https://")) or Path(name).exists():
        return name, {}
    pairs = parse_qsl(query, keep_blank_values=True)
    if len(dict(pairs)) < len(pairs):
        raise InputError(f"Each option may stand once behind {source!r}, got {query!r}.")
    return source, dict(pairs)


def _resolve(kind: str, name: str) -> tuple[str, Path]:
    """Return the backend that reads what is named, and where that lies on this machine."""
    from segue.runtime.weights import locate

    catalog = STAGES[kind]
    if name in CARDS:
        card = CARDS[name]
        if card.kind != kind:
            raise InputError(
                f"{name!r} is a model for the {card.kind!r} stage, not for {kind!r}. "
                f"For {kind!r} there are: {', '.join(nicknames(kind))}."
            )
        return card.backend, locate(card.source)
    backend, colon, place_text = name.partition(":")
    if colon and backend in catalog:
        return backend, locate(place_text)
    if name in catalog and catalog[name].stand_in and not Path(name).exists():
        raise UnknownName(f"The {kind} model {name!r} is asked for with a colon: {name + ':'!r}.")
    if "/" not in name and not Path(name).exists() and not name.endswith((".pth", ".pt")):
        valid_names = dict.fromkeys(nicknames(kind), 0)
        raise UnknownName(
            f"{unknown_name_message(f'{kind} model', name, valid_names)} A folder, a hub id "
            "(owner/name) or a checkpoint file will do as well."
        )
    path = locate(name)
    return backend_of(kind, path), path


def _base_and_adapter(name: str) -> tuple[str, Path] | None:
    """Return the two halves of "base+adapter"; None where `name` is something else."""
    from segue.chat.adapter import CONFIG, adapter_folder, base_of

    path = Path(name).expanduser()
    if any((folder / CONFIG).is_file() for folder in (path, path / "adapter")):
        folder = adapter_folder(path)
        return base_of(folder), folder
    base, plus, adapter = name.rpartition("+")
    return (base, adapter_folder(adapter)) if plus and base and not path.exists() else None


def _attach_adapter(chat: Any, adapter: Path, name: str) -> Any:
    """Add an adapter to the weights of a chat model."""
    from segue.chat.adapter import attach

    attach(chat.model, adapter)
    chat.name = name
    return chat


def backend_of(kind: str, path: Path) -> str:
    """Which backend of a stage reads the weights at `path`: by file type, else by config.json.

    Raises:
        ModelError: there is no config.json, or this stage does not know its model type.
    """
    if path.is_file():
        if kind in _BACKEND_OF_ORIGINAL:
            return _BACKEND_OF_ORIGINAL[kind]
        raise ModelError(f"A {kind} model is a folder with a config.json, got the file {path}.")
    config = path / "config.json"
    if not config.is_file():
        raise ModelError(f"{path} has no config.json, so it is not a folder of model weights.")
    try:
        model_type = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{config} is not a JSON object: {error}.") from error
    backends = _BACKEND_OF_MODEL_TYPE[kind]
    if kind == "chat" and model_type and model_type not in backends:
        return "transformers"  # which says so when it does not know the type
    if model_type not in backends:
        raise ModelError(
            f"{path} holds a model of type {model_type!r}; the {kind!r} stage knows "
            f"{', '.join(sorted(backends))}."
        )
    return backends[model_type]
