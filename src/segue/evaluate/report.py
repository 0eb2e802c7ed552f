"""A file of predictions -> all numbers, with what they depend on."""

from pathlib import Path
from typing import Any

from segue.errors import InputError, UnknownName
from segue.evaluate.places import score_boxes, score_masks
from segue.evaluate.predictions import parse_failures, read_manifest, read_predictions
from segue.evaluate.synonyms import Synonyms
from segue.evaluate.tags import score_tags
from segue.runtime.catalog import unknown_name_message

PARTS = {"tags": "the tag", "boxes": "boxes", "masks": "masks"}
"""Name -> what is scored."""


def report(
    predictions: str | Path, parts: tuple[str, ...] = (), synonyms: Synonyms | None = None
) -> dict[str, Any]:
    """Score a file of predictions; no model is needed.

    Args:
        predictions: the file.
        parts: names from `PARTS`; none: all that the file allows.
        synonyms: for the tolerant comparison of phrases.

    Returns:
        manifest, answers (parse-failure rate and the like), and one entry a part. Plain JSON
        values; all rates in [0, 1], None where there was nothing to count.

    Raises:
        InputError: the file cannot be read or holds no answer, or masks were asked for and nothing
            segmented.
        UnknownName: there is no such part.
    """
    for part in parts:
        if part not in PARTS:
            raise UnknownName(unknown_name_message("part of a report", part, PARTS))
    about = read_manifest(predictions)
    segmented = about["models"].get("segment") is not None
    if "masks" in parts and not segmented:
        raise InputError(
            f"{predictions} was made without a segmenter, so there are no masks to score. "
            "Predict again with one, or score 'boxes'."
        )
    answers = parse_failures(read_predictions(predictions))
    if not answers["answers"]:
        raise InputError(f"{predictions} holds no answer yet. Predict first.")
    result: dict[str, Any] = {"manifest": about, "answers": answers}
    wanted = parts or tuple(part for part in PARTS if part != "masks" or segmented)
    for part in wanted:
        read = read_predictions(predictions)
        if part == "tags":
            detector = about["models"].get("detect") is not None
            result[part] = score_tags(read, synonyms, about["dialect"], detector).to_json()
        else:
            result[part] = (score_boxes if part == "boxes" else score_masks)(read).to_json()
    return result
