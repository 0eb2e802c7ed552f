"""Whether models fit into memory, told before they are loaded.

What they need is read from the headers of their weights and from their configurations
(`segue.runtime.memory_need`). What does not fit is refused, with what would; what is tight is
warned of. `?check_memory=no` behind the chat model loads it all the same.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segue.errors import InputError, ModelError
from segue.pipeline.preset_memory import largest_fitting
from segue.runtime.memory_need import MemoryNeed, need_of_vision, read_context, sum_of
from segue.runtime.weights.headers import stored_tensors
from segue.runtime.weights.need import need_of_chat, weight_bytes

SPREAD_SHARE = 0.9
"""Of what is free on all devices together, what a spread network takes of it at most."""
_ANSWERS = {"yes": True, "no": False}


class MemoryWarning(UserWarning):
    """Models fit into memory, with little to spare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStage:
    """A stage whose weights are on this machine, before they are loaded."""

    load: Callable[[], Any]
    kind: str
    """"chat", "detect" or "segment"."""
    backend: str
    place: Path
    """The weights."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What stood behind its name."""
    device: str = "auto"
    dtype: str | None = None
    is_checked: bool = True
    """Whether it may be refused."""

    def __call__(self) -> Any:
        """Load it."""
        return self.load()

    def need(self, float_bytes: int, kind: str, capability: tuple[int, int]) -> MemoryNeed:
        """Return what it will need.

        Args:
            float_bytes: of one value of a chat model.
            kind: of the device: "cuda", "mps" or "cpu".
            capability: of the GPU, where it is one of NVIDIA's.
        """
        if self.kind != "chat":
            return need_of_vision(weight_bytes(stored_tensors(self.place), 4))
        return need_of_chat(
            self.place,
            float_bytes=float_bytes,
            context=read_context(self.options.get("context")),
            quantize=self.options.get("quantize"),
            kind=kind,
            capability=capability,
        )

    @property
    def is_spread(self) -> bool:
        """Whether its layers go to several devices."""
        return "device_map" in self.options

    @property
    def is_limited_by_hand(self) -> bool:
        """Whether the user says what each device holds, or gives it the disk."""
        return bool({"max_memory", "offload_folder"} & set(self.options))


def take_check_option(options: dict[str, str]) -> bool:
    """Take `check_memory` out of the options behind a model; return whether to check.

    Raises:
        InputError: it is neither yes nor no.
    """
    answer = options.pop("check_memory", "yes")
    if answer not in _ANSWERS:
        raise InputError(f"check_memory must be yes or no, got {answer!r}.")
    return _ANSWERS[answer]


def check_memory(stages: Sequence[Any]) -> None:
    """Refuse models that do not fit into what is free where they are to run.

    Args:
        stages: those that are `FoundStage`s count; others hold no weights.

    Warns (`MemoryWarning`) where little is left.

    Raises:
        ModelError: they do not fit; the message names what they need, what is free, and what would
            fit.
    """
    found = [stage for stage in stages if isinstance(stage, FoundStage)]
    if not found or not all(stage.is_checked for stage in found):
        return
    by_device: dict[str, list[FoundStage]] = {}
    for stage in found:
        if not stage.is_limited_by_hand:
            by_device.setdefault(_device_name(stage), []).append(stage)
    for name, together in by_device.items():
        _check_device(name, together)


def _device_name(stage: FoundStage) -> str:
    from segue.runtime.device import pick

    return str(pick(stage.device).device)


def _check_device(name: str, stages: Sequence[FoundStage]) -> None:
    from segue.runtime import device as devices

    device = devices.pick(name).device
    kind, capability = device.type, devices.capability(device)
    chat = next((stage for stage in stages if stage.kind == "chat"), None)
    chat_dtype = devices.pick_for_chat(name, chat.dtype if chat else None).dtype
    need = sum_of(stage.need(chat_dtype.itemsize, kind, capability) for stage in stages)
    free, where = devices.free_bytes_on(device), name
    if chat is not None and chat.is_spread and kind != "cpu":
        free = int(SPREAD_SHARE * (devices.free_bytes_on_all() + devices.free_memory_bytes()))
        where = "all devices together"
    verdict = need.verdict(free)
    if verdict == "does not fit":
        remedies = _remedies(stages, need, free, kind, capability, chat_dtype.itemsize)
        raise ModelError(does_not_fit(need, where, free, remedies, chat is not None))
    if verdict == "tight":
        warnings.warn(tight_notice(need, where, free), MemoryWarning, stacklevel=4)


