import json

import numpy as np
import pytest

import segue
from segue.assistant import Assistant
from segue.box import Box
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.edit import Edit
from segue.errors import InputError
from segue.segment.box_fill import BoxFill
from segue.session import resume

PICTURE = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
REPLIES = ["<ref>飞机</ref><box>(100,100),(300,300)</box>", "<gsam>dog</gsam> <gsam>cat</gsam>"]


def an_assistant(dog=Box(1, 2, 30, 40)):
    return Assistant(Scripted(list(REPLIES)), Fixed({"dog": [dog]}), BoxFill())


@pytest.fixture
def saved(tmp_path):
    conversation = an_assistant().open(PICTURE)
    conversation.ask("框出飞机")
    conversation.ask("segment the dog and the cat")
    return conversation, conversation.save(tmp_path / "talk")


def test_a_resumed_conversation_equals_the_saved_one(saved):
    conversation, folder = saved
    again = resume(folder, an_assistant())
    assert again.answers == conversation.answers
    assert again.messages == conversation.messages
    assert again.images == conversation.images


def test_replay_with_the_same_models_reports_no_difference(saved):
    _, folder = saved
    replay = segue.replay(folder, an_assistant())
    assert replay.differences == ()
    assert [r.phrase for r in replay.conversation.regions] == ["飞机", "dog"]


def test_replay_reports_what_a_changed_detector_does(saved):
    _, folder = saved
    replay = segue.replay(folder, an_assistant(dog=Box(40, 2, 60, 40)))
    assert len(replay.differences) == 2
    assert replay.differences[0] == "turn 2: r2: the box moved (IoU 0.00)"


def test_edits_and_their_backgrounds_come_back(saved):
    conversation, folder = saved
    beach = segue.Image.open(np.full((20, 20, 3), 200, np.uint8))
    conversation.edit(Edit("erase", ["r1"]))
    conversation.edit(Edit("background", ["r2"], {"picture": "beach"}), {"beach": beach})
    conversation.save(folder)
    replayed = segue.replay(folder, an_assistant()).conversation
    for again in (resume(folder, an_assistant()), replayed):
        assert again.edits == conversation.edits
        assert np.array_equal(np.asarray(again.edited()), np.asarray(conversation.edited()))


def test_saving_twice_replaces_the_file(saved):
    conversation, folder = saved
    conversation.undo()
    conversation.save(folder)
    assert len(resume(folder, an_assistant()).answers) == 1


def test_a_folder_without_a_session_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"session\.json"):
        resume(tmp_path, an_assistant())


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": 1}', '{"format": 99}'])
def test_a_damaged_session_is_refused(saved, damage):
    _, folder = saved
    (folder / "session.json").write_text(damage)
    with pytest.raises(InputError):
        resume(folder, an_assistant())


def test_a_changed_picture_is_noticed(saved):
    _, folder = saved
    (picture,) = (folder / "images").iterdir()
    segue.Image.open(np.zeros((5, 5, 3), np.uint8)).to_pil().save(picture)
    with pytest.raises(InputError, match="changed after saving"):
        resume(folder, an_assistant())


def test_a_session_names_no_file_outside_its_folder(saved):
    _, folder = saved
    document = json.loads((folder / "session.json").read_text())
    document["images"][0]["digest"] = "../../etc/passwd"
    (folder / "session.json").write_text(json.dumps(document))
    with pytest.raises(InputError):
        resume(folder, an_assistant())
