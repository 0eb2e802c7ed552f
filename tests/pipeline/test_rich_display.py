"""Values show themselves: in a notebook as pictures, in a terminal in a line."""

import pickle

import numpy as np
import PIL.Image
import pytest

import segue
from segue.embedded.samples import sample
from segue.pipeline.answer import Answer
from segue.pipeline.regions import Regions
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Region


@pytest.fixture(scope="module")
def assistant():
    return segue.load("embedded")


@pytest.fixture
def image():
    return sample("airport").image


def test_an_answer_prints_its_words_and_shows_phrases_and_picture(assistant, image):
    conversation = assistant.open(image)
    answer = conversation.ask("框出图片中飞机的位置")
    assert str(answer) == answer.text
    assert len(repr(answer)) < 200
    page = answer._repr_html_()
    assert 'src="data:image/png;base64,' in page
    assert "background:rgb(230,159,0)" in page
    assert "飞机" in page
    whole = conversation._repr_html_()
    assert "框出图片中飞机的位置" in whole
    assert "1 turn, " in repr(conversation)
    assert "embedded" in repr(assistant)


def test_words_of_a_model_are_never_markup(image):
    region = Region("r1", "<b>dog</b>", Box(1, 2, 9, 9), "chat", span=(2, 12))
    answer = Answer("q", "a <b>dog</b> & <script>", "", (region,), (image,), ("<i>cat</i>",))
    page = answer._repr_html_()
    assert "<script>" not in page
    assert "<b>dog" not in page
    assert "<i>cat" not in page
    assert "&lt;b&gt;dog&lt;/b&gt;" in page


def test_regions_know_their_picture_and_what_is_missing(assistant, image, tmp_path):
    regions = assistant.segment(image, ["airplane", "unicorn"])
    assert isinstance(regions, tuple)
    assert regions.not_found == ("unicorn",)
    assert regions.draw().size == (image.size.width, image.size.height)
    regions.save(tmp_path / "out.png")
    assert segue.Image.open(tmp_path / "out.png").size == image.size
    written = regions.to_json()
    assert written["not_found"] == ["unicorn"]
    assert written["size"] == list(image.size)
    assert [row["phrase"] for row in written["regions"]] == ["airplane"] * len(regions)
    assert "unicorn" in regions._repr_html_()
    assert "unicorn" in repr(regions)
    first = regions[:1]
    assert isinstance(first, Regions)
    assert first.image is image
    assert pickle.loads(pickle.dumps(regions)) == regions


def test_pictures_masks_and_boxes_are_arrays_to_others(image):
    assert np.array_equal(np.asarray(image), image.array)
    assert PIL.Image.fromarray(np.asarray(image)).size == (image.size.width, image.size.height)
    mask = Mask(np.eye(5, dtype=bool))
    assert mask.shape == (5, 5)
    assert np.array_equal(np.asarray(mask.to_pil()) > 0, mask.array)
    assert PIL.Image.fromarray(np.asarray(mask)).size == (5, 5)
    box = Box(1, 2, 5, 4)
    x0, y0, x1, y1 = box
    assert (x0, y0, x1, y1) == box.xyxy == box.corners
    assert box.xywh == (1, 2, 4, 2)
    assert np.asarray(box).tolist() == [1, 2, 5, 4]
    assert np.array([box, box]).shape == (2, 4)


def test_pictures_in_a_notebook_are_small_files(image):
    for content in (image._repr_png_(), Mask(np.ones((900, 1200), bool))._repr_png_()):
        assert content.startswith(b"\x89PNG")
        assert len(content) < 700_000
    region = Region("r1", "dog", Box(1, 2, 9, 9), "chat")
    assert region._repr_png_() is None
    assert repr(region) == "<Region r1 'dog' at (1, 2, 9, 9), no mask>"
    assert Image(image.array)._repr_png_() == image._repr_png_()
