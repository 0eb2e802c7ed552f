"""The numbers of the segmenter's trainings."""

from dataclasses import dataclass, field, replace

from lab.segmenter.network import SegmenterSize

SHIPPED_SIZE = SegmenterSize(
    patch=16, width=192, layers=6, heads=6, mlp_ratio=4.0, window=8, global_layers=(2, 5),
    decoder=128, decoder_mlp=256,
)  # fmt: skip


@dataclass(frozen=True)
class SegmenterRecipe:
    """The numbers of a training.

    `balanced_until` and `focal_from` are shares of the budget; see the losses. `fresh` is the share
    of new scenes in a batch, the others come from the latest `pool`. `bfloat16`: None where the
    device multiplies it fast.
    """

    size: SegmenterSize = field(default_factory=lambda: SHIPPED_SIZE)
    batch: int = 8
    peak_rate: float = 1.5e-3
    warm_up: int = 100
    hold: float = 0.35
    balanced_until: float = 0.08
    focal_from: float = 0.2
    pool: int = 400
    fresh: float = 0.2
    seed: int = 1
    bfloat16: bool | None = None


WARM_START = SegmenterRecipe(
    peak_rate=7e-4, warm_up=40, hold=0.2, balanced_until=-0.2, focal_from=-0.1, seed=5
)
"""For training from weights: focal loss from the first step, and a lower rate, that falls
for four fifths of the time."""

CUDA_WARM_START = replace(WARM_START, batch=64, peak_rate=1e-3, seed=12)
"""The same with large batches, for an accelerator."""
