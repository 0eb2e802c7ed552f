"""A file of predictions -> all scores, with what they depend on."""

from pathlib import Path
from typing import Any

from segue.deprecated import renamed_in
from segue.errors import InputError, UnknownName
from segue.evaluate.manifest import read_manifest
from segue.evaluate.places import score_boxes, score_masks
from segue.evaluate.predictions import parse_failures, read_predictions
from segue.evaluate.tags import score_tags
from segue.prompting.synonyms import Synonyms
from segue.runtime.catalog import unknown_name_message

__getattr__ = renamed_in(__name__)

PARTS = {"tags": "the tag", "boxes": "boxes", "masks": "masks"}
"""Name -> what is scored."""


def make_report(
    predictions: str | Path, parts: tuple[str, ...] = (), synonyms: Synonyms | None = None
) -> dict[str, Any]:
    """Score a file of predictions; no model is needed.

    Args:
        predictions: the file.
        parts: names from `PARTS`; none: all that the file allows.
        synonyms: for the tolerant comparison of phrases; None: the bundled ones.

    Returns:
        manifest, answers (parse-failure rate and the like), and one entry a part. Plain JSON
        values; all rates in [0, 1], None where there was nothing to count.

    Raises:
        InputError: the file cannot be read or holds no answer, or masks are to be scored and there
            was no segmenter.
        UnknownName: there is no such part.
    """
    for part in parts:
        if part not in PARTS:
            raise UnknownName(unknown_name_message("part of a report", part, PARTS))
    manifest = read_manifest(predictions)
    has_segmenter = manifest["models"].get("segment") is not None
    if "masks" in parts and not has_segmenter:
        raise InputError(
            f"{predictions} was made without a segmenter, so there are no masks to score. "
            "Predict again with one, or score 'boxes'."
        )
    answer_counts = parse_failures(read_predictions(predictions))
    if not answer_counts["answers"]:
        raise InputError(f"{predictions} holds no answer yet. Predict first.")
    report: dict[str, Any] = {"manifest": manifest, "answers": answer_counts}
    part_names = parts or tuple(part for part in PARTS if part != "masks" or has_segmenter)
    for part in part_names:
        prediction_iter = read_predictions(predictions)
        if part == "tags":
            has_detector = manifest["models"].get("detect") is not None
            report[part] = score_tags(
                prediction_iter, synonyms, manifest["dialect"], has_detector
            ).to_json()
        else:
            score = score_boxes if part == "boxes" else score_masks
            report[part] = score(prediction_iter).to_json()
    return report
