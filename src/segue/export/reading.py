"""What can be exported: a saved conversation, and the data sets that segue reads back.

Another kind of source is one line in `SOURCES`. Where a source was reviewed, it is read as it was
corrected.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from segue.conversation.session.bounds import SessionLimits
from segue.conversation.session.read import read_session
from segue.conversation.session.write import FILE as SESSION_FILE
from segue.errors import InputError
from segue.export import AnnotatedImage, annotated
from segue.export.coco import read_coco
from segue.export.cvat import read_cvat
from segue.export.geojson import read_geojson
from segue.export.label_files import label_files
from segue.export.label_studio import read_label_studio
from segue.export.labelme import read_labelme
from segue.export.layout import LAYOUTS
from segue.export.picture_files import PictureFile, find_picture, upright_size
from segue.export.voc import read_voc
from segue.export.yolo import read_yolo
from segue.files.atomic import printable_path
from segue.files.text import open_text
from segue.pipeline.answer import Answer
from segue.review.journal import journal_path, read_changes
from segue.review.outcome import ReviewOutcome, ReviewSelection
from segue.runs.results import PictureResult
from segue.runs.sources.locations import FileLocation, location_of
from segue.runs.sources.object_storage import is_address
from segue.runs.store import MANIFEST as RUN_FILE
from segue.runs.store import RunStore
from segue.values.image import Image
from segue.values.region import Region

_PICTURE_FOLDERS = (".", "images", "JPEGImages")
_HEAD = 2**20
"""So many characters of a file are read to find out what it is."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Annotated pictures, and where their pixels are."""

    pictures: Sequence[AnnotatedImage]
    files: Mapping[str, PictureFile]
    """By the picture's name, of those pictures that were found."""
    kind: str = "a data set"
    """What it was read from, as "a COCO instances file"."""
    classes: Sequence[str] = ()
    """Classes that the source lists by itself, whether they occur or not."""
    journal: Path | None = None
    """Where the journal of its review lies, or would lie; None: it lies nowhere."""
    review: ReviewOutcome | None = None
    """What its review made of it; None: it was not reviewed, or is read as it was annotated."""


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """Where a data set lies, and how it is read."""

    path: Path
    skipped: list[str] | None = None
    """Gets a sentence for each entry that is left out; None: the first ends it all."""
    picture_folder: Path | None = None
    """Where its pictures are; None: beside it."""

    @property
    def folder(self) -> Path:
        """The folder itself, or that of the one file."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def picture_folders(self) -> list[Path]:
        """Where pictures are looked for."""
        if self.picture_folder is not None:
            return [self.picture_folder]
        folders = [self.folder / name for name in _PICTURE_FOLDERS]
        if self.folder.name.lower() == "annotations":  # beside "images", as CVAT and others have it
            beside = self.folder.parent / "images"
            folders += [beside, *sorted(path for path in beside.glob("*") if path.is_dir())]
        return folders

    def single_file(self, format_name: str) -> Path:
        """Return the path, or the one file of a format in this folder."""
        name = LAYOUTS[format_name].file_name
        return self.path / name if name is not None and self.path.is_dir() else self.path

    def data_set(self, pictures: Sequence[AnnotatedImage]) -> DataSet:
        """Return pictures together with those of their files that are found."""
        found = {picture.name: find_picture(picture.name, self.picture_folders)
                 for picture in pictures}  # fmt: skip
        return DataSet(pictures, {name: file for name, file in found.items() if file is not None})


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source."""

    name: str
    """With its article: "a COCO instances file"."""
    expected: str
    """What lies there, for a message."""
    is_here: Callable[[SourcePlace], bool]
    """Looks at names and beginnings of files only."""
    read: Callable[[SourcePlace], DataSet]
    file_format: str | None = None
    """The format of `LAYOUTS` whose one file it is; None: it is a folder."""

    def journal_of(self, place: SourcePlace) -> Path:
        """Return where the journal of a review lies."""
        file_format = self.file_format
        return journal_path(place.path if file_format is None else place.single_file(file_format))


def read_pictures(source: str | Path, *, skipped: list[str] | None = None) -> list[AnnotatedImage]:
    """Read the annotated pictures of whatever lies there: a session folder or a data set.

    Where they were reviewed, those that were rejected are left out, and the others are as they were
    corrected.

    Args:
        source: a folder or a file; see `SOURCES` for the kinds.
        skipped: gets a sentence for each entry that is left out; None: the first ends it all.

    Raises:
        InputError: it is none of the kinds, or it cannot be read.
    """
    return list(read_data_set(source, skipped=skipped).pictures)


