"""Detectors: a picture and phrases in, boxes out; some give masks with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from segue.deprecated import renamed_in
from segue.runtime.catalog import Catalog, Entry
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import Mask


@dataclass(frozen=True, slots=True)
class Detection:
    """One object that a detector found."""

    phrase: str
    """The phrase it answers: one of those asked for, as the caller wrote it."""
    box: Box
    """In pixels of the upright picture, clipped to it."""
    score: float
    """Confidence in [0, 1]."""
    mask: Mask | None = None
    """Its pixels at the size of the upright picture; None: the detector gives boxes only."""
    presence_score: float | None = None
    """The detector's own estimate that what the phrase names is in the picture at all, in [0, 1];
    None: it gives none."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A box that shows a detector what is meant."""

    box: Box
    """In pixels of the upright picture."""
    is_positive: bool = True
    """False: this is not what is meant."""


@runtime_checkable
class Detector(Protocol):
    """What every detector promises; tests/contracts/test_detector_contract.py holds them to it."""

    @property
    def name(self) -> str:
        """Nickname, hub id or folder it was loaded from."""

    def find(
        self,
        image: Image,
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[Detection]:
        """Find every instance of every phrase.

        Args:
            image: the upright picture.
            phrases: what to look for, in plain words; case and final dots do not matter.
            box_threshold: keep boxes scoring above this, in [0, 1]; None: the weights' own
                setting, 0.3 where they state none.
            text_threshold: a phrase counts as meant above this, in [0, 1]; None: the weights' own,
                else 0.25, and never above a `box_threshold` that is given.

        Returns:
            Grouped by phrase in the order given, best score first. Nothing found is an empty
            list, which is an answer.
        """


@runtime_checkable
class BatchDetector(Detector, Protocol):
    """A detector that is faster on several pictures together."""

    def prepare(self, image: Image) -> None:
        """Compute ahead, in any thread, what the network needs of a picture."""

    def find_many(
        self,
        images: Sequence[Image],
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[list[Detection]]:
        """Find the same phrases in several pictures; what is found in one is as from `find`."""


@runtime_checkable
class ConceptDetector(Detector, Protocol):
    """A detector that segments what it finds, and says whether a phrase is there at all.

    Each of its detections has a mask and a presence score, so no segmenter is asked about them.
    """

    @property
    def presence_threshold(self) -> float:
        """A phrase whose presence score reaches this is in the picture, in [0, 1]."""

    def presence_score(self, image: Image, phrase: str) -> float:
        """Estimate whether what a phrase names is in a picture at all, in [0, 1].

        It costs nothing where `find` was asked for the phrase before.
        """

    def find_like(
        self,
        image: Image,
        exemplars: Sequence[Exemplar],
        phrase: str = "",
        box_threshold: float | None = None,
    ) -> list[Detection]:
        """Find every instance of what boxes show.

        Args:
            image: the upright picture.
            exemplars: boxes on what is meant, and on what is not.
            phrase: what it is called; empty: the boxes alone say it.
            box_threshold: as for `find`.

        Returns:
            Best score first.

        Raises:
            InputError: there are none, or one does not lie in the picture.
        """


DETECTORS = Catalog(
    "detector",
    {
        "grounding_dino": Entry(
            "segue.detect.grounding_dino:load",
            "Grounding DINO and MM-Grounding-DINO",
            extra="models",
        ),
        "owlv2": Entry("segue.detect.owlv2:load", "OWLv2", extra="models"),
        "omdet_turbo": Entry(
            "segue.detect.omdet_turbo:load", "OmDet-Turbo, quick with many phrases", extra="models"
        ),
        "sam3": Entry(
            "segue.detect.sam3:load",
            "SAM 3: boxes and masks of every instance of a phrase",
            extra="models",
        ),
        "clipseg": Entry(
            "segue.detect.clipseg:load",
            "CLIPSeg: rough regions from a heat map, a fall-back",
            extra="models",
        ),
        "fixed": Entry("segue.detect.fixed:Fixed", "boxes from a table, for tests", stand_in=True),
    },
)

__getattr__ = renamed_in(__name__)
