"""The demonstration, with scripted models."""

from segue.assistant import Assistant, load
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.embedded.demo import demonstrate
from segue.embedded.samples import sample, samples
from segue.segment.box_fill import BoxFill


def test_the_reference_questions_are_asked_about_the_airport() -> None:
    airport = sample("airport")
    assert "这是什么?" in airport.questions
    assert "框出图片中飞机的位置" in airport.questions
    assert "Can you segment the airplane in this image?" in airport.questions


def test_every_question_leaves_an_overlay_and_a_card(tmp_path) -> None:
    scene = samples()[0]
    scripted_replies = {
        "这是什么?": "<b>夜</b>",
        "框出图片中飞机的位置": "<ref>飞机</ref><box>(1,2),(300,400)</box>",
    }
    replies = {
        question: scripted_replies.get(question, "<gsam>airplane</gsam>")
        for question in scene.questions
    }
    chat = Scripted(replies)
    assistant = Assistant(chat, Fixed({"airplane": [(180, 39, 492, 341)]}), BoxFill())
    demo_answers = list(demonstrate(assistant, [scene], tmp_path))
    numbers = range(1, len(scene.questions) + 1)
    assert [demo_answer.overlay.name for demo_answer in demo_answers] == [
        f"airport-{n}.png" for n in numbers
    ]
    assert all(demo_answer.overlay.is_file() for demo_answer in demo_answers)
    by_question = {demo_answer.answer.question: demo_answer.answer for demo_answer in demo_answers}
    assert len(by_question["框出图片中飞机的位置"].regions) == 1
    (region,) = by_question["Can you segment the airplane in this image?"].regions
    assert region.found_by == "detector"
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "框出图片中飞机的位置" in page
    assert "&lt;b&gt;夜&lt;/b&gt;" in page
    assert "1 mask, " in page


def test_a_long_conversation_stays_as_it_began() -> None:
    scene = sample("airport")
    conversation = load("embedded").open(scene.file)
    first = conversation.ask("Frame the airplane in the picture.").raw
    for question in ("hello", "What is in the picture?", "thanks!", "这是什么?", "你好") * 2:
        conversation.ask(question)
    assert conversation.ask("Can you segment the airplane?").raw == "<gsam>airplane</gsam>"
    last = conversation.ask("Frame the airplane in the picture.").raw
    assert last.split("<box>")[0] == first.split("<box>")[0] == "<ref>airplane</ref>"
