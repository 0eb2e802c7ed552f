"""A run of `segue annotate` -> questions for a class and its boxes, or its tag.

The pictures come as an export reads them, so that what was reviewed counts as it was reviewed. A
class that the models did not find on a picture may be asked for as absent. What the run itself
is not sure of is not taught: a class with a region whose verdict is not "present", unless the user
made it, and pictures of which its rules left out objects that are there. Without classes (a run of
a question alone) nothing is known to be absent.

A picture that a person accepted, or corrected, in `segue review` is the whole truth about it. So
it also answers the question that the run asked about each picture, with all that is there.

Limits: in other pictures nobody looked at what the models missed. A class that is said to be absent
may be there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from segue.convert.datasets.coco import CocoOptions, convert_instances
from segue.convert.datasets.coco_instances import (
    ANNOTATION,
    CocoImage,
    CocoInstance,
    CocoInstances,
)
from segue.convert.datasets.coco_instances_reader import read_category_name
from segue.convert.dialogue import Dialogue, DroppedRecord
from segue.convert.entry_tally import EntryTally
from segue.convert.exif import upright_size
from segue.convert.image_files import LocatedImage, MissingImage, read_image_header
from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.export.label_files import picture_path
from segue.export.picture_files import PictureFile, suffix_of_location, write_copy
from segue.export.reading import DataSet, read_data_set
from segue.files.atomic import printable_path
from segue.review.outcome import ReviewOutcome, ReviewSelection
from segue.runs.annotator import BEYOND_NUMBER, LEFT_OUT_NOTICE, TOO_SMALL
from segue.runs.results import PictureResult
from segue.runs.store import RunStore
from segue.values.image import Image
from segue.values.region import Region

NOT_ANNOTATED = "picture was not annotated"
NOT_READ = "picture is not in what was read of the run"
LEFT_OUT = "the rules of the run left out objects that are there"
UNSURE = "its class has a verdict that is not present"
_REVIEW_REASONS = {
    "rejected": "picture was rejected in its review",
    "todo": "picture was not reviewed",
}
SOURCE = "run"


class RunPictures:
    """The picture files of a run; those of shards and object storage are written to a folder."""

    def __init__(self, files: Mapping[str, PictureFile], copy_folder: Path) -> None:
        """
        Args:
            files: by the picture's name.
            copy_folder: for pictures that are no files yet.
        """
        self._files, self._copy_folder = files, copy_folder
        self.n_copied = 0
        """Pictures that were written to the folder."""

    def find(self, name: str, source: str = "") -> LocatedImage | MissingImage:
        """Find the file of a picture. See `ImageFiles.find`."""
        picture = self._files.get(name)
        if picture is None:
            return MissingImage(name, "picture not found")
        path = picture if isinstance(picture, Path) else self._write_copy(name, picture)
        header = None if path is None else read_image_header(path)
        if path is None or header is None:
            return MissingImage(name, "picture does not open")
        stored_size, orientation = header
        size = upright_size(stored_size, orientation)
        return LocatedImage(path.absolute(), size, f"{SOURCE}/{name}", stored_size, orientation)

    def _write_copy(self, name: str, picture: PictureFile) -> Path | None:
        if isinstance(picture, Path | Image):
            return None
        suffix = suffix_of_location(picture)
        if suffix is None:
            return None
        path = picture_path(name)
        target = self._copy_folder / (path if path.suffix else path.with_suffix(suffix))
        write_copy(picture, target)
        self.n_copied += 1
        return target


def convert_run(
    run: str | Path,
    out: Path,
    options: CocoOptions,
    tally: EntryTally,
    reviewed: ReviewSelection = "all",
    *,
    own_question: bool = False,
) -> Iterator[Dialogue | DroppedRecord]:
    """Yield one dialogue, or the reason why there is none, for each picture of a run.

    Args:
        run: its folder.
        out: where the dialogues will be; pictures of shards are written to "images" below it.
        options: how pictures become dialogues.
        tally: where every region is counted as used or dropped.
        reviewed: which pictures of a reviewed run are taken, see `read_data_set`. What a person
            accepted or corrected is the whole truth: what is not marked is absent.
        own_question: first ask what the run asked about each picture, where a person accepted or
            corrected the answer.

    Raises:
        InputError: it is no run, one without names, not reviewed where it should be, or one that
            asked no question that could be asked again.
    """
    store = RunStore(Path(run))
    if own_question:
        options = replace(options, list_question=_question_of(store))
    if store.settings.everything is not None:
        raise InputError(
            f"{printable_path(run)} has masks without names (--everything), so nothing in it can "
            "be asked for. Convert a run with classes or a question."
        )
    skipped: list[str] = []  # the store has the same pictures, and says why
    data = read_data_set(run, skipped=skipped, reviewed=reviewed)
    content = _content_of(store, data, tally, with_masks=options.masks)
    files = RunPictures(data.files, out / "images")
    yield from convert_instances(content, files, options, tally)
    if files.n_copied:
        tally.counts_of(ANNOTATION).notes["on a picture that was written to images/"] += (
            files.n_copied
        )


def _question_of(store: RunStore) -> str:
    if store.settings.question is None:
        raise InputError(
            f"{printable_path(store.folder)} asked no question about all pictures (--ask), so it "
            "cannot be asked again. Leave out --own-question."
        )
    return store.settings.question


def _content_of(
    store: RunStore, data: DataSet, tally: EntryTally, *, with_masks: bool
) -> CocoInstances:
    """Return what a run knows of its pictures, in the form of COCO instances."""
    content = CocoInstances()
    pictures = {picture.name: picture for picture in data.pictures}
    names = dict.fromkeys(store.settings.names)
    for number, result in enumerate(store.results(), 1):
        picture, review = pictures.pop(result.name, None), data.review
        is_checked = review is not None and review.is_checked(result.name)
        reason, detail = _reason_against(result, picture, review)
        if picture is None or reason:
            content.dropped.append(DroppedRecord(result.name, reason, detail))
            regions = () if picture is None else picture.regions
            tally.count_read(ANNOTATION, len(regions))
            for region in regions:
                place = f"{region.id} of {result.name}"
                tally.count_dropped(ANNOTATION, place, "its picture was dropped", reason)
            continue
        _add(content, number, picture, None if is_checked else result, names, tally, with_masks)
    content.categories = tuple(names)
    return content


def _reason_against(
    result: PictureResult, picture: AnnotatedImage | None, review: ReviewOutcome | None
) -> tuple[str, str]:
    """Return why a picture cannot be used, as (reason, detail); ("", "") when it can."""
    if result.error is not None:
        return NOT_ANNOTATED, result.error
    state = None if review is None else review.state_by_name.get(result.name)
    if picture is None:
        return _REVIEW_REASONS.get(state or "", NOT_READ), ""
    if review is not None and review.is_checked(result.name):
        return "", ""
    for notice in result.notices:
        is_incomplete = TOO_SMALL in notice or BEYOND_NUMBER in notice
        if notice.startswith(LEFT_OUT_NOTICE) and is_incomplete:
            return LEFT_OUT, notice
    return "", ""


def _add(
    content: CocoInstances,
    number: int,
    picture: AnnotatedImage,
    result: PictureResult | None,
    names: dict[str, None],
    tally: EntryTally,
    with_masks: bool,
) -> None:
    """Add a picture with its regions; what may be on it beside them is not called absent.

    Args:
        content: what is added to.
        number: of the picture.
        picture: with its regions.
        result: what the models said; None: a person looked at all of it.
        names: of all classes; new ones are added.
        tally: where the regions are counted.
        with_masks: whether masks are kept.
    """
    content.pictures[number] = CocoImage(number, picture.name, picture.size)
    unsure_phrases = set()
    if result is None:
        content.complete_pictures.add(number)
    else:
        not_found = {name.lower() for name in result.not_found}
        content.named_categories[number] |= {
            name.lower() for name in names if name.lower() not in not_found
        }
        is_left_out = any(notice.startswith(LEFT_OUT_NOTICE) for notice in result.notices)
        if is_left_out or not result.not_found:
            content.unclear_pictures.add(number)
        unsure_phrases = {region.phrase for region in picture.regions if _is_unsure(region)}
    for region in picture.regions:
        tally.count_read(ANNOTATION)
        name, problem = read_category_name(region.phrase)
        place = f"{region.id} of {picture.name}"
        if problem:
            content.unclear_pictures.add(number)
            reason = "category cannot be asked for"
            tally.count_dropped(ANNOTATION, place, reason, problem)
            continue
        names.setdefault(name)
        content.named_categories[number].add(name.lower())
        if region.phrase in unsure_phrases:
            tally.count_dropped(ANNOTATION, place, UNSURE)
            continue
        shape = region.mask.rle if with_masks and region.mask is not None else None
        instance = CocoInstance(
            region.id, number, name, region.box, False, shape, number, picture.name
        )
        content.by_picture[number].append(instance)


def _is_unsure(region: Region) -> bool:
    """Whether the models themselves do not stand by a region; the user does by their own."""
    verdict = region.verdict
    return region.found_by != "user" and verdict is not None and verdict.presence != "present"
