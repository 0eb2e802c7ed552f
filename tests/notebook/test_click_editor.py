"""Clicks on a picture become regions; the page's messages are plain values."""

import io
import json

import numpy as np
import PIL.Image
import pytest

from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.conversation import Conversation
from segue.errors import InputError
from segue.notebook import ClickEditor, click_widget
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.image import Image

PICTURE = Image(np.zeros((60, 80, 3), np.uint8))


def conversation(*replies: str) -> Conversation:
    return Assistant(Scripted(list(replies)), None, BoxFill()).open(PICTURE)


@pytest.fixture
def editor() -> ClickEditor:
    return ClickEditor(conversation())


def phrases(editor: ClickEditor) -> list[str]:
    return [region.phrase for region in editor.regions]


def test_a_click_is_there_before_it_is_kept(editor):
    editor.handle({"kind": "click", "x": 10, "y": 20, "label": 1})
    (region,) = editor.regions
    assert region.mask.array[20, 10]
    assert editor.conversation.regions == ()
    assert editor.to_json()["clicks"] == [[10.0, 20.0, 1]]


def test_kept_with_its_name_it_is_a_region_of_the_conversation(editor):
    for message in (
        {"kind": "click", "x": 10, "y": 20, "label": 1},
        {"kind": "click", "x": 30, "y": 20, "label": 0},
        {"kind": "name", "phrase": "cup"},
        {"kind": "keep"},
    ):
        editor.handle(message)
    (region,) = editor.conversation.regions
    assert (region.id, region.phrase) == ("r1", "cup")
    assert region.clicks == ((10.0, 20.0, 1), (30.0, 20.0, 0))
    assert editor.draft is None
    editor.handle({"kind": "click", "x": 60, "y": 40, "label": 1})
    assert phrases(editor) == ["cup", ""]


def test_a_box_drawn_in_any_direction_is_a_prompt(editor):
    editor.handle({"kind": "box", "box": [40, 30, 10, 5]})
    (region,) = editor.regions
    assert region.box == Box(10, 5, 40, 30)
    assert editor.to_json()["box"] == [10, 5, 40, 30]


def test_a_region_that_is_selected_is_refined_and_keeps_its_id(editor):
    editor.draw_box(Box(10, 10, 30, 30))
    editor.name("cup")
    editor.keep()
    editor.handle({"kind": "select", "id": "r1"})
    editor.handle({"kind": "click", "x": 50, "y": 20, "label": 1})
    assert phrases(editor) == ["cup"]
    editor.handle({"kind": "keep"})
    (region,) = editor.conversation.regions
    assert (region.id, region.phrase) == ("r1", "cup")
    assert region.box.x1 >= 50


def test_selecting_another_region_keeps_the_draft(editor):
    editor.draw_box(Box(10, 10, 30, 30))
    editor.keep()
    editor.draw_box(Box(40, 10, 60, 30))
    editor.select("r1")
    assert [region.id for region in editor.conversation.regions] == ["r1", "r2"]


def test_undo_takes_back_prompts_then_kept_regions_but_never_a_question():
    editor = ClickEditor(conversation("A cup."))
    editor.conversation.ask("what?")
    editor.click(10, 20)
    editor.keep()
    editor.click(30, 20)
    editor.click(35, 25)
    assert len(editor.draft.clicks) == 2
    editor.undo()
    assert len(editor.draft.clicks) == 1
    editor.undo()
    assert editor.draft is None
    editor.undo()
    assert editor.conversation.regions == ()
    assert not editor.can_undo
    editor.undo()
    assert len(editor.conversation.turns) == 1


def test_what_is_deleted_is_gone_and_can_be_undone(editor):
    editor.click(10, 20)
    editor.keep()
    editor.handle({"kind": "select", "id": "r1"})
    editor.handle({"kind": "delete"})
    assert editor.regions == ()
    editor.handle({"kind": "undo"})
    assert [region.id for region in editor.regions] == ["r1"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"kind": "click", "x": 10, "y": 20, "label": 0}, "Click on the object first"),
        ({"kind": "click", "x": 500, "y": 20, "label": 1}, "lie in the picture"),
        ({"kind": "select", "id": "r9"}, "r9"),
        ({"kind": "dance"}, "does not know the message"),
    ],
)
def test_a_message_that_cannot_be_followed_changes_nothing_and_says_why(editor, message, error):
    editor.handle(message)
    assert error in editor.error
    assert editor.regions == ()
    editor.handle({"kind": "click", "x": 10, "y": 20, "label": 1})
    assert editor.error == ""


def test_the_picture_that_is_shown_is_small_and_has_the_masks():
    large = Image(np.zeros((1500, 3000, 3), np.uint8))
    editor = ClickEditor(Assistant(None, None, BoxFill()).open(large))
    editor.draw_box(Box(300, 300, 1500, 1200))
    shown = PIL.Image.open(io.BytesIO(editor.picture_bytes()))
    assert shown.size == (1024, 512)
    pixels = np.asarray(shown)
    assert pixels[250, 300].max() > 50  # in the box
    assert pixels[500, 1000].max() < 10
    assert editor.regions[0].mask.shape == (1500, 3000)


def test_the_state_is_plain_json(editor):
    editor.click(10, 20)
    editor.name("杯子")
    state = json.loads(json.dumps(editor.to_json()))
    assert state["size"] == [80, 60]
    assert state["regions"] == [
        {"id": "preview", "phrase": "杯子", "is_draft": True, "is_selected": False}
    ]


def test_without_a_segmenter_or_picture_it_says_what_to_do():
    with pytest.raises(InputError, match="need a segmenter"):
        ClickEditor(Assistant(None, None, None).open(PICTURE))
    with pytest.raises(InputError, match="no picture"):
        ClickEditor(Assistant(None, None, BoxFill()).open())
    with pytest.raises(InputError, match="by its index"):
        click_widget(conversation(), "photo.jpg")
    with pytest.raises(InputError, match="Give the picture"):
        click_widget(Assistant(None, None, BoxFill()))
