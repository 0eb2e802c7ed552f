import numpy as np
import pytest

from builders import a_mask, a_region, an_answer, an_image
from segue.draw import draw_regions, line_width
from segue.draw.label import Label, draw_labels
from segue.draw.lettering import SHIPPED, best_path, font_for
from segue.draw.palette import OKABE_ITO, contrast_colour, luminance, palette, shade
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

SIZE = Size(240, 320)


def plain(value: int, size: Size = SIZE) -> Image:
    return Image(np.full((*size, 3), value, np.uint8))


def changed(image: Image, regions, **options) -> np.ndarray:
    return (np.asarray(draw_regions(image, regions, **options)) != image.array).any(2)


def test_the_result_is_a_copy_of_the_same_size():
    image = an_image()
    drawn = draw_regions(image, [a_region()])
    assert (drawn.mode, drawn.size) == ("RGB", (64, 48))
    assert image == an_image()
    assert not changed(image, []).any()


def test_a_fill_covers_the_mask_and_only_the_outline_goes_beyond():
    box = Box(100, 60, 220, 180)
    region = a_region(box=box, mask=a_mask(box, SIZE))
    touched = changed(plain(128), [region], boxes=False, labels=False)
    assert touched[region.mask.array].all()
    margin = 2 * line_width(SIZE) + 3
    near = Box(box.x0 - margin, box.y0 - margin, box.x1 + margin, box.y1 + margin)
    assert not (touched & ~Mask.from_box(near, SIZE).array).any()


def test_alpha_zero_leaves_the_inside_and_alpha_one_hides_it():
    box = Box(100, 60, 220, 180)
    regions = [a_region(box=box, mask=a_mask(box, SIZE))]
    for alpha, expected in [(0.0, (128, 128, 128)), (1.0, OKABE_ITO[0])]:
        drawn = draw_regions(plain(128), regions, alpha=alpha, boxes=False, labels=False)
        assert drawn.getpixel((160, 120)) == expected
    with pytest.raises(InputError, match="alpha"):
        draw_regions(plain(128), regions, alpha=1.2)


def test_parts_can_be_left_out():
    region = a_region(box=Box(100, 60, 220, 180), masked=False)
    assert not changed(plain(128), [region], boxes=False, labels=False).any()
    boxed = changed(plain(128), [region], labels=False)
    assert boxed[60, 100:220].all()
    assert not boxed[100, 160]
    assert changed(plain(128), [region]).sum() > boxed.sum()


@pytest.mark.parametrize("value", [0, 60, 128, 200, 255])
def test_lines_and_text_contrast_with_any_background(value):
    regions = [
        a_region(f"r{n}", phrase, Box(20 + 60 * n, 90, 60 + 60 * n, 140), masked=False)
        for n, phrase in enumerate(["cat", "dog", "猫", "cup", "bus"])
    ]
    drawn = np.asarray(draw_regions(plain(value), regions))
    light = np.array([luminance(tuple(p)) for p in drawn[115, ::1]])  # a row across all boxes
    ground = luminance((value,) * 3)
    contrast = (np.maximum(light, ground) + 0.05) / (np.minimum(light, ground) + 0.05)
    for n in range(5):
        assert contrast[16 + 60 * n : 26 + 60 * n].max() > 2.5


@pytest.mark.parametrize("size", [Size(192, 192), Size(480, 640), Size(60, 400), Size(400, 60)])
def test_labels_lie_inside_the_picture_and_apart(size):
    picture = plain(128, size).to_pil()
    rng = np.random.default_rng(0)
    labels = []
    for n in range(5):
        x, y = rng.uniform(0, size.width - 8), rng.uniform(0, size.height - 8)
        box = Box(x, y, x + 8, y + 8)
        text = ["a long phrase of many words " * 4, "飞机"][n % 2]
        labels.append(Label(text, " 1", box, (0, 0, 0)))
    chips = draw_labels(picture, labels)
    assert len(chips) == 5
    for n, chip in enumerate(chips):
        assert 0 <= chip.x0 <= chip.x1 <= size.width
        assert 0 <= chip.y0 <= chip.y1 <= size.height
        if min(size) > 100:
            assert all(chip.iou(other) == 0 for other in chips[:n])


def test_a_picture_too_small_for_letters_gets_none():
    label = Label("x", "", Box(0, 0, 4, 4), (9, 9, 9))
    assert draw_labels(plain(0, Size(8, 8)).to_pil(), [label]) == []
    assert draw_regions(plain(0, Size(1, 1)), [a_region(masked=False)]).size == (1, 1)


@pytest.mark.parametrize(
    "region",
    [
        a_region(phrase=""),
        a_region(phrase="line\nbreak\x00 \u202e"),
        a_region(phrase="x" * 5000),
        a_region(box=Box(-50, -50, 500, 500)),
        a_region(box=Box(64, 48, 64, 48), masked=False),
        a_region(mask=Mask.empty(Size(48, 64))),
        a_region(quad=((5, 5), (30, 9), (28, 20), (4, 16)), masked=False),
    ],
)
def test_odd_regions_are_drawn_without_complaint(region):
    assert draw_regions(an_image(), [region]).size == (64, 48)


def test_a_mask_of_another_picture_is_refused():
    with pytest.raises(InputError, match="r1"):
        draw_regions(an_image(Size(10, 10)), [a_region()])


def test_an_answer_draws_itself():
    assert an_answer().draw().size == (64, 48)
    assert an_answer(regions=[]).draw(0).size == (64, 48)


def test_one_phrase_has_one_colour_and_kinds_differ():
    colours = palette(["cat", "dog", "Cat ", *map(str, range(20))])
    assert colours["cat"] == colours["Cat "] != colours["dog"]
    assert len(set(colours.values())) == 22
    assert len({shade(OKABE_ITO[0], n) for n in range(5)}) == 5


def test_text_on_every_palette_colour_is_readable():
    for colour in [shade(base, n) for base in OKABE_ITO for n in range(5)]:
        lights = sorted([luminance(colour), luminance(contrast_colour(colour))])
        assert (lights[1] + 0.05) / (lights[0] + 0.05) > 4.2


def test_the_shipped_font_writes_chinese_and_european_scripts():
    assert best_path(frozenset("这是什么？框出图片中飞机的位置 airplane Ωж é かナ")) == SHIPPED
    assert font_for("飞机", 20).getlength("飞机") == pytest.approx(40, abs=2)
    assert (SHIPPED.parent / "OFL.txt").exists()
    assert SHIPPED.stat().st_size < 1_500_000
