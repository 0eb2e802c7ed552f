"""The widget passes messages on and shows what came of them. Needs anywidget."""

import numpy as np
import pytest

from segue.assistant import Assistant
from segue.notebook import click_widget
from segue.segment.box_fill import BoxFill
from segue.values.image import Image

pytest.importorskip("anywidget")

PICTURE = Image(np.zeros((60, 80, 3), np.uint8))


def receive(widget, **message) -> None:
    """A message as the page sends it."""
    widget._handle_custom_msg(message, [])


def test_a_click_of_the_page_becomes_a_region_and_a_new_picture():
    widget = click_widget(Assistant(None, None, BoxFill()), PICTURE)
    before = widget._picture
    receive(widget, kind="click", x=10, y=20, label=1)
    assert len(widget.regions) == 1
    assert widget._picture != before
    assert widget._state["regions"][0]["is_draft"]
    receive(widget, kind="keep")
    assert [region.id for region in widget.conversation.regions] == ["r1"]


def test_what_is_changed_elsewhere_is_shown_after_a_refresh():
    conversation = Assistant(None, None, BoxFill()).open(PICTURE)
    widget = click_widget(conversation)
    conversation.add_region(box=(10, 10, 30, 30), phrase="cup")
    widget.refresh()
    assert [one["phrase"] for one in widget._state["regions"]] == ["cup"]


def test_each_message_gives_a_new_state_so_that_the_page_is_no_longer_busy():
    widget = click_widget(Assistant(None, None, BoxFill()), PICTURE)
    receive(widget, kind="dance")
    first = widget._state
    receive(widget, kind="dance")
    assert widget._state != first
    assert "does not know" in first["error"]


def test_where_no_widgets_are_shown_there_are_words():
    widget = click_widget(Assistant(None, None, BoxFill()), PICTURE)
    receive(widget, kind="click", x=10, y=20, label=1)
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    for kind in ("text/plain", "text/html"):
        assert "a picture: 1 region so far" in data[kind]
        assert "widget.editor.click(x, y)" in data[kind]
