"""SA-Co/Gold: noun phrases about pictures, with and without instances, by three annotators.

A file is COCO-like, but an "image" is a pair of a picture and a noun phrase (`text_input`); a pair
without annotations is an absence. Three files, a, b and c, hold the same pairs by three annotators.
Only pairs that all annotators call exhaustive (`is_instance_exhaustive`) are scored. Annotations of
groups (`iscrowd`) are left out.

Source: facebookresearch/sam3, `scripts/eval/gold`, arXiv:2511.16719.
"""

from collections.abc import Mapping
from pathlib import Path

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import read_flag, read_string
from segue.benchmarks.coco_file import CocoEntry, CocoFile, entry_rle, image_name, read_coco_file
from segue.benchmarks.concept_protocol import CgF1Protocol
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, picture_files
from segue.benchmarks.demo_sets import write_saco
from segue.benchmarks.item import BenchmarkItem, EntryId, InstanceTruth
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import well_formed
from segue.values.box import Size

_SUBSETS = (
    "metaclip", "sa1b", "crowded", "fg_food", "fg_sports_equipment", "attributes", "wiki_common",
)  # fmt: skip
_ANNOTATION_PLACES = ("", "annotations", "gt-annotations", "gold", "SACo-Gold")
_PICTURE_PLACES = (
    "images", "metaclip-images", "metaclip_images", "sa1b-images", "sa1b_images", "..",
)  # fmt: skip


def saco_gold() -> Benchmark:
    """Return SA-Co/Gold."""
    return Benchmark(
        name="saco-gold",
        title="SA-Co/Gold",
        home="https://huggingface.co/datasets/facebook/SACo-Gold, or Roboflow; pictures of "
        "MetaCLIP from there, of SA-1B from https://ai.meta.com/datasets/segment-anything",
        layout="gold_metaclip_merged_a_release_test.json, …_b_…, …_c_…, and the pictures",
        splits=_SUBSETS,
        protocols=(CgF1Protocol(),),
        read=read_saco,
        write_demo=write_saco,
    )


def read_saco(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read the pairs of one of the seven subsets, by all annotators whose files are there.

    Raises:
        InputError: no file of the subset is there, or it cannot be read.
    """
    paths = _annotation_files(folder, split)
    contents = [read_coco_file(path, needs_categories=False) for path in paths]
    first, skipped = contents[0], [sentence for content in contents for sentence in content.skipped]
    log = EntryLog(paths[0], skipped)
    exhaustive_ids = [
        _exhaustive_ids(content, EntryLog(content.path, skipped)) for content in contents
    ]
    items, n_not_exhaustive = [], 0
    for identity, image in first.images.items():
        if not all(identity in ids for ids in exhaustive_ids):
            n_not_exhaustive += 1
            continue
        with log.entry(f"pair {identity}"):
            phrase = well_formed(read_string(image["text_input"], "text_input")).strip()
            if not phrase:
                raise InputError("text_input has no words")
            items.append(
                BenchmarkItem(
                    id=str(identity),
                    image_name=image_name(image),
                    phrases=(phrase,),
                    image_id=identity,
                    size=first.stated_size(identity),
                    read_truth=_AnnotatorTruth(contents, identity),
                )
            )
    if not items:
        raise InputError(
            f"{printable_path(paths[0])} has no exhaustive pair. {' '.join(skipped[:1])}"
        )
    notes = []
    if n_not_exhaustive:
        notes.append(f"{n_not_exhaustive} pairs are not annotated exhaustively and are not asked.")
    if len(contents) < 3:
        notes.append(f"Of three annotators only {len(contents)} are there.")
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=picture_files((paths[0].parent, folder), images, "", _PICTURE_PLACES),
        counts={"pairs": len(first.images), "scored pairs": len(items)},
        skipped=skipped,
        notes=notes,
        files=paths,
    )


def _annotation_files(folder: Path, subset: str) -> list[Path]:
    found = []
    for letter in "abc":
        pattern = f"gold_{subset}*_merged_{letter}*.json"
        matches = (
            path for place in _ANNOTATION_PLACES for path in sorted((folder / place).glob(pattern))
        )
        if (path := next(matches, None)) is not None:
            found.append(path)
    if not found:
        raise InputError(
            f"{printable_path(folder)} has no gold_{subset}_merged_a_release_test.json (looked in "
            f"{', '.join(place or 'the folder itself' for place in _ANNOTATION_PLACES)}). The "
            f"subsets are {', '.join(_SUBSETS)}."
        )
    return found


def _exhaustive_ids(content: CocoFile, log: EntryLog) -> set[EntryId]:
    ids = set()
    for identity, image in content.images.items():
        with log.entry(f"pair {identity}"):
            if read_flag(image.get("is_instance_exhaustive", 1), "is_instance_exhaustive"):
                ids.add(identity)
    return ids


class _AnnotatorTruth:
    """The instances of one pair, by annotator."""

    def __init__(self, contents: list[CocoFile], identity: EntryId) -> None:
        self._entries: list[list[CocoEntry]] = [
            [entry for entry in content.entries_of_image.get(identity, ()) if not entry.is_crowd]
            for content in contents
        ]

    def __call__(self, size: Size) -> InstanceTruth:
        def runs(entry: CocoEntry) -> Mapping[str, object]:
            return entry_rle(entry, size)

        return tuple(tuple(map(runs, entries)) for entries in self._entries)
