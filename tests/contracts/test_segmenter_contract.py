"""What every segmenter promises. A new line in SEGMENTERS is tested here without a new test.

So is the segmenter that docs/add-a-model.md builds.
"""

from pathlib import Path

import numpy as np
import pytest

from documented_code import code_blocks
from segue.errors import InputError, ModelError
from segue.runtime.weights import locate
from segue.segment import SEGMENTERS, Segmenter
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask
from tiny_models import tiny_edgetam, tiny_sam, tiny_sam2, tiny_sam3, tiny_sam_hq
from workers import one_worker_each

TINY = {
    "sam": tiny_sam,
    "sam_hq": tiny_sam_hq,
    "sam2": tiny_sam2,
    "edgetam": tiny_edgetam,
    "sam3": tiny_sam3,
}
BUNDLED, ZOOMED = "sam on board", "sam with a closer look"
OPENVINO = "sam by openvino"
DOCUMENTED = "the one of the documentation"
PAGE = Path(__file__).parents[2] / "docs" / "add-a-model.md"
SIZES = [Size(48, 64), Size(1, 300), Size(300, 1), Size(333, 77), Size(3, 3)]
BOX = Box(8, 4, 40, 36)


@pytest.fixture(
    scope="module",
    params=one_worker_each("segmenter", [*SEGMENTERS, ZOOMED, BUNDLED, OPENVINO, DOCUMENTED]),
)
def segmenter(request, tmp_path_factory):
    name = request.param
    if name == BUNDLED:
        try:
            return SEGMENTERS.load("sam", locate("embedded/segmenter"), device="cpu")
        except ModelError:
            pytest.skip("no weights on board")
    if name == ZOOMED:
        folder = tiny_sam(tmp_path_factory.mktemp("zoomed"), zoom=1.5, clip_to_box=True)
        return SEGMENTERS.load("sam", folder, device="cpu")
    if name == OPENVINO:
        pytest.importorskip("openvino")
        folder = tiny_sam(tmp_path_factory.mktemp("openvino"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SEGUE_CACHE", str(tmp_path_factory.mktemp("cache")))
            return SEGMENTERS.load("sam", folder, device="cpu", engine="openvino")
    if name == DOCUMENTED:
        names: dict[str, type] = {"__name__": PAGE.stem}
        exec(code_blocks(PAGE, "python")[0][1], names)
        return names["Flood"]()
    if SEGMENTERS[name].stand_in:
        return SEGMENTERS.load(name)
    assert name in TINY, f"write a tiny model for the contract of {name!r}"
    return SEGMENTERS.load(name, TINY[name](tmp_path_factory.mktemp(name)), device="cpu")


def a_picture(size=SIZES[0], seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)
    return Image.open(pixels)


def alike(one: Mask, other: Mask) -> bool:
    """Equal but for rounding in the last place."""
    return (one.array != other.array).mean() < 0.002 and abs(one.score - other.score) < 1e-3


def test_it_has_a_name_and_looks(segmenter):
    assert isinstance(segmenter, Segmenter)
    assert segmenter.name


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_masks_are_bool_at_the_size_of_the_picture(segmenter, size):
    view = segmenter.look(a_picture(size))
    middle = (size.width / 2, size.height / 2)
    for asked in ({"boxes": [Box.whole(size)]}, {"points": [middle]}):
        (mask,) = view.mask(**asked)
        assert mask.array.dtype == bool
        assert mask.size == size
        assert 0 <= mask.score <= 1
        assert mask.logits.dtype == np.float32
        assert mask.logits.ndim == 2
    assert view.size_bytes > 0


def test_many_boxes_in_one_call_equal_single_calls(segmenter):
    view = segmenter.look(a_picture())
    boxes = [BOX, Box(0, 0, 64, 48), Box(30, 20, 31, 40), Box(50, 30, 90, 60)]
    together = view.mask(boxes=boxes)
    assert len(together) == 4
    assert all(alike(mask, view.mask(boxes=[box])[0]) for mask, box in zip(together, boxes))


def test_asking_again_and_looking_again_change_nothing(segmenter):
    view, again = segmenter.look(a_picture()), segmenter.look(a_picture())
    first = view.mask(boxes=[BOX])[0]
    view.mask(points=[(5, 5)])
    assert np.array_equal(first.array, view.mask(boxes=[BOX])[0].array)
    assert alike(first, again.mask(boxes=[BOX])[0])


def test_looking_at_another_picture_leaves_a_view_alone(segmenter):
    view = segmenter.look(a_picture())
    before = view.mask(boxes=[BOX])[0]
    segmenter.look(a_picture(seed=1)).mask(boxes=[BOX])
    assert np.array_equal(before.array, view.mask(boxes=[BOX])[0].array)


def test_boxes_with_points_describe_the_same_objects(segmenter):
    view = segmenter.look(a_picture())
    masks = view.mask(boxes=[BOX, BOX], points=[[(20, 20)], [(10, 10)]], labels=[[1], [0]])
    assert len(masks) == 2


def test_no_boxes_give_no_masks(segmenter):
    assert segmenter.look(a_picture()).mask(boxes=[]) == []


def test_a_box_without_area_gives_an_empty_mask(segmenter):
    view = segmenter.look(a_picture())
    flat, whole, edge = view.mask(boxes=[Box(5, 5, 5, 30), BOX, Box(64, 0, 64, 48)])
    assert flat.is_empty
    assert edge.is_empty
    assert flat.score == 0
    assert flat.logits.shape == whole.logits.shape
    assert alike(whole, view.mask(boxes=[BOX])[0])


def test_a_box_is_clipped_to_the_picture(segmenter):
    view = segmenter.look(a_picture())
    (over,), (cut,) = view.mask([Box(-50, -9, 40, 36)]), view.mask([Box(0, 0, 40, 36)])
    assert alike(over, cut)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"boxes": [Box(100, 0, 120, 20)]},
        {"points": [(5, 99)]},
        {"points": [(5, 5)], "labels": [1, 1]},
        {"boxes": [BOX, BOX], "points": [(5, 5)]},
    ],
    ids=["nothing", "box outside", "point outside", "labels", "counts"],
)
def test_what_makes_no_sense_is_refused(segmenter, asked):
    with pytest.raises(InputError):
        segmenter.look(a_picture()).mask(**asked)


def test_an_earlier_mask_can_be_refined(segmenter):
    view = segmenter.look(a_picture())
    (first,) = view.mask(points=[(20, 20)])
    (second,) = view.mask(points=[(20, 20), (40, 30)], labels=[1, 0], prior=first.logits)
    assert second.size == first.size
    with pytest.raises(InputError, match="single object"):
        view.mask(boxes=[BOX, BOX], prior=first.logits)


def test_a_flipped_picture_gives_flipped_boxes():
    """Exact for the stand-in only: a trained network is not symmetric."""
    size = Size(40, 60)
    view = SEGMENTERS.load("box_fill").look(a_picture(size))
    box = Box(3, 4, 17, 30)
    mirrored = Box(size.width - box.x1, box.y0, size.width - box.x0, box.y1)
    (mask,), (flipped,) = view.mask([box]), view.mask([mirrored])
    assert np.array_equal(mask.array[:, ::-1], flipped.array)
