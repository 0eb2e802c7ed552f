"""``segue.json`` beside the detector's weights: which scores count, and which boxes are doubles."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class DetectorSettings:
    """What ``segue.json`` says beside the weights: thresholds on scores in [0, 1], and the overlap
    that makes a double."""

    box_threshold: float = 0.3
    text_threshold: float = 0.3
    nms_iou: float = 0.5


def write_settings(folder: Path, settings: DetectorSettings) -> None:
    """Put the thresholds beside the weights."""
    (folder / "segue.json").write_text(json.dumps(asdict(settings), indent=2) + "\n", "utf-8")


def read_detector_settings(folder: Path) -> DetectorSettings:
    """The thresholds beside the weights; defaults for what is not said."""
    file = folder / "segue.json"
    found = json.loads(file.read_text("utf-8")) if file.exists() else {}
    known = {k: float(v) for k, v in found.items() if k in DetectorSettings.__dataclass_fields__}
    return DetectorSettings(**known)