def tight_notice(need: MemoryNeed, where: str, free: int) -> str:
    """Return the sentences for models that fit, with little to spare."""
    return (
        f"Memory is tight: the models need about {_gb(need.total)} on {where}, where {_gb(free)} "
        "are free. Long conversations and large pictures may not fit; ?context=N behind the chat "
        "model keeps it to N tokens."
    )


def does_not_fit(
    need: MemoryNeed, where: str, free: int, remedies: Sequence[str], has_chat: bool
) -> str:
    """Return the sentences for models that do not fit.

    >>> need = MemoryNeed(weights=17_500_000_000, cache=1_200_000_000, work=900_000_000)
    >>> does_not_fit(need, "cuda", 8_000_000_000, ["?quantize=4bit needs 7.4 GB"], False)
    'The models need about 19.6 GB on cuda (weights 17.5 GB, cache 1.2 GB, work 0.9 GB), where
    8.0 GB are free, so nothing was loaded. What fits: ?quantize=4bit needs 7.4 GB.'
    """
    parts = f"weights {_gb(need.weights)}, cache {_gb(need.cache)}, work {_gb(need.work)}"
    fitting = (
        f"What fits: {'; '.join(remedies)}." if remedies else "Free some, or use another device."
    )
    override = " To load it all the same: ?check_memory=no behind the chat model."
    return (
        f"The models need about {_gb(need.total)} on {where} ({parts}), where {_gb(free)} are "
        f"free, so nothing was loaded. {fitting}{override if has_chat else ''}"
    )


def _remedies(
    stages: Sequence[FoundStage],
    need: MemoryNeed,
    free: int,
    kind: str,
    capability: tuple[int, int],
    float_bytes: int,
) -> list[str]:
    """Return what would fit, the mildest change first."""
    from segue.runtime import device as devices

    remedies = []
    chat = next((stage for stage in stages if stage.kind == "chat"), None)
    if chat is not None:
        others = [
            stage.need(float_bytes, kind, capability) for stage in stages if stage is not chat
        ]
        for text, changes, value_bytes in _changes(chat, kind, float_bytes):
            changed = replace(chat, options={**chat.options, **changes})
            total = sum_of([changed.need(value_bytes, kind, capability), *others]).total
            if total <= free:
                remedies.append(f"{text} needs {_gb(total)}")
        everywhere = devices.free_bytes_on_all() + devices.free_memory_bytes()
        can_spread = chat.backend == "transformers" and kind == "cuda" and not chat.is_spread
        if can_spread and need.total <= SPREAD_SHARE * everywhere:
            remedies.append("?device_map=auto, which uses the processor's memory too, more slowly")
    smaller = largest_fitting(kind, free, below=need.total)
    if smaller is not None:
        remedies.append(f"the preset {smaller[0]!r} needs {_gb(smaller[1].total)}")
    return remedies


def _changes(
    chat: FoundStage, kind: str, float_bytes: int
) -> list[tuple[str, dict[str, str], int]]:
    """Return what may be changed of a chat model: for people, as options, bytes of a value."""
    from segue.runtime.weights.quantization import stored_quantization

    half = "?dtype=bfloat16"
    changes: list[tuple[str, dict[str, str], int]] = []
    if float_bytes > 2:
        changes.append((half, {}, 2))
    is_plain = "quantize" not in chat.options and stored_quantization(chat.place) is None
    if chat.backend == "transformers" and kind != "mps" and is_plain:
        quantized = {"quantize": "4bit"}
        changes.append(("?quantize=4bit", quantized, float_bytes))
        if float_bytes > 2:
            changes.append((f"{half}&quantize=4bit", quantized, 2))
    changes.append(("?context=2048", {"context": "2048"}, float_bytes))
    return changes


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
