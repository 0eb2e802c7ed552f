"""How much memory presets need, from a table: nothing has to be on this machine.

Shapes and counts are those of the published configurations. What is on the disk is measured
instead, when it is loaded (`segue.assistant.memory`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segue.pipeline.presets import CARDS, PRESETS, Card, Preset
from segue.runtime.machine import MemoryPool
from segue.runtime.memory_need import (
    QUANTIZED_BYTES,
    MemoryNeed,
    NetworkShape,
    Verdict,
    need_of_vision,
    sum_of,
)

FLOAT_BYTES: Mapping[str, int] = {"cuda": 2, "mps": 2, "cpu": 4}
"""Kind of device -> bytes of one value of a chat model, unless the user says otherwise."""
_DETECTOR_BYTES, _SEGMENTER_BYTES = 4, {"cuda": 2, "mps": 4, "cpu": 4}
"""Of one value: of segmenters on CUDA all but a small part is in half precision."""
_UNITS = {"M": 10**6, "B": 10**9}


@dataclass(frozen=True, slots=True)
class ChatSize:
    """A chat model in numbers."""

    shape: NetworkShape
    whole: int = 0
    """Parameters that quantising leaves as they are: embeddings, head, vision tower."""


def _qwen3_vl(layers: int, width: int, inner_width: int, whole: int) -> ChatSize:
    shape = NetworkShape(
        layers=layers, key_value_width=1024, width=width, inner_width=inner_width,
        vision_width=1152, vision_inner_width=4304, max_context=262_144,
    )  # fmt: skip
    return ChatSize(shape, whole)


_QWEN_VL = ChatSize(
    NetworkShape(
        layers=32, key_value_width=4096, width=4096, inner_width=11_008,
        vision_width=1664, vision_inner_width=8192, patches_per_token=4, max_context=8192,
    )
)  # fmt: skip
CHAT_SIZES: Mapping[str, ChatSize] = {
    "embedded-chat": ChatSize(
        NetworkShape(layers=5, key_value_width=256, width=256, inner_width=1024, max_context=8192)
    ),
    "qwen-vl-chat": _QWEN_VL,
    "qwen-vl": _QWEN_VL,
    "qwen3-vl-2b": _qwen3_vl(28, 2048, 6144, 718_000_000),
    "qwen3-vl-4b": _qwen3_vl(36, 2560, 9728, 804_000_000),
    "qwen3-vl-8b": _qwen3_vl(36, 4096, 12_288, 1_821_000_000),
    "qwen2.5-vl-7b": ChatSize(
        NetworkShape(
            layers=28, key_value_width=512, width=3584, inner_width=18_944,
            vision_width=1280, vision_inner_width=3420, max_context=128_000,
        ),
        1_767_000_000,
    ),
    "qwen2-vl-2b": ChatSize(
        NetworkShape(
            layers=28, key_value_width=256, width=1536, inner_width=8960,
            vision_width=1280, vision_inner_width=5120, max_context=32_768,
        ),
        899_000_000,
    ),
}  # fmt: skip
"""By nickname."""


@dataclass(frozen=True, slots=True)
class PresetFit:
    """Whether a preset fits into a memory, and what it needs."""

    verdict: Verdict
    need: MemoryNeed
    pool: MemoryPool
    """Where it would run."""
    quantize: str | None = None
    """"4bit" where it fits only with that option behind the chat model."""

    @property
    def sentence(self) -> str:
        """For a table: the verdict with its figures."""
        figures = f"{self.need.total / 1e9:.1f} of {self.pool.free_bytes / 1e9:.1f} GB free"
        option = f" with ?quantize={self.quantize}" if self.quantize else ""
        return f"{self.verdict}{option}: {figures}"

    @property
    def details(self) -> str:
        """For a page about one preset: the sentence, with what the need consists of."""
        parts = (
            ("weights", self.need.weights),
            ("cache", self.need.cache),
            ("work", self.need.work),
        )
        listed = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in parts)
        return f"{self.sentence} on {self.pool.device} ({listed})"


def parameter_count(card: Card) -> int:
    """Return the parameters that a card states.

    >>> parameter_count(CARDS["qwen3-vl-8b"])
    8800000000
    """
    number, unit = card.parameters.split()
    return round(float(number) * _UNITS[unit])


def need_of_preset(
    preset: Preset,
    kind: str,
    *,
    float_bytes: int | None = None,
    quantize: str | None = None,
    context: int | None = None,
) -> MemoryNeed:
    """Return what the stages of a preset need together.

    Args:
        preset: all of whose stages are cards.
        kind: of the device: "cuda", "mps" or "cpu".
        float_bytes: of one value of the chat model; None: as the device likes.
        quantize: "4bit", "8bit" or None; of a chat model of transformers.
        context: tokens in use; None: as usual.
    """
    needs = []
    if preset.chat is not None:
        values = float_bytes or FLOAT_BYTES[kind]
        needs.append(need_of_chat_card(preset.chat, values, quantize, context))
    for name, value_bytes in (
        (preset.detect, _DETECTOR_BYTES),
        (preset.segment, _SEGMENTER_BYTES[kind]),
    ):
        if name is not None:
            needs.append(need_of_vision(parameter_count(CARDS[name]) * value_bytes))
    return sum_of(needs)


def need_of_chat_card(
    name: str, float_bytes: int, quantize: str | None = None, context: int | None = None
) -> MemoryNeed:
    """Return what a chat model with a nickname needs; see `need_of_preset`."""
    size, parameters = CHAT_SIZES[name], parameter_count(CARDS[name])
    tokens = size.shape.tokens_in_use(context)
    weights = parameters * float_bytes
    if quantize is not None:
        quantized = (parameters - size.whole) * QUANTIZED_BYTES[quantize]
        weights = int(size.whole * float_bytes + quantized)
    return MemoryNeed(
        weights=weights,
        cache=size.shape.cache_values(tokens) * float_bytes,
        work=size.shape.work_values(tokens) * float_bytes,
    )


def fit_of_preset(preset: Preset, pools: Sequence[MemoryPool]) -> PresetFit:
    """Say whether a preset fits this machine, on the device that it would run on by itself.

    Where it does not, but would with weights of 4 bits, that is said instead.

    Args:
        preset: all of whose stages are cards.
        pools: of this machine, the first to be used first.
    """
    pool = pools[0]
    need = need_of_preset(preset, pool.kind)
    verdict = need.verdict(pool.free_bytes)
    if verdict == "does not fit" and can_quantize(preset, pool.kind):
        smaller = need_of_preset(preset, pool.kind, quantize="4bit")
        if (better := smaller.verdict(pool.free_bytes)) != "does not fit":
            return PresetFit(better, smaller, pool, "4bit")
    return PresetFit(verdict, need, pool)


def can_quantize(preset: Preset, kind: str) -> bool:
    """Whether the chat model of a preset can be quantised while it is loaded on a device."""
    is_transformers = preset.chat is not None and CARDS[preset.chat].backend == "transformers"
    return is_transformers and kind != "mps"


def largest_fitting(
    kind: str, free_bytes: int, float_bytes: int | None = None, below: int | None = None
) -> tuple[str, MemoryNeed] | None:
    """Return the preset of most parameters that fits, and its need; None: there is none.

    Args:
        kind: of the device: "cuda", "mps" or "cpu".
        free_bytes: on it.
        float_bytes: of one value of the chat model; None: as the device likes.
        below: only presets that need less than so many bytes.
    """
    found = [
        (name, need_of_preset(preset, kind, float_bytes=float_bytes))
        for name, preset in PRESETS.items()
    ]
    fitting = [
        (name, need)
        for name, need in found
        if need.verdict(free_bytes) != "does not fit" and (below is None or need.total < below)
    ]
    return max(fitting, key=lambda pair: pair[1].total, default=None)
