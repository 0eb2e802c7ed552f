"""What the routes of a review need: its state, its files, and changes from the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.export.picture_files import PictureFile
from segue.export.reading import DataSet
from segue.review.changes import PictureChange
from segue.review.journal import ReviewJournal
from segue.review.originals import OriginalPicture
from segue.review.review import ChangeReceipt, Review
from segue.runs.sources.locations import PictureLocation
from segue.runtime.byte_cache import ByteCache
from segue.server.review.pictures import encode_thumbnail, open_picture
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.image.pixels import Limits
from segue.values.mask import Mask
from segue.values.region import Region
from segue.values.serialize import region_to_json

THUMBNAIL_BYTES = 32 * 2**20
"""Thumbnails that are kept."""
MAX_FILE_BYTES = 2**30
"""Larger files are not opened."""
DECODED_BYTES = 256 * 2**20
"""Decoded pictures that are kept for the next click."""


@dataclass(frozen=True, slots=True)
class RegionDraft:
    """A region as the page sends it: a mask, or a box where it has none."""

    id: str
    label: str
    mask: Mapping[str, Any] | None
    box: Sequence[float] | None


@dataclass(frozen=True, slots=True)
class ChangeDraft:
    """A change as the page sends it."""

    id: str
    base: int
    reviewer: str
    decision: Any = None
    regions: Sequence[RegionDraft] = ()
    deleted: Sequence[str] = ()
    resolves: Sequence[str] = ()


@dataclass
class ReviewService:
    """A review, and the pictures it is about."""

    review: Review
    name: str
    """Of the source, for people."""
    kind: str
    """What the source is, as "a run"."""
    files: Mapping[str, PictureFile]
    """By the picture's name, of those that were found."""
    limits: Limits
    """Bounds of pictures; their files may be larger than what requests may bring."""
    _thumbnails: ByteCache[tuple[int, int], bytes] = field(
        default_factory=lambda: ByteCache(THUMBNAIL_BYTES, size_of=len)
    )
    _decoded: ByteCache[int, Image] = field(
        default_factory=lambda: ByteCache(DECODED_BYTES, size_of=lambda image: image.array.nbytes)
    )

    @classmethod
    def of(
        cls, data: DataSet, journal: ReviewJournal, name: str, *, max_pixels: int = 100_000_000
    ) -> "ReviewService":
        """Take up the review of a data set.

        Args:
            data: as it was annotated.
            journal: its own, open for writing.
            name: of the source.
            max_pixels: larger pictures are not opened.
        """
        originals = [OriginalPicture.of(one.name, one.size, one.regions) for one in data.pictures]
        review = Review(originals, journal, data.classes)
        limits = Limits(max_pixels=max_pixels, max_bytes=MAX_FILE_BYTES)
        return cls(review, name, data.kind, data.files, limits)

    def source_of(self, index: int) -> Path | Image:
        """Return where the pixels of a picture are.

        Raises:
            InputError: its file was not found.
        """
        name = self.review.reviews[index].original.name
        source = self.files.get(name)
        if not isinstance(source, Path | Image | None):  # in a shard or in object storage
            return self._image_at(source)
        if source is None:
            raise InputError(
                f"The file of the picture {name!r} was not found. Start the review with --images "
                "FOLDER, naming the folder with the pictures."
            )
        return source

    def _image_at(self, location: PictureLocation) -> Image:
        try:
            content = location.read()
        except OSError as error:
            raise InputError(f"The picture {location.address} cannot be read: {error}") from error
        return Image.open(content, limits=self.limits)

    def thumbnail(self, index: int, side: int) -> bytes:
        """Return a small JPEG of a picture.

        Raises:
            InputError: the file is not there or does not open.
        """
        thumbnail = self._thumbnails.get((index, side))
        if thumbnail is None:
            thumbnail = encode_thumbnail(self.source_of(index), side, self.limits)
            self._thumbnails.put((index, side), thumbnail)
        return thumbnail

    def image(self, index: int) -> Image:
        """Return a picture for the segmenter.

        Raises:
            InputError: the file is not there, does not open, or is not as large as its annotation
                says.
        """
        image = self._decoded.get(index)
        if image is None:
            image = open_picture(self.source_of(index), self.limits)
            self._decoded.put(index, image)
        expected = self.review.reviews[index].original.size
        if image.size != expected:
            raise InputError(
                f"The file has {_size_text(image.size)} pixels, its annotation says "
                f"{_size_text(expected)}. Masks would not fit; put the right file there."
            )
        return image

    def submit(self, index: int, draft: ChangeDraft) -> ChangeReceipt:
        """Check a change from the page, write it to the journal and apply it.

        Raises:
            InputError: a region makes no sense, or the disk refuses; nothing has changed.
        """
        regions = [self._region_json(index, region) for region in draft.regions]
        ids = [region["id"] for region in regions]
        if len({*ids, *draft.deleted}) < len(ids) + len(draft.deleted):
            raise InputError("A change names each region once; one is named twice. Send it once.")
        change = PictureChange(
            id=draft.id,
            picture="",
            origin="",
            base=draft.base,
            reviewer=" ".join(draft.reviewer.split()),
            time="",
            decision=draft.decision,
            regions=regions,
            deleted=tuple(draft.deleted),
            resolves=tuple(draft.resolves),
        )
        return self.review.submit(index, change)

    def _region_json(self, index: int, draft: RegionDraft) -> dict[str, Any]:
        """Return a region for the journal.

        One whose mask is what it was keeps what the models said of it, but for what they said of
        another class.
        """
        review = self.review.reviews[index]
        label = " ".join(draft.label.split())
        for earlier in (review.original.regions.get(draft.id), review.regions.get(draft.id)):
            if earlier is not None and _has_shape(earlier, draft):
                if earlier["phrase"] == label:
                    return dict(earlier)
                kept_fields = {
                    name: value for name, value in earlier.items() if name not in _OF_CLASS
                }
                return {**kept_fields, "phrase": label, "score": None}
        size = review.original.size
        mask = None if draft.mask is None else Mask.from_rle(draft.mask, size=size)
        box = Box(*draft.box).clipped(size) if mask is None and draft.box is not None else None
        box = mask.box if mask is not None else box
        if box is None or box.is_empty:
            raise InputError(
                f"The region {draft.id!r} has no pixel in the picture. Draw it, or delete it."
            )
        return region_to_json(Region(draft.id, label, box, "user", mask=mask))


_OF_CLASS = frozenset({"score", "agreement", "verdict"})
"""What the models said of a region as one of its class."""


def _has_shape(known: Mapping[str, Any], draft: RegionDraft) -> bool:
    if draft.mask is not None:
        return known["mask"] is not None and known["mask"]["counts"] == draft.mask["counts"]
    return known["mask"] is None and list(known["box"]) == list(draft.box or ())


def _size_text(size: Size) -> str:
    return f"{size.width} x {size.height}"
