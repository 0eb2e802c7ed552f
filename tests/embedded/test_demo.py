"""The demonstration, with scripted models."""

from builders import an_image
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.embedded.demo import Sample, demonstrate
from segue.segment.box_fill import BoxFill


def test_every_question_leaves_an_overlay_and_a_card(tmp_path) -> None:
    picture = tmp_path / "night.png"
    picture.write_bytes(an_image().to_png_bytes())
    replies = ["<b>夜</b>", "<ref>飞机</ref><box>(125,125),(375,375)</box>"]
    assistant = Assistant(chat=Scripted(replies), segmenter=BoxFill())
    sample = Sample(picture, ("这是什么?", "飞机在哪里?"))
    shown = list(demonstrate(assistant, [sample], tmp_path / "out"))
    assert [one.overlay.name for one in shown] == ["night-1.png", "night-2.png"]
    assert all(one.overlay.is_file() for one in shown)
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "飞机在哪里?" in page
    assert "&lt;b&gt;夜&lt;/b&gt;" in page
    assert "1 masks" in page
