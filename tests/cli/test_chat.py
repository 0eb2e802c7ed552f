"""`segue chat`, typed lines coming from a pipe."""

import json
import subprocess
import sys
from pathlib import Path

from segue.assistant import Assistant
from segue.conversation.session.read import resume
from segue.segment.box_fill import BoxFill


def test_each_line_is_a_question(run, picture: Path, stages: list[str]) -> None:
    outcome = run("chat", picture, *stages, stdin="这是什么?\n\nAnd a dog?\n")
    assert outcome.code == 0, outcome.err
    assert "这是飞机。" in outcome.out
    assert "A dog, no unicorn." in outcome.out
    assert "r2" in outcome.out


def test_a_thought_leaves_no_regions_behind(run, picture: Path, tmp_path: Path) -> None:
    cat, dog = "<box>(0,0),(900,900)</box>", "<box>(125,125),(375,375)</box>"
    replies = [f"<ref>cat</ref>{cat}?</think>A <ref>dog</ref>{dog}.", "<think>so it may be"]
    (tmp_path / "aloud.json").write_text(json.dumps(replies), encoding="utf-8")
    chat = ["--chat", f"scripted:{tmp_path / 'aloud.json'}", "--detect", "none"]
    outcome = run(
        "chat", picture, *chat, "--segment", "box_fill:", stdin="where?\n/regions\nand now?\n"
    )
    assert outcome.code == 0, outcome.err
    aloud, said, answer, _, first, _, again, _, only = outcome.out.splitlines()
    assert (aloud, answer) == ("cat?", "A dog.")
    assert said == "(The text above was the model's reasoning, not part of the answer.)"
    assert first == again
    assert first.split()[1:3] == ["r2", "dog"]
    assert only.startswith("the model only thought, 12 characters")


def test_commands_work_on_the_conversation(
    run, picture: Path, stages: list[str], tmp_path: Path
) -> None:
    lines = [
        "/help",
        f"/open '{picture}'",
        "first",
        "/regions",
        f"/draw {tmp_path / 'drawn.png'}",
        f"/masks {tmp_path / 'masks'}",
        "/undo",
        "/undo",
        "again",
        f"/save {tmp_path / 'talk'}",
        "/quit",
        "never asked",
    ]
    outcome = run("chat", *stages, stdin="\n".join(lines))
    assert outcome.code == 0, outcome.err
    assert "/undo" in outcome.out
    assert (tmp_path / "drawn.png").is_file()
    assert len(list((tmp_path / "masks").iterdir())) == 1
    assert "undone: first" in outcome.out
    assert "nothing to undo" in outcome.out
    saved = json.loads((tmp_path / "talk" / "session.json").read_text("utf-8"))
    assert [turn["question"] for turn in saved["turns"]] == ["again"]


def test_a_region_can_be_edited(run, picture: Path, stages: list[str], tmp_path: Path) -> None:
    lines = f"first\n/edit r1 blur {tmp_path / 'blurred.png'}\n/edit r9 blur x.png\n/edit r1\n"
    outcome = run("chat", picture, *stages, stdin=lines)
    assert (tmp_path / "blurred.png").is_file()
    assert "There is no region 'r9'" in outcome.out
    assert "Expected /edit REGION OPERATION FILE.png" in outcome.out


def test_edits_add_up_are_saved_and_can_be_taken_back(
    run, picture: Path, stages: list[str], tmp_path: Path
) -> None:
    one, both, again = (tmp_path / f"{name}.png" for name in ("one", "both", "again"))
    lines = [
        "/edits",
        "first",
        f"/edit r1 recolour {one} colour=teal",
        f"/edit r1 blur {both} strength=9 where=rest",
        "/edits",
        f"/save {tmp_path / 'talk'}",
        "/unedit",
        "/unedit",
        "/unedit",
        f"/edit r1 recolour {again} colour=teal",
    ]
    outcome = run("chat", picture, *stages, stdin="\n".join(lines))
    assert "no edits so far" in outcome.out
    assert "2. r1 blur strength=9 where=rest" in outcome.out
    assert "undone: blur of r1" in outcome.out
    assert "There is no edit to undo" in outcome.out
    assert one.read_bytes() != both.read_bytes()
    assert one.read_bytes() == again.read_bytes()
    saved = json.loads((tmp_path / "talk" / "session.json").read_text("utf-8"))
    assert [edit["operation"] for edit in saved["edits"]] == ["recolour", "blur"]


def test_masks_are_written_as_they_were_corrected(
    run, picture: Path, stages: list[str], tmp_path: Path
) -> None:
    lines = f"first\n/masks {tmp_path / 'a'}\n/delete r1\n/masks {tmp_path / 'b'}\n"
    outcome = run("chat", picture, *stages, stdin=lines)
    assert "wrote 1 mask" in outcome.out
    assert "wrote 0 masks" in outcome.out


