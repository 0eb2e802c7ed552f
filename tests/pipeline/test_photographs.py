"""One sentence where the bundled models are asked about a photograph."""

import io
import warnings

import numpy as np
import PIL.Image
import pytest

import segue
from builders import an_image, like_a_photograph
from segue.detect.fixed import Fixed
from segue.embedded.samples import samples
from segue.pipeline.photographs import PhotographWarning, photograph_notice
from segue.segment.box_fill import BoxFill
from segue.values.image import Image
from segue.values.image.photograph import is_photograph, photograph_probability


@pytest.fixture(scope="module")
def assistant():
    return segue.load("embedded", route="auto")


@pytest.mark.parametrize("scene", samples(), ids=lambda scene: scene.name)
@pytest.mark.parametrize("form", ["png", "jpeg", "small"])
def test_the_samples_are_drawn_whatever_happened_to_the_file(scene, form):
    picture = scene.image.to_pil()
    if form == "small":
        picture = picture.resize((480, 360), PIL.Image.Resampling.LANCZOS)
    if form == "jpeg":
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        picture = PIL.Image.open(buffer)
    assert not is_photograph(Image.open(picture))


@pytest.mark.parametrize("seed", range(5))
def test_texture_and_noise_everywhere_are_a_photograph(seed):
    assert is_photograph(Image.open(like_a_photograph(seed)))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (9, 9)])
def test_odd_sizes_are_measured(size):
    assert 0 <= photograph_probability(np.zeros((*size, 3), np.uint8)) <= 1


def test_it_is_said_once_for_each_picture(assistant):
    picture = Image.open(like_a_photograph())
    conversation = assistant.open(picture)
    with pytest.warns(PhotographWarning, match="qwen3-vl-2b"):
        first = conversation.ask("What is in the picture?")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = conversation.ask("What is in the picture?")
    assert "looks like a photograph" in first.notices[0]
    assert second.notices == ()


def test_masks_without_a_question_warn_too(assistant):
    with pytest.warns(PhotographWarning, match="drawn scenes only"):
        assistant.segment(like_a_photograph(), boxes=[(10, 10, 90, 90)])


def test_nothing_is_said_of_drawn_scenes_or_of_other_models(assistant):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assistant.segment(samples()[0].image, phrases="airplane")
        other = segue.Assistant(None, Fixed({"dog": [(1, 1, 9, 9)]}), BoxFill())
        other.segment(like_a_photograph(), phrases="dog")
    assert photograph_notice((None, None), an_image()) is None
