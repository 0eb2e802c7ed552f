"""`segue ask` with scripted models."""

import json
from pathlib import Path

from segue.values.image import Image


def test_words_and_regions_are_shown(run, picture: Path, stages: list[str]) -> None:
    outcome = run("ask", picture, "飞机在哪里?", *stages)
    assert outcome.code == 0, outcome.err
    first, heading, region = outcome.out.splitlines()
    assert first == "这是飞机。"
    assert heading.split() == ["phrase", "box", "mask", "score", "found", "by"]
    assert region.split() == ["■", "r1", "飞机", "8,", "6,", "24,", "18", "192", "px", "chat"]


def test_json_is_all_there_is_on_standard_output(run, picture: Path, stages: list[str]) -> None:
    outcome = run("ask", picture, "飞机在哪里?", "--json", "-", *stages)
    answer = json.loads(outcome.out)
    assert outcome.err == ""
    assert answer["text"] == "这是飞机。"
    (region,) = answer["regions"]
    assert region["phrase"] == "飞机"
    assert region["box"] == [8, 6, 24, 18]
    assert region["span"] == [2, 4]


def test_files_are_written_where_asked(
    run, picture: Path, stages: list[str], tmp_path: Path
) -> None:
    out, masks, result = tmp_path / "deep" / "out.png", tmp_path / "masks", tmp_path / "a.json"
    outcome = run("ask", picture, "?", "--out", out, "--masks", masks, "--json", result, *stages)
    assert outcome.code == 0, outcome.err
    assert Image.open(out).size == (48, 64)
    (mask,) = masks.glob("*.png")
    assert Image.open(mask).size == (48, 64)
    assert json.loads(result.read_text("utf-8"))["regions"]


def test_the_picture_of_a_session_may_be_named_again(run, picture, stages, tmp_path) -> None:
    session = tmp_path / "talk"
    for question in ("first", "second"):
        assert run("ask", picture, question, "--session", session, *stages).code == 0
    saved = json.loads((session / "session.json").read_text("utf-8"))
    assert len(saved["images"]) == 1


def test_a_session_goes_on(run, picture: Path, stages: list[str], tmp_path: Path) -> None:
    session = tmp_path / "talk"
    assert run("ask", picture, "first", "--session", session, *stages).code == 0
    outcome = run("ask", "second", "--session", session, *stages)
    assert outcome.code == 0, outcome.err
    words, _, region, absent, broken = outcome.out.splitlines()
    assert words == "A dog, no unicorn. "
    assert region.split() == [
        "■",
        "r2",
        "dog",
        "10,",
        "5,",
        "30,",
        "25",
        "400",
        "px",
        "0.75",
        "detector",
    ]
    assert absent == "unicorn: it is not in the picture"
    assert broken == "unreadable markup in the reply: <box>(1,2</box>"


def test_several_pictures_are_told_apart(run, picture: Path, stages: list[str]) -> None:
    outcome = run("ask", picture, picture, "where?", *stages)
    assert "picture" in outcome.out.splitlines()[1]
    assert outcome.out.splitlines()[2].split()[3] == "2"


def test_a_stage_may_be_left_out(run, picture: Path, stages: list[str]) -> None:
    outcome = run("ask", picture, "where?", *stages, "--segment", "none")
    assert outcome.code == 0
    assert "px" not in outcome.out


def test_a_file_name_without_a_format_is_refused(
    run, picture: Path, stages: list[str], tmp_path: Path
) -> None:
    outcome = run("ask", picture, "?", "--out", tmp_path / "overlay", *stages)
    assert outcome.code == 2
    assert "like overlay.png" in outcome.err


def test_the_detector_answers_where_the_policy_says_so(
    run, picture: Path, stages: list[str]
) -> None:
    outcome = run("ask", picture, "Segment the dog.", "--route", "auto", *stages)
    assert outcome.code == 0, outcome.err
    first, words, _, region = outcome.out.splitlines()
    assert first == "route tag: 'dog' is a category"
    assert words == "dog"
    assert region.split()[-1] == "detector"


def test_both_routes_can_be_compared(run, picture: Path, stages: list[str]) -> None:
    outcome = run("ask", picture, "Segment the dog.", "--route", "tag", "--cross-check", *stages)
    assert outcome.code == 0, outcome.err
    assert "r1 dog: agreement with the chat model: IoU 0.40" in outcome.out