def read_data_set(
    source: str | Path,
    *,
    skipped: list[str] | None = None,
    picture_folder: str | Path | None = None,
    reviewed: ReviewSelection = "all",
) -> DataSet:
    """Read the annotated pictures of whatever lies there, and find their files.

    Args:
        source: a folder or a file; see `SOURCES` for the kinds.
        skipped: gets a sentence for each entry that is left out; None: the first ends it all.
        picture_folder: where the pictures of a data set are; None: in its folder, in "images" or
            in "JPEGImages" below.
        reviewed: which pictures are taken where a review of the source lies beside it; they are as
            they were corrected, unless it is "original".

    Raises:
        InputError: it is none of the kinds, it cannot be read, or reviewed pictures are asked for
            and it was not reviewed.
    """
    folder = None if picture_folder is None else Path(picture_folder)
    if folder is not None and not folder.is_dir():
        raise InputError(
            f"{printable_path(folder)} is no folder. Give the folder that holds the pictures."
        )
    place = SourcePlace(Path(source), skipped, folder)
    if not place.path.exists():
        raise InputError(f"There is no file or folder {printable_path(source)}.")
    for kind in SOURCES:
        if kind.is_here(place):
            data = replace(kind.read(place), kind=kind.name, journal=kind.journal_of(place))
            return _apply_review(data, reviewed, place.path)
    files = _coco_files_in(place)
    if len(files) == 1:
        return read_data_set(
            files[0], skipped=skipped, picture_folder=picture_folder, reviewed=reviewed
        )
    if files:
        names = ", ".join(printable_path(file) for file in files)
        raise InputError(f"{printable_path(source)} holds several COCO files. Name one: {names}")
    if folders := _yolo_folders_in(place):
        names = ", ".join(printable_path(folder) for folder in folders)
        raise InputError(
            f"{printable_path(source)} holds YOLO folders, one a split. Name one: {names}"
        )
    expected = "; ".join(kind.expected for kind in SOURCES)
    raise InputError(
        f"{printable_path(source)} {_description(place.path)}, which is nothing that can be "
        f"read. Expected one of: {expected}."
    )


def _apply_review(data: DataSet, selection: ReviewSelection, source: Path) -> DataSet:
    """Return the pictures that the review of a data set leaves, as they were corrected."""
    assert data.journal is not None
    if selection == "original":
        return data
    changes = read_changes(data.journal)
    if not changes:
        if selection == "accepted":
            raise InputError(
                f"{printable_path(source)} was not reviewed: there is no change in "
                f"{printable_path(data.journal)}. Run: segue review {printable_path(source)}"
            )
        return data
    outcome = ReviewOutcome.of(changes, selection)
    pictures = []
    for picture in data.pictures:
        regions = outcome.regions_of(picture.name, picture.size, picture.regions)
        if regions is not None:
            pictures.append(replace(picture, regions=regions))
    names = {picture.name for picture in pictures}
    files = {name: file for name, file in data.files.items() if name in names}
    return replace(data, pictures=pictures, files=files, review=outcome)


def conversation_data_set(images: Sequence[Image], regions: Sequence[Region]) -> DataSet:
    """Return the pictures of a conversation with all that exists on them now.

    Args:
        images: of the conversation, in its order.
        regions: whose `image` is an index into them.
    """
    combined = Answer("", "", "", regions=tuple(regions), images=tuple(images))
    pictures = annotated([combined])
    unique = {(image.name or "image.png", image.digest): image for image in images}
    files = {picture.name: image for picture, image in zip(pictures, unique.values(), strict=True)}
    return DataSet(pictures, files, "a conversation")


def _read_session(place: SourcePlace) -> DataSet:
    saved = read_session(place.folder, SessionLimits())
    _, snapshot = saved.steps[saved.at]
    return conversation_data_set(saved.image_order, snapshot.regions)


