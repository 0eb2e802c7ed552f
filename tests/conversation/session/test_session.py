import json

import numpy as np
import pytest

import segue
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.conversation.session.read import resume
from segue.conversation.session.write import FILE
from segue.detect.fixed import Fixed
from segue.edit import Edit
from segue.errors import InputError
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.message import Finish

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
        assert np.array_equal(
            np.asarray(again.edited_image()), np.asarray(conversation.edited_image())
        )


ALOUD = (
    "the <ref>cat</ref><box>(0,0),(90,90)</box>?</think><ref>dog</ref><box>(0,0),(500,500)</box>"
)


def test_thoughts_and_notices_come_back(tmp_path):
    chat = Scripted([ALOUD, "<think>only a thought"])
    conversation = Assistant(chat, None, BoxFill()).open(PICTURE)
    first, second = conversation.ask("the dog"), conversation.ask("and now?")
    assert first.thought > 0
    assert [region.phrase for region in first.regions] == ["dog"]
    (notice,) = second.notices
    assert "the model only thought" in notice
    folder = conversation.save(tmp_path)
    assert resume(folder, an_assistant()).answers == conversation.answers
    replay = segue.replay(folder, an_assistant())
    assert replay.differences == ()
    assert [(one.thought, one.notices) for one in replay.conversation.answers] == [
        (first.thought, first.notices), (second.thought, second.notices)
    ]  # fmt: skip


def test_why_a_reply_ended_survives_a_replay(tmp_path):
    class Fails(Scripted):
        def _pieces(self, reply, sampling):
            yield reply
            return Finish("error", "The endpoint failed: out of memory.")

    conversation = Assistant(Fails([REPLIES[0]]), None, BoxFill()).open(PICTURE)
    answer = conversation.ask("框出飞机")
    assert (answer.finish, answer.notices) == ("error", ("The endpoint failed: out of memory.",))
    folder = conversation.save(tmp_path)
    for again in (
        resume(folder, an_assistant()),
        segue.replay(folder, an_assistant()).conversation,
    ):
        assert again.answers[0].finish == "error"
        assert again.answers[0].notices == answer.notices


def test_a_file_of_before_has_no_thoughts_and_no_notices(saved):
    conversation, folder = saved
    document = json.loads((folder / "session.json").read_text())
    for turn in document["turns"]:
        del turn["thought"], turn["notices"]
    (folder / "session.json").write_text(json.dumps(document))
    assert resume(folder, an_assistant()).answers == conversation.answers


@pytest.mark.parametrize("damage", [{"thought": "x"}, {"notices": [1]}, {"notices": None}])
def test_damaged_thoughts_and_notices_are_refused(saved, damage):
    _, folder = saved
    document = json.loads((folder / "session.json").read_text())
    document["turns"][0] |= damage
    (folder / "session.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="damaged"):
        resume(folder, an_assistant())


def test_saving_twice_replaces_the_file(saved):
    conversation, folder = saved
    conversation.undo()
    conversation.save(folder)
    assert len(resume(folder, an_assistant()).answers) == 1


def corrected():
    """A conversation with every kind of step, the last three of them taken back."""
    conversation = an_assistant().open(PICTURE)
    conversation.ask("框出飞机")
    conversation.update_region("r1", phrase="plane", points=[(20, 20)])
    conversation.edit(Edit("erase", ["r1"]))
    beach = segue.Image.open(np.full((20, 20, 3), 200, np.uint8))
    conversation.edit(Edit("background", ["r1"], {"picture": "beach"}), {"beach": beach})
    conversation.delete_edit(0)
    conversation.add_region(box=Box(1, 1, 9, 9), phrase="mark")
    conversation.merge_regions(["r1", "r2"])
    conversation.ask("segment the dog and the cat")
    conversation.delete_region("r3")
    for _ in range(3):
        conversation.undo()
    return conversation


def test_every_step_can_be_taken_back_and_done_again_after_opening(tmp_path):
    conversation = corrected()
    once = resume(conversation.save(tmp_path / "once"), an_assistant())
    for again in (once, resume(once.save(tmp_path / "twice"), an_assistant())):
        assert again.history.steps() == conversation.history.steps()
        assert str(again.undo()) == "add r2"
        for _ in range(4):
            again.redo()
        assert not again.history.can_redo
        assert [region.phrase for region in again.regions] == ["plane"]
        while again.undo():
            assert again.edited_image(0)  # backgrounds of steps taken back are there, too
        assert again.regions == ()


def test_what_is_asked_after_opening_forgets_what_was_taken_back(tmp_path):
    again = resume(corrected().save(tmp_path), an_assistant())
    assert again.ask("segment the dog and the cat").regions[0].id == "r4"
    assert again.redo() is None
    assert str(resume(again.save(tmp_path), an_assistant()).undo()) == "segment the dog and the cat"


def test_regions_that_steps_share_are_written_once(tmp_path):
    conversation = an_assistant().open(PICTURE)
    conversation.ask("框出飞机")
    for _ in range(20):
        conversation.edit(Edit("blur", ["r1"]))
    history = json.loads((conversation.save(tmp_path) / "session.json").read_text())["history"]
    assert len(history["steps"]) == 22
    assert len(history["regions"]) == 1


def test_a_file_without_steps_takes_back_whole_questions(saved):
    conversation, folder = saved
    conversation.update_region("r1", phrase="plane")
    conversation.save(folder)
    document = json.loads((folder / "session.json").read_text())
    del document["history"]
    (folder / "session.json").write_text(json.dumps(document))
    again = resume(folder, an_assistant())
    assert str(again.undo()) == "segment the dog and the cat"
    assert [region.phrase for region in again.regions] == ["plane"]
    assert str(again.undo()) == "框出飞机"
    assert again.undo() is None


@pytest.mark.parametrize(
    "damage",
    [
        {"at": 99},
        {"at": -1},
        {"at": True},
        {"at": 0},  # another number of turns than the conversation has
        {"steps": []},
        {"steps": [{}]},
        {"steps": [{"turns": 0, "regions": [], "edits": [], "backgrounds": {}}] * 102},
        {"steps": [{"turns": 9, "regions": [], "edits": [], "backgrounds": {}}], "at": 0},
        {"steps": [{"turns": 2, "regions": [-1], "edits": [], "backgrounds": {}}], "at": 0},
        {"steps": [{"turns": 2, "regions": [0, 0], "edits": [], "backgrounds": {}}], "at": 0},
        {"steps": [{"turns": 2, "regions": [], "edits": [], "backgrounds": {"a": "b"}}], "at": 0},
        {"regions": [{}]},
        {"later": [{}]},
    ],
    ids=str,
)
def test_damaged_steps_are_refused(saved, damage):
    _, folder = saved
    document = json.loads((folder / "session.json").read_text())
    document["history"] |= damage
    (folder / "session.json").write_text(json.dumps(document))
    with pytest.raises(InputError):
        resume(folder, an_assistant())


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


def test_a_folder_that_cannot_be_written_is_a_sentence_and_the_old_session_stays(saved):
    conversation, folder = saved
    before = (folder / FILE).read_bytes()
    (folder / "blocked").write_text("x")
    with pytest.raises(InputError, match="Cannot write"):
        conversation.save(folder / "blocked")
    assert (folder / FILE).read_bytes() == before
