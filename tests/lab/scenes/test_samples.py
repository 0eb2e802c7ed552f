"""The compositions of the sample scenes, and what was written of them into the package."""

from PIL import Image

from lab.scenes.backgrounds import NAMES
from lab.scenes.samples import COMPOSITIONS
from lab.scenes.vocabulary import by_name
from segue.embedded.samples import samples


def test_every_composition_is_bundled_with_its_truth() -> None:
    assert [sample.name for sample in samples()] == [c.name for c in COMPOSITIONS]
    for sample, composition in zip(samples(), COMPOSITIONS, strict=True):
        assert len(sample.objects) == len(composition.items)
        assert sample.background in NAMES
        with Image.open(sample.file) as picture:
            assert picture.size == (640, 480)


def test_the_names_of_the_objects_are_those_of_the_vocabulary() -> None:
    for sample in samples():
        for item in sample.objects:
            assert by_name()[item.english].chinese == item.chinese


def test_samples_are_drawn_in_shippable_styles_only() -> None:
    assert {i.style for c in COMPOSITIONS for i in c.items} <= {"noto", "fluent-flat", "fluent"}
