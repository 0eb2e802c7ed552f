"""A session file states sizes; they are counted before anything is decoded."""

import json
import tracemalloc

import numpy as np
import pytest

from segue.assistant import Assistant
from segue.assistant.replay import replay
from segue.chat.scripted import Scripted
from segue.conversation.session.bounds import SessionLimits
from segue.conversation.session.read import resume
from segue.detect.fixed import Fixed
from segue.errors import InputError
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.image import Image

REPLY = "<gsam>dog</gsam>"
SIDE = 400


def an_assistant() -> Assistant:
    return Assistant(Scripted([REPLY] * 3), Fixed({"dog": [Box(10, 10, 300, 300)]}), BoxFill())


def pictures(count: int) -> list[Image]:
    rng = np.random.default_rng(3)
    return [Image(rng.integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)) for _ in range(count)]


@pytest.fixture
def folder(tmp_path):
    conversation = an_assistant().open(*pictures(3))
    conversation.ask("segment the dog")
    return conversation.save(tmp_path)


def changed(folder, change) -> None:
    file = folder / "session.json"
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def claim(document, size, counts) -> None:
    document["regions"][0]["mask"] = {"size": size, "counts": counts}


def in_step(document) -> None:
    document["history"]["regions"][0]["mask"] = {"size": [9000, 9000], "counts": [0, 81_000_000]}


def in_later_turn(document) -> None:
    turn = json.loads(json.dumps(document["turns"][0]))
    turn["regions"][0]["mask"] = {"size": [9000, 9000], "counts": [0, 81_000_000]}
    document["history"]["later"] = [turn]


@pytest.mark.parametrize("opening", [resume, replay])
@pytest.mark.parametrize(
    "change",
    [
        lambda document: claim(document, [9000, 9000], [0, 81_000_000]),
        lambda document: claim(document, [100_000, 100_000], [0, 10**10]),
        lambda document: claim(document, [1, SIDE * SIDE], [0, SIDE * SIDE]),
        in_step,
        in_later_turn,
    ],
    ids=["larger", "much larger", "another shape", "in a step", "in a turn taken back"],
)
def test_a_mask_is_compared_with_its_picture_before_it_is_decoded(folder, change, opening):
    assistant = an_assistant()
    opening(folder, assistant)  # what is imported at first is not counted
    changed(folder, change)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="must be that of its picture"):
            opening(folder, assistant)
        assert tracemalloc.get_traced_memory()[1] < 12 * 3 * SIDE**2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        ({"max_images": 2}, "names 3 pictures"),
        ({"max_pixels": 3 * SIDE**2 - 1}, "more than 479999 pixels together"),
        ({"max_mask_bytes": SIDE**2 - 1}, "masks of the session take more than 159999 bytes"),
        ({"max_file_bytes": 100}, "bytes, more than the limit of 100"),
    ],
)
def test_what_a_session_holds_is_bounded_together(folder, limits, complaint):
    with pytest.raises(InputError, match=complaint):
        resume(folder, an_assistant(), SessionLimits(**limits))


def test_exactly_as_much_as_allowed_is_read(folder):
    limits = SessionLimits(max_images=3, max_pixels=3 * SIDE**2, max_mask_bytes=SIDE**2)
    again = resume(folder, an_assistant(), limits)
    assert len(again.images) == 3
    # The mask stands in the turn, in the present and in the history; it is one object.
    assert again.answers[0].regions[0] is again.regions[0]


@pytest.mark.parametrize(
    "content",
    ["[" * 200_000, '{"format": 2, "images": [' + "[" * 100_000, '{"format": ' + "9" * 5000 + "}"],
    ids=["lists", "lists inside", "a number without end"],
)
def test_what_python_cannot_read_is_an_input_error(folder, content):
    (folder / "session.json").write_text(content)
    with pytest.raises(InputError):
        resume(folder, an_assistant())


def test_a_number_beyond_floats_is_an_input_error(folder):
    changed(folder, lambda document: document["regions"][0].update(score=10**400))
    with pytest.raises(InputError):
        resume(folder, an_assistant())


def test_half_a_character_comes_back_as_it_was(tmp_path):
    conversation = an_assistant().open(*pictures(1))
    conversation.ask("what is \ud800?")
    again = resume(conversation.save(tmp_path / "other"), an_assistant())
    assert again.answers[0].question == "what is \ud800?"