def test_what_goes_wrong_is_said_and_the_talk_goes_on(
    run, picture: Path, stages: list[str]
) -> None:
    lines = "/opne x\n/open nowhere.png\n/draw a.png\n/masks\n/open 'x\n1\n2\n3\n4\n"
    outcome = run("chat", picture, *stages, stdin=lines)
    assert outcome.code == 0
    assert "Did you mean 'open'?" in outcome.out
    assert "There is no file nowhere.png" in outcome.out
    assert "There is no answer yet" in outcome.out
    assert "Expected /masks FOLDER" in outcome.out
    assert "Close the quotation mark" in outcome.out
    assert "Nothing to see." in outcome.out
    assert "this is turn 4" in outcome.out


def test_a_session_folder_keeps_the_talk(
    run, picture: Path, stages: list[str], tmp_path: Path
) -> None:
    run("chat", picture, "--session", tmp_path / "talk", *stages, stdin="first\n")
    outcome = run("chat", "--session", tmp_path / "talk", *stages, stdin="second\n")
    assert "A dog" in outcome.out


def test_a_talk_that_is_killed_is_kept_with_all_its_steps(
    picture: Path, stages: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "talk"
    command = [sys.executable, "-m", "segue.cli", "chat", picture, "--session", folder, *stages]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # What a line says is on the disk when the next one is answered.
        for line in ("first", "/rename r1 plane", "/add 1,1,9,9 mark", "/undo", "/undo", "/edits"):
            print(line, file=process.stdin, flush=True)
        said = next((line for line in process.stdout if "no edits so far" in line), "")
        process.kill()
        process.stdin.close()
    assert said
    conversation = resume(folder, Assistant(segmenter=BoxFill()))
    assert [region.phrase for region in conversation.regions] == ["飞机"]
    assert [str(conversation.redo()) for _ in range(2)] == ["change r1", "add r2"]
    assert [region.phrase for region in conversation.regions] == ["plane", "mark"]
    assert [str(conversation.undo()) for _ in range(3)] == ["add r2", "change r1", "first"]


def test_the_user_corrects_regions(run, picture: Path, stages: list[str]) -> None:
    lines = [
        "first",
        "/add 10,10,20,30 left wing",
        "/add 40,40 44,40,0",
        "/refine r1 60,40",
        "/rename r1 my plane",
        "/regions",
        "/merge r1 r2",
        "/delete r3",
        "/undo",
        "/undo",
        "/delete r9",
        "/add nothing",
        "/refine r1",
        "/merge r1",
    ]
    outcome = run("chat", picture, *stages, stdin="\n".join(lines))
    assert outcome.code == 0, outcome.err
    for said in (
        "added r2, 200 pixels", "added r3", "r1 now has", "'my plane'", "left wing",
        "merged r1, r2 into r1", "deleted r3", "undone: delete r3", "undone: merge r1 r2",
        "There is no region 'r9'", "for one object", "Expected /refine", "at least two",
    ):  # fmt: skip
        assert said in outcome.out, said


def test_objects_are_spoken_of_edited_marked_and_forgotten(
    run, picture: Path, tmp_path: Path
) -> None:
    places = {"dogs": [[1, 4, 8, 10], [20, 4, 30, 14]], "cat": [[12, 5, 16, 9]]}
    (tmp_path / "places.json").write_text(json.dumps(places))
    (tmp_path / "replies.json").write_text(json.dumps(["A cat and a dog."] * 9))
    stages = ["--chat", f"scripted:{tmp_path / 'replies.json'}", "--segment", "box_fill:"]
    stages += ["--detect", f"fixed:{tmp_path / 'places.json'}", "--route", "auto"]
    lines = [
        "segment the dogs", "blur the dog", "the left one", f"/edited {tmp_path / 'edited.png'}",
        "undo that", "What is this?", "/mark", "/mark cat", "/forget 2", "/new", "/new",
        "/forget x",
    ]  # fmt: skip
    outcome = run("chat", picture, *stages, stdin="\n".join(lines))
    assert outcome.code == 0, outcome.err
    assert "Which one do you mean? dog r1 (left) or dog r2 (right)." in outcome.out
    assert "1 edit(s) so far; /edited FILE.png writes the picture" in outcome.out
    assert (tmp_path / "edited.png").is_file()
    assert "Undone: blur the dog: the left one." in outcome.out
    assert "not found: dog" in outcome.out
    assert "r3" in outcome.out
    assert "forgotten: 2 turn(s); the chat model is still sent 3" in outcome.out
    assert "a new topic" in outcome.out
    assert "Cannot forget 0 turns: 0 are sent" in outcome.out
    assert "Expected /forget N, a number of turns, got 'x'." in outcome.out