def _read_yolo(place: SourcePlace) -> DataSet:
    """Read the label file of each picture; a picture without one has no object."""
    folder = place.picture_folder or place.folder / "images"
    files = {}
    sized_images = []
    for file in _files_below(folder, ""):
        name = file.relative_to(folder).as_posix()
        size = upright_size(file)
        if size is None:
            _skip(place, f"{printable_path(file)}: it does not open as a picture.")
            continue
        files[name] = file
        sized_images.append(AnnotatedImage(name, size))
    if not files:
        raise InputError(
            f"{printable_path(folder)} holds no picture. YOLO files do not say how large pictures "
            "are, so they are needed: put them there, or name their folder."
        )
    labels = label_files(sized_images)
    is_labelled = [(place.folder / "labels" / label).is_file() for label in labels]
    sizes = {
        picture.name: picture.size
        for picture, has_file in zip(sized_images, is_labelled, strict=True)
        if has_file
    }
    by_name = {p.name: p for p in read_yolo(place.folder, sizes, skipped=place.skipped)}
    label_folder = place.folder / "labels"
    for file in _files_below(label_folder, ".txt"):
        if file.relative_to(label_folder).as_posix() not in labels:
            _skip(place, f"{printable_path(file)}: its picture is not in {printable_path(folder)}.")
    return DataSet([by_name.get(picture.name, picture) for picture in sized_images], files)


def _read_labelme(place: SourcePlace) -> DataSet:
    """Read each file; a picture is called as the file says, in the folder of the file."""
    pictures = []
    for file in _files_of(place, ".json"):
        if not _is_labelme_file(file):
            _skip(place, f"{printable_path(file)}: it is no LabelMe file.")
            continue
        picture = read_labelme(file, skipped=place.skipped)
        name = PurePosixPath(picture.name.replace("\\", "/")).name
        parent = PurePosixPath(file.parent.relative_to(place.folder).as_posix())
        pictures.append(replace(picture, name=str(parent / name)))
    return place.data_set(pictures)


def _single(
    format_name: str, reader: Callable[..., list[AnnotatedImage]]
) -> Callable[[SourcePlace], DataSet]:
    """Return how a format of one file is read."""
    return lambda place: place.data_set(
        reader(place.single_file(format_name), skipped=place.skipped)
    )


def _each(suffix: str, reader: Callable[..., AnnotatedImage]) -> Callable[[SourcePlace], DataSet]:
    """Return how a format of a file a picture is read."""
    return lambda place: place.data_set(
        [reader(file, skipped=place.skipped) for file in _files_of(place, suffix)]
    )


def _is_session(place: SourcePlace) -> bool:
    is_file = place.path.name == SESSION_FILE and place.path.is_file()
    return is_file or (place.path / SESSION_FILE).is_file()


def _is_coco(place: SourcePlace) -> bool:
    head = _head(place.single_file("coco"), ".json")
    is_labelme = '"shapes"' in head
    keys = ('"images"', '"annotations"', '"categories"')
    return head.startswith("{") and not is_labelme and any(key in head for key in keys)


def _coco_files_in(place: SourcePlace) -> list[Path]:
    """Return the COCO files in a folder and in "annotations" below it, whatever they are called."""
    if not place.path.is_dir():
        return []
    folders = (place.path, place.path / "annotations")
    files = [file for folder in folders for file in sorted(folder.glob("*.json"))]
    return [file for file in files if _is_coco(replace(place, path=file))]


def _is_label_studio(place: SourcePlace) -> bool:
    return _head(place.single_file("label-studio"), ".json").startswith("[")


def _is_cvat(place: SourcePlace) -> bool:
    return "<annotations" in _head(place.single_file("cvat"), ".xml")


def _is_yolo(place: SourcePlace) -> bool:
    return (place.path / "data.yaml").is_file()


def _yolo_folders_in(place: SourcePlace) -> list[Path]:
    """Return the folders with a data.yaml of their own, as segue 0.2 wrote splits."""
    return [file.parent for file in sorted(place.path.glob("*/data.yaml"))]


def _is_voc(place: SourcePlace) -> bool:
    return any("<annotation>" in _head(file, ".xml") for file in _files_of(place, ".xml")[:1])


def _is_geojson(place: SourcePlace) -> bool:
    return bool(_files_of(place, ".geojson"))


def _is_labelme(place: SourcePlace) -> bool:
    return any(map(_is_labelme_file, _files_of(place, ".json")))


