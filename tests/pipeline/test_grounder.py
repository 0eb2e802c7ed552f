"""An exchanged stage answers itself: caches are keyed by the stage that computed them."""

import numpy as np
import pytest

from segue import Box, InputError
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.embedded.samples import samples
from segue.pipeline.grounder import Grounder
from segue.segment.box_fill import BoxFill
from segue.values.image import Image

PICTURE = samples()[0].file
SMALL, LARGE = Box(0, 0, 10, 10), Box(0, 0, 50, 50)


class TopLeft(BoxFill):
    """A segmenter whose masks are the top left pixel, and which counts the pictures it encodes."""

    def __init__(self):
        super().__init__()
        self.n_encoded = 0

    def look(self, image):
        self.n_encoded += 1
        view = super().look(image)

        class View:
            size_bytes = 8

            def mask(self, boxes=None, points=None, labels=None, prior=None):
                masks = view.mask(boxes, points, labels, prior)
                pixel = np.zeros(image.size, bool)
                pixel[0, 0] = True
                return [type(masks[0])(pixel) for _ in masks]

        return View()


def test_an_exchanged_detector_is_asked_again():
    assistant = Assistant(None, Fixed({"dog": [SMALL]}), None)
    assert [region.box for region in assistant.segment(PICTURE, "dog")] == [SMALL]
    assistant.detector = Fixed({"dog": [LARGE]})
    assert [region.box for region in assistant.segment(PICTURE, "dog")] == [LARGE]


def test_an_exchanged_segmenter_encodes_the_picture_again():
    assistant = Assistant(None, Fixed({"dog": [LARGE]}), TopLeft())
    assert assistant.segment(PICTURE, "dog")[0].mask.area == 1
    assistant.segmenter = BoxFill()
    assert assistant.segment(PICTURE, "dog")[0].mask.area == 2500


def test_a_conversation_that_is_open_uses_the_exchanged_stages():
    assistant = Assistant(Scripted(["<gsam>dog</gsam>"] * 2), Fixed({"dog": [SMALL]}), TopLeft())
    conversation = assistant.open(PICTURE)
    assert conversation.ask("the dog?").regions[0].mask.area == 1
    assistant.detector, assistant.segmenter = Fixed({"dog": [LARGE]}), BoxFill()
    (region,) = conversation.ask("the dog?").regions
    assert (region.box, region.mask.area) == (LARGE, 2500)
    assert conversation.add_region(box=SMALL).mask.area == 100


def test_going_back_to_an_earlier_stage_costs_nothing():
    first, grounder = TopLeft(), Grounder()
    image = Image.open(PICTURE)
    for segmenter in (first, BoxFill(), first):
        grounder.segmenter = segmenter
        grounder.view(image)
    assert first.n_encoded == 1


def test_other_thresholds_are_another_question():
    class Counting(Fixed):
        n_asked = 0

        def find(self, *arguments):
            self.n_asked += 1
            return super().find(*arguments)

    detector = Counting({"dog": [SMALL]})
    grounder = Grounder(detector)
    image = Image.open(PICTURE)
    for threshold in (None, 0.3, None, 0.3):
        grounder.box_threshold = threshold
        grounder.detect(image, ["dog"])
    assert detector.n_asked == 2


@pytest.mark.parametrize(
    "boxes",
    [
        [LARGE],
        [(0, 0, 50, 50)],
        [[0.0, 0.0, 50.0, 50.0]],
        np.array([[0, 0, 50, 50]]),
        np.array([[0, 0, 50, 50]], np.float32),
    ],
    ids=["Box", "tuple", "list", "int array", "float array"],
)
def test_boxes_may_be_tuples_and_arrays(boxes):
    (region,) = Assistant(None, None, BoxFill()).segment(PICTURE, boxes=boxes)
    assert region.box == LARGE
    assert region.mask.area == 2500
    assert region.found_by == "user"


@pytest.mark.parametrize("points", [[(3, 4)], [[3, 4]], np.array([[3, 4]]), [[(3, 4)]]])
def test_points_may_be_nested_and_arrays(points):
    (region,) = Assistant(None, None, BoxFill()).segment(PICTURE, points=points)
    assert region.mask is not None


@pytest.mark.parametrize("box", [(1, 2, 3), "abcd", (1, 2, 3, "x"), 7, (5, 5, 1, 1)], ids=repr)
def test_what_is_no_box_is_refused(box):
    with pytest.raises(InputError, match="ox"):
        Assistant(None, None, BoxFill()).segment(PICTURE, boxes=[box])


def test_nothing_to_segment_is_refused():
    for empty in ([], np.zeros((0, 4)), None):
        with pytest.raises(InputError, match="Nothing to segment"):
            Assistant(None, None, BoxFill()).segment(PICTURE, boxes=empty)
