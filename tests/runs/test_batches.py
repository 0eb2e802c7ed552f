"""Pictures that the models are given together: the results are those of each alone."""

import numpy as np
import pytest

import segue
from builders import an_image
from segue.detect import BatchDetector
from segue.detect.fixed import Fixed
from segue.embedded.samples import samples
from segue.errors import ModelError
from segue.runs.annotator import Annotator
from segue.runs.engine import LocalEngine
from segue.runs.settings import RunSettings, parse_classes
from segue.runs.sources import find_pictures
from segue.segment.box_fill import BoxFill

SETTINGS = RunSettings(classes=parse_classes("dog, sheep, airplane, cup:0.4"), negatives=("tree",))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Sample scenes, and crops of them of another size."""
    folder = tmp_path_factory.mktemp("in")
    for scene in samples():
        image = segue.Image.open(scene.image)
        (folder / f"{scene.name}.png").write_bytes(image.to_png_bytes())
        crop = segue.Image(image.array[:400, 100:600])
        (folder / f"{scene.name} crop.png").write_bytes(crop.to_png_bytes())
    return find_pictures([folder])


def results(pictures, batch_size):
    assistant = segue.load("embedded", chat=None)
    engine = LocalEngine(assistant, batch_size=batch_size)
    return {result.name: result for result in engine.run(pictures, SETTINGS, {})}


@pytest.mark.xdist_group("batches")
def test_results_depend_neither_on_batch_size_nor_on_order(pictures):
    alone = results(pictures, 1)
    assert sum(len(result.regions) for result in alone.values()) >= len(pictures)
    for batch_size, order in ((3, pictures), (None, pictures), (16, pictures[::-1])):
        together = results(order, batch_size)
        assert together.keys() == alone.keys()
        for name, expected in alone.items():
            found = together[name]
            assert (found.size, found.not_found, found.notices) == (
                expected.size, expected.not_found, expected.notices,
            )  # fmt: skip
            assert [r.phrase for r in found.regions] == [r.phrase for r in expected.regions]
            for region, other in zip(found.regions, expected.regions, strict=True):
                assert region.score == pytest.approx(other.score, abs=1e-5)
                assert np.allclose(region.box.corners, other.box.corners, atol=1e-2)
                assert region.mask.iou(other.mask) > 0.999


class Crowded(Fixed):
    """A detector whose memory holds two pictures, and that fails on one of them altogether."""

    def __init__(self, bad_name: str = "") -> None:
        super().__init__({"dog": [[8, 6, 24, 18, 0.9]]})
        self.sizes, self.bad_name = [], bad_name

    def prepare(self, image):
        raise ValueError("nothing can be prepared")

    def find(self, image, *arguments, **options):
        if image.name == self.bad_name:
            raise ModelError("the card is gone")
        return super().find(image, *arguments, **options)

    def find_many(self, images, phrases, *thresholds):
        self.sizes.append(len(images))
        if len(images) > 2:
            raise RuntimeError("out of memory")
        return [self.find(image, phrases, *thresholds) for image in images]


@pytest.fixture
def six_pictures(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(an_image(seed=number).to_png_bytes())
    return find_pictures([tmp_path])


def engine_of(detector):
    return LocalEngine(segue.Assistant(None, detector, BoxFill()), batch_size=6)


def test_a_batch_that_is_too_large_is_halved(six_pictures):
    detector = Crowded()
    assert isinstance(detector, BatchDetector)
    settings = RunSettings(classes=parse_classes("dog"))
    found = list(engine_of(detector).run(six_pictures, settings, {}))
    assert [len(result.regions) for result in found] == [1] * 6
    assert detector.sizes == [6, 3, 2, 3, 2]


def test_what_was_found_before_a_failure_is_given_first(six_pictures):
    settings = RunSettings(classes=parse_classes("dog"))
    names = []
    results = engine_of(Crowded("3.png")).run(six_pictures, settings, {})
    with pytest.raises(ModelError, match="the card is gone"):
        names.extend(result.name for result in results)
    assert names == ["0.png", "1.png", "2.png"]


def test_the_detector_is_asked_once_for_each_threshold():
    annotator = Annotator(segue.Assistant(None, Crowded(), None), SETTINGS)
    assert annotator._queries() == [
        (("tree",), None), (("dog", "sheep", "airplane"), None), (("cup",), 0.4),
    ]  # fmt: skip
