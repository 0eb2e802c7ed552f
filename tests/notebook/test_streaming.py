"""Words and masks of an answer appear in the cell while it is written."""

import numpy as np
import pytest

from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.errors import InputError
from segue.notebook import show_answer
from segue.segment.box_fill import BoxFill
from segue.values.image import Image

IPython = pytest.importorskip("IPython")

PICTURE = Image(np.zeros((60, 80, 3), np.uint8))
REPLY = "Here is <ref>a cup</ref><box>(100,100),(500,500)</box> on a table."


class Publisher(IPython.core.displaypub.DisplayPublisher):
    """Keeps what cells show."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def publish(self, data, metadata=None, **options) -> None:
        self.shown.append(data["text/html"])


@pytest.fixture
def cell():
    """A notebook's cell: the displays of an IPython shell are collected."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.display_pub = Publisher()
    yield shell.display_pub
    InteractiveShell.clear_instance()


def test_words_and_masks_appear_as_they_come(cell):
    assistant = Assistant(Scripted([REPLY], piece=4), None, BoxFill())
    conversation = assistant.open(PICTURE)
    answer = show_answer(conversation, "Where is the cup?")
    assert answer.text == "Here is a cup on a table."
    assert len(conversation.turns) == 1
    first, *middle, last = cell.shown
    assert first == "…"
    assert any("<img" in html and "on a table" not in html for html in middle)
    assert last == answer._repr_html_()
    assert "on a table" in last


def test_outside_a_notebook_nothing_is_asked_and_it_says_what_to_use():
    conversation = Assistant(Scripted([REPLY]), None, BoxFill()).open(PICTURE)
    with pytest.raises(InputError, match=r"use Conversation\.ask"):
        show_answer(conversation, "Where is the cup?")
    assert conversation.turns == ()
