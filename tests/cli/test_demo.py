"""`segue demo` with a chat model that has one answer to everything."""

import json
import os
import subprocess
import sys

import pytest

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


@pytest.mark.skipif(os.name != "posix", reason="the browser is a shell script")
def test_the_page_of_results_is_opened_in_the_browser(stages: list[str], tmp_path) -> None:
    script, browser = tmp_path / "all.json", tmp_path / "browser"
    asked = {question for sample in samples() for question in sample.questions}
    script.write_text(json.dumps(dict.fromkeys(asked, "A cat.")))
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/opened"\n')
    browser.chmod(0o700)
    models = ["--chat", f"scripted:{script}", *stages[2:]]
    command = [sys.executable, "-m", "segue.cli", "demo", str(tmp_path / "out"), "--open", *models]
    environment = {**os.environ, "BROWSER": str(browser)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "out" / "index.html"
    assert (tmp_path / "opened").read_text() == page.as_uri()
    assert "<title>segue demo</title>" in page.read_text("utf-8")
