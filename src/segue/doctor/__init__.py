"""Finds out how a chat model or endpoint behaves, by showing it drawn shapes with known boxes."""

from segue.doctor.drawings import Drawing, Shape
from segue.doctor.examination import examine
from segue.doctor.verdict import Finding, Verdict

__all__ = ["Drawing", "Finding", "Shape", "Verdict", "examine"]
