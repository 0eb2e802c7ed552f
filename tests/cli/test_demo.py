"""`segue demo` with a chat model that has one answer to everything."""

import json

from segue.embedded.samples import samples


def test_the_pictures_and_a_table_appear(run, stages: list[str], tmp_path) -> None:
    asked = {question for sample in samples() for question in sample.questions}
    script = tmp_path / "all.json"
    script.write_text(
        json.dumps(dict.fromkeys(asked, "A <ref>cat</ref><box>(1,2),(300,400)</box>"))
    )
    out = tmp_path / "out"
    outcome = run("demo", out, "--chat", f"scripted:{script}", *stages[2:])
    assert outcome.code == 0, outcome.err
    assert len(list(out.glob("*.png"))) == sum(len(sample.questions) for sample in samples())
    assert str(out / "index.html") in outcome.out
    assert "框出图片中飞机的位置" in outcome.out
