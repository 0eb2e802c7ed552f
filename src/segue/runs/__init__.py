"""Annotation runs: many pictures, the same models and classes, results that are never lost.

sources ─► plan ─► engine ─► store
files      what    here, or    one result a picture, resumed by the same command
           is left on Ray
"""

from segue.runs.annotate import AnnotationRun, annotate
from segue.runs.settings import ClassRule, RunSettings
from segue.runs.store import RunStore

__all__ = ["AnnotationRun", "ClassRule", "RunSettings", "RunStore", "annotate"]