def test_the_dialect_can_be_named(run, picture: Path, stages: list[str]) -> None:
    outcome = run("ask", picture, "飞机在哪里?", "--dialect", "gsam", *stages)
    assert outcome.out.startswith("这是<ref>飞机</ref><box>")
    outcome = run("ask", picture, "飞机在哪里?", "--dialect", "gsm", *stages)
    assert outcome.code == 2
    assert "Did you mean 'gsam'" in outcome.err


def test_an_unknown_route_is_refused(run, picture: Path, stages: list[str]) -> None:
    outcome = run("ask", picture, "where?", "--route", "both", *stages)
    assert outcome.code == 2
    assert "reply, auto, box, tag" in outcome.err


def thinking_aloud(tmp_path: Path, reply: str) -> list[str]:
    """Options for a chat model that says this one reply."""
    (tmp_path / "aloud.json").write_text(json.dumps([reply]), encoding="utf-8")
    return [
        *("--chat", f"scripted:{tmp_path / 'aloud.json'}"),
        *("--detect", "none", "--segment", "box_fill:"),
    ]


ALOUD = (
    "Is it <ref>a cat</ref><box>(0,0),(900,900)</box> or <gsam>a yeti</gsam>?</think>\n\n"
    "<ref>A dog</ref><box>(125,125),(375,375)</box>."
)


def test_files_hold_only_what_counts(run, picture: Path, tmp_path: Path) -> None:
    result, masks, out = tmp_path / "a.json", tmp_path / "masks", tmp_path / "out.png"
    files = ["--json", result, "--masks", masks, "--out", out]
    outcome = run("ask", picture, "?", *files, *thinking_aloud(tmp_path, ALOUD))
    assert outcome.code == 0, outcome.err
    first, said, answer, _, region, *wrote = outcome.out.splitlines()
    assert first == "Is it a cat or a yeti?"
    assert said == "(The text above was the model's reasoning, not part of the answer.)"
    assert answer == "A dog."
    assert region.split()[1:4] == ["r2", "A", "dog"]
    assert "yeti" not in "".join(wrote)
    written = json.loads(result.read_text("utf-8"))
    assert [region["phrase"] for region in written["regions"]] == ["A dog"]
    assert (written["text"], written["not_found"]) == ("A dog.", [])
    assert written["thought"] > 0
    assert [mask.stem for mask in masks.iterdir()] == ["r2-A-dog"]
    plain, drawn = Image.open(picture).array, Image.open(out).array
    assert (plain[40:, 50:] == drawn[40:, 50:]).all()  # the cat's mask would reach there


def test_a_reply_that_is_only_a_thought_says_what_to_do(run, picture: Path, tmp_path: Path) -> None:
    stages = thinking_aloud(tmp_path, "<think>" + "so it may be a dog, " * 30)
    outcome = run("ask", picture, "?", "--max-new-tokens", "20", *stages)
    said = "the model only thought, 73 characters, and gave no answer; raise --max-new-tokens"
    assert outcome.out.split("\n")[1].startswith(said)
    assert outcome.out.count("--max-new-tokens") == 1


def test_an_answer_of_nothing_but_an_absence_is_an_answer(
    run, picture: Path, tmp_path: Path
) -> None:
    stages = thinking_aloud(tmp_path, "<think>no dog here</think>[]")
    outcome = run("ask", picture, "Where is the dog?", "--dialect", "qwen2_5_vl", *stages)
    assert "dog: it is not in the picture, the chat model says" in outcome.out
    assert "only thought" not in outcome.out


def test_a_request_for_an_edit_writes_the_edited_picture(run, picture, tmp_path) -> None:
    (tmp_path / "places.json").write_text('{"dog": [[1, 4, 8, 10]]}')
    (tmp_path / "replies.json").write_text('["words"]')
    stages = ["--chat", f"scripted:{tmp_path / 'replies.json'}", "--segment", "box_fill:"]
    stages += ["--detect", f"fixed:{tmp_path / 'places.json'}"]
    outcome = run("ask", picture, "make the dog red", *stages)
    assert "--out FILE writes the picture with its edits" in outcome.out
    outcome = run("ask", picture, "make the dog red", *stages, "--out", tmp_path / "red.png")
    assert outcome.code == 0, outcome.err
    assert "with the edits" in outcome.out
    assert (tmp_path / "red.png").is_file()
