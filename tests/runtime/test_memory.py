"""One budget for all that is remembered, and nothing that is remembered outside of it."""

import numpy as np
import pytest

import segue
from segue.assistant import Assistant
from segue.detect.fixed import Fixed
from segue.embedded.samples import sample
from segue.errors import InputError
from segue.runtime.device import free_memory_bytes
from segue.runtime.memory import LEAST_BYTES, MOST_BY_DEFAULT_BYTES, MemoryBudget
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.image import Image


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 * 2**30), ("500 MB", 500_000_000), ("1.5g", 1_500_000_000),
     ("70000000", 70_000_000), ("256mib", 256 * 2**20)],
)  # fmt: skip
def test_sizes_are_read(text, size):
    assert MemoryBudget.parse(text).total == size


@pytest.mark.parametrize("text", ["", "2 GiB more", "-1GiB", "1e9", "GiB", "2TiB", "9" * 50 + "x"])
def test_other_sizes_are_refused(text):
    with pytest.raises(InputError, match="must be a size like '2GiB'"):
        MemoryBudget.parse(text)


def test_too_little_is_refused():
    with pytest.raises(InputError, match="at least 64 MiB, got 1000 bytes"):
        MemoryBudget.parse("1k")


def test_the_parts_are_the_whole_and_the_default_leaves_room():
    budget = MemoryBudget(1_000_000_000)
    assert sum(budget.parts.values()) == budget.total
    assert LEAST_BYTES <= MemoryBudget.of_machine().total <= MOST_BY_DEFAULT_BYTES
    assert MemoryBudget.of_machine().total <= max(LEAST_BYTES, free_memory_bytes() / 3)


def test_a_budget_reaches_every_stage():
    assistant = segue.load("embedded", memory="100MB")
    writer = assistant.chat._writer
    parts = MemoryBudget(100_000_000).parts
    assert assistant.grounder.views.budget_bytes == parts["views"]
    assert writer.features.budget_bytes == parts["features"]
    assert writer.sequences.limit_bytes == parts["sequences"]
    detector = assistant.detector
    detector.find(sample("airport").image, ["airplane"])
    assert 0 < detector.memory_bytes() == assistant.memory_bytes()["detector"]
    detector.limit_memory(features=1)
    detector.find(sample("beach").image, ["car"])
    one_picture = detector.memory_bytes()
    detector.find(sample("table").image, ["cup"])
    assert detector.memory_bytes() == one_picture
    with pytest.raises(InputError, match="must be a size"):
        segue.load("embedded", memory="much")
    assert Assistant(None, Fixed({}), BoxFill()).memory_bytes() == {
        "views": 0, "features": 0, "sequences": 0, "detector": 0
    }  # fmt: skip


def test_many_pictures_stay_within_the_budget():
    """Each is new, so everything about it is remembered for as long as there is room."""
    assistant = segue.load("embedded")
    assistant.limit_memory(MemoryBudget(LEAST_BYTES))
    scene = np.asarray(sample("airport").image.array)[::2, ::2]
    most = dict.fromkeys(assistant.memory_bytes(), 0)
    for number in range(40):
        changed = scene.copy()
        changed[0, 0] = number
        image = Image(changed)
        assistant.open(image).ask("框出图片中飞机的位置")
        assistant.segment(image, boxes=[Box(20, 20, 200, 100)])
        assistant.segment(image, "airplane")
        most = {name: max(size, most[name]) for name, size in assistant.memory_bytes().items()}
    parts = MemoryBudget(LEAST_BYTES).parts
    assert all(0 < size <= parts[name] for name, size in most.items())
    assert most["sequences"] > parts["sequences"] / 2  # it was full, and still is used
