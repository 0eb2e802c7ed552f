"""Published figures that a run is printed among; each with its source and year.

Only rows that were read at their source are here, so most benchmarks have none.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One figure of one model."""

    benchmark: str
    split: str
    protocol: str
    figure: str
    """As the protocol calls it."""
    value: float
    """In [0, 1]."""
    model: str
    year: int
    source: str


_QWEN_VL = "arXiv:2308.12966, README of QwenLM/Qwen-VL"
_SPLITS = (
    ("refcoco", "val"),
    ("refcoco", "testA"),
    ("refcoco", "testB"),
    ("refcoco+", "val"),
    ("refcoco+", "testA"),
    ("refcoco+", "testB"),
    ("refcocog", "val"),
    ("refcocog", "test"),
)
_ACCURACIES = {
    "Qwen-VL": (89.36, 92.26, 85.34, 83.12, 88.25, 77.21, 85.58, 85.48),
    "Qwen-VL-Chat": (88.55, 92.27, 84.51, 82.82, 88.59, 76.79, 85.96, 86.32),
}

_VIDEO_ROWS = (
    PublishedRow(
        "mevis", "valid_u", "mevis", "J&F", 0.4023, "LMPM (Swin-T), data of 2023", 2023,
        "arXiv:2308.08544, README of henghuiding/MeViS",
    ),
    *(
        PublishedRow(
            "ref-davis", "val", "ref-davis", "J&F", value, f"ReferFormer ({backbone})", 2022,
            "arXiv:2201.00487, docs of wjn922/ReferFormer",
        )
        for backbone, value in (("ResNet-50", 0.585), ("Swin-L", 0.605), ("Video-Swin-B", 0.611))
    ),
)  # fmt: skip

PUBLISHED = (
    *(
        PublishedRow(
            benchmark, split, "qwen-vl", "Acc@0.5", round(percent / 100, 4), model, 2023, _QWEN_VL
        )
        for model, percents in _ACCURACIES.items()
        for (benchmark, split), percent in zip(_SPLITS, percents, strict=True)
    ),
    *_VIDEO_ROWS,
)


def published_rows(benchmark: str, split: str, protocol: str) -> Iterator[PublishedRow]:
    """Yield the rows that a run may be compared with, the best first."""
    rows = [
        row
        for row in PUBLISHED
        if (row.benchmark, row.split, row.protocol) == (benchmark, split, protocol)
    ]
    yield from sorted(rows, key=lambda row: -row.value)