def _is_labelme_file(file: Path) -> bool:
    head = _head(file, ".json")
    return '"shapes"' in head or '"imagePath"' in head


def _is_run(place: SourcePlace) -> bool:
    return (place.path / RUN_FILE).is_file()


def _read_run(place: SourcePlace) -> DataSet:
    """Read what `segue annotate` kept; pictures that failed are left out, with their reasons."""
    pictures: list[AnnotatedImage] = []
    files: dict[str, PictureFile] = {}
    store = RunStore(place.path)
    for result in store.results():
        if result.size is None or result.error is not None:
            _skip(place, f"{result.name}: it was not annotated ({result.error}).")
            continue
        pictures.append(AnnotatedImage(result.name, result.size, result.regions))
        if place.picture_folder is not None:
            file = place.picture_folder / result.name
            if file.is_file():
                files[result.name] = file
        elif (picture_file := _picture_file(place, result)) is not None:
            files[result.name] = picture_file
    return DataSet(pictures, files, classes=store.settings.names)


def _picture_file(place: SourcePlace, result: PictureResult) -> PictureFile | None:
    """Return where the picture of a result lies; None where it is gone."""
    try:
        location = location_of(result.path)
        if not isinstance(location, FileLocation):
            return location if is_address(location.address) or location.stamp()[0] >= 0 else None
    except InputError as error:
        if place.skipped is not None:
            place.skipped.append(f"{result.name}: its picture cannot be copied: {error}")
        return None
    return location.path if location.path.is_file() else None


SOURCES: Sequence[SourceKind] = (
    SourceKind("a session", f"a folder with {SESSION_FILE}, as `Conversation.save` and `segue chat "
               "--session` write it", _is_session, _read_session),
    SourceKind("a run", f"a folder with {RUN_FILE}, as `segue annotate` writes it", _is_run,
               _read_run),
    SourceKind("a COCO instances file", "a COCO instances file (.json with images, annotations "
               "and categories)", _is_coco, _single("coco", read_coco), "coco"),
    SourceKind("Label Studio tasks", "Label Studio tasks (.json, a list)", _is_label_studio,
               _single("label-studio", read_label_studio), "label-studio"),
    SourceKind("a CVAT file", "a CVAT for images file (.xml)", _is_cvat,
               _single("cvat", read_cvat), "cvat"),
    SourceKind("a YOLO folder", "a YOLO folder with data.yaml, labels and images", _is_yolo,
               _read_yolo),
    SourceKind("a Pascal VOC folder", "a Pascal VOC folder (.xml files, perhaps in Annotations)",
               _is_voc, _each(".xml", read_voc)),
    SourceKind("a GeoJSON folder", "a folder of .geojson files that segue wrote", _is_geojson,
               _each(".geojson", read_geojson)),
    SourceKind("a LabelMe folder", "a folder of LabelMe .json files", _is_labelme, _read_labelme),
)  # fmt: skip
"""What `read_pictures` reads; the first kind that is there is taken."""


def _skip(place: SourcePlace, sentence: str) -> None:
    if place.skipped is None:
        raise InputError(f"{sentence} Remove it, or have such entries left out.")
    place.skipped.append(sentence)


def _files_of(place: SourcePlace, suffix: str) -> list[Path]:
    """Return the one file, or all of a suffix in the folder, or in Annotations below it."""
    if not place.path.is_dir():
        return [place.path] if place.path.suffix.lower() == suffix else []
    annotations = place.path / "Annotations"
    return _files_below(annotations if annotations.is_dir() else place.path, suffix)


def _files_below(folder: Path, suffix: str) -> list[Path]:
    """Return the files below a folder with a suffix (any: ""), hidden ones left out, in order."""
    files: Iterable[Path] = folder.rglob(f"*{suffix}") if folder.is_dir() else ()
    return sorted(
        file
        for file in files
        if file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _head(file: Path, suffix: str) -> str:
    """Return the beginning of a text file of a suffix; "" where there is none."""
    if file.suffix.lower() != suffix or not file.is_file():
        return ""
    try:
        with open_text(file) as text:
            return text.read(_HEAD).lstrip()
    except InputError:
        return ""


def _description(path: Path) -> str:
    if not path.is_dir():
        return "is a file of another kind"
    names = sorted(entry.name for entry in path.iterdir())
    listed = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"is a folder with {printable_path(listed)}" if names else "is an empty folder"
