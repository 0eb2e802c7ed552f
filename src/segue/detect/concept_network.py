"""What detectors share that answer phrase by phrase, with masks and a presence score.

Features of pictures and phrases are kept by content, and so are presence scores: the verdict on a
phrase that was just searched for costs nothing.
"""

from typing import Any, Protocol

from torch import Tensor

from segue.detect.captions import normalize_phrase
from segue.detect.kept_features import DETECTOR_BYTES
from segue.runtime.byte_cache import ByteCache
from segue.runtime.prepared_inputs import PreparedInputs
from segue.values.image import Image

_PHRASES, _SCORES = 256, 4096
"""How many are kept."""


class ConceptOptions(Protocol):
    """The settings of a detector that are read here."""

    @property
    def presence_threshold(self) -> float:
        """A phrase whose presence score reaches this is in the picture."""


class ConceptNetwork:
    """The kept features and scores of such a detector, and the part of its protocol they serve."""

    def __init__(self, options: ConceptOptions, inputs: PreparedInputs[Any]) -> None:
        self._concept_options = options
        self._inputs = inputs
        self._features: ByteCache[str, tuple[Tensor, ...]] = ByteCache(
            DETECTOR_BYTES, size_of=lambda maps: sum(level.nbytes for level in maps)
        )
        self._phrases: ByteCache[str, Any] = ByteCache(0, size_of=lambda _: 0, max_entries=_PHRASES)
        self._presence_scores: ByteCache[tuple[str, str], float] = ByteCache(
            0, size_of=lambda _: 0, max_entries=_SCORES
        )

    @property
    def presence_threshold(self) -> float:
        """See `segue.detect.ConceptDetector.presence_threshold`."""
        return self._concept_options.presence_threshold

    def limit_memory(self, *, features: int) -> None:
        """Set how many bytes the features of pictures may hold that were searched before."""
        self._features.budget_bytes = features

    def memory_bytes(self) -> int:
        """Return how many bytes they hold now."""
        return self._features.size_bytes

    def prepare(self, image: Image) -> None:
        """Resize a picture ahead, in any thread. See `segue.detect.BatchDetector.prepare`."""
        self._inputs.prepare(image)

    def presence_score(self, image: Image, phrase: str) -> float:
        """See `segue.detect.ConceptDetector.presence_score`; 0 for a phrase without words."""
        if not (name := normalize_phrase(phrase)):
            return 0.0
        return self._presence_scores.get_or_compute(
            (image.digest, name), lambda: self._measure_presence(image, name)
        )

    def _measure_presence(self, image: Image, name: str) -> float:
        """Ask the network whether a cleaned phrase is in a picture."""
        raise NotImplementedError
