"""The numbers of the detector's trainings."""

from dataclasses import dataclass, field, replace

from lab.detector.network import DetectorSize


@dataclass(frozen=True)
class DetectorRecipe:
    """The numbers of a training.

    `phrases` is the longest caption; `fresh` the share of new images in a batch, the others come
    from the latest `pool` of one shape. `bfloat16`: None where the device multiplies it fast.
    """

    size: DetectorSize = field(default_factory=DetectorSize)
    batch: int = 8
    peak_rate: float = 1.2e-3
    warm_up: int = 80
    hold: float = 0.55
    phrases: int = 24
    pool: int = 120
    fresh: float = 0.4
    restyle: float = 0.3
    seed: int = 1
    bfloat16: bool | None = None


WARM_START = DetectorRecipe(batch=12, peak_rate=7e-4, hold=0.33, seed=3)
"""For training from weights: a lower rate, that falls for two thirds of the time."""

CUDA_WARM_START = replace(WARM_START, batch=96, peak_rate=1.2e-3, hold=0.2, seed=11)
"""The same with large batches, for an accelerator."""
