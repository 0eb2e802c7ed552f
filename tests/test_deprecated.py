"""Names of version 0.1 still work, warn, and say the new name."""

import importlib
import json
import sys

import numpy as np
import pytest

import segue
from segue.chat.scripted import Scripted
from segue.deprecated import MOVED, NEW_NAMES
from segue.detect.fixed import Fixed
from segue.segment.box_fill import BoxFill

PICTURE = np.zeros((50, 60, 3), np.uint8)
REPLY = "<ref>dog</ref><box>(100,100),(500,500)</box>"


EVALUATE_MODULES = ("detections", "predictions", "report", "tags")


def fresh(name):
    """Import a module as if for the first time."""
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=f"{name} is now .*0.3"):
        return importlib.import_module(name)


@pytest.mark.parametrize("name", MOVED)
def test_a_moved_module_is_found_and_warns(name):
    fresh(name)
    for home in MOVED[name]:
        assert importlib.import_module(home) is not None


@pytest.mark.parametrize(
    ("name", "attribute", "now"),
    [
        ("segue.box", "Box", segue.Box),
        ("segue.message", "Answer", segue.Answer),
        ("segue.message", "Message", segue.Message),
        ("segue.session", "resume", segue.resume),
        ("segue.session", "replay", segue.replay),
        ("segue.image", "Image", segue.Image),
    ],
)
def test_a_moved_name_is_the_same_object(name, attribute, now):
    assert getattr(fresh(name), attribute) is now


def test_a_renamed_name_is_found_under_its_old_one():
    from segue.pipeline.coordinates import CoordinateMapping

    assert fresh("segue.sight").Sight is CoordinateMapping
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = fresh("segue.sight").Nothing


def test_every_renamed_name_exists_somewhere():
    homes = [
        "segue.dialects",
        "segue.detect",
        "segue.export",
        "segue.doctor",
        "segue.prompting.synonyms",
        *(f"segue.evaluate.{name}" for name in EVALUATE_MODULES),
        *(home for homes in MOVED.values() for home in homes),
    ]
    modules = [importlib.import_module(home) for home in homes]
    missing = [new for new in NEW_NAMES.values() if not any(hasattr(m, new) for m in modules)]
    assert missing == []


@pytest.mark.parametrize("old", ["Text", "Pointed", "Spotted", "Wanted", "Malformed"])
def test_the_events_of_dialects_are_found_under_their_old_names(old):
    dialects = importlib.import_module("segue.dialects")
    with pytest.warns(DeprecationWarning, match=NEW_NAMES[old]):
        assert getattr(dialects, old) is getattr(dialects, NEW_NAMES[old])


def test_old_methods_do_what_the_new_ones_do():
    assistant = segue.Assistant(Scripted([REPLY] * 3), Fixed({}), BoxFill())
    conversation = assistant.open(PICTURE)
    answer = conversation.ask("where?")
    calls = {
        "show": lambda: conversation.show(np.zeros((9, 9, 3), np.uint8)),
        "add": lambda: conversation.add(box=segue.Box(1, 1, 5, 5)),
        "change": lambda: conversation.change("r1", phrase="cat"),
        "checked": lambda: conversation.checked(answer),
        "choose": lambda: conversation.choose("where?"),
        "delete": lambda: conversation.delete("r2"),
        "speaks": lambda: assistant.speaks,
        "follow": lambda: list(assistant.follow([REPLY], conversation.images)),
    }
    for call in calls.values():
        with pytest.warns(DeprecationWarning, match="goes with version 0.3"):
            call()
    assert len(conversation.images) == 2
    assert [region.phrase for region in conversation.regions] == ["cat"]


def test_a_session_of_format_2_is_resumed(tmp_path):
    assistant = segue.Assistant(Scripted([REPLY]), Fixed({}), BoxFill())
    conversation = assistant.open(PICTURE)
    conversation.ask("where?")
    conversation.add_region(box=(1, 1, 5, 5))
    file = conversation.save(tmp_path) / "session.json"
    document = json.loads(file.read_text())
    document["format"] = 2
    document["sight"] = document.pop("coordinates")
    document["shown"] = document.pop("image_order")
    text = json.dumps(document)
    assert '"user"' in text
    file.write_text(text.replace('"user"', '"person"'))
    again = segue.resume(tmp_path, assistant)
    assert again.regions == conversation.regions
    assert again.images == conversation.images
    assert segue.replay(tmp_path, assistant).differences == ()
