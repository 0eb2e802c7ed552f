"""Examines how a chat model or endpoint behaves, by asking for drawn shapes with known boxes."""

from segue.deprecated import renamed_in
from segue.doctor.drawings import Drawing, DrawnShape
from segue.doctor.examination import examine
from segue.doctor.verdict import Finding, Verdict

__all__ = ["Drawing", "DrawnShape", "Finding", "Verdict", "examine"]
__getattr__ = renamed_in(__name__)
