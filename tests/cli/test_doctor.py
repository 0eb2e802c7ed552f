"""`segue doctor`."""

from fake_openai import FakeOpenAI
from segue.runtime import profile
from segue.runtime.weights import BUNDLED
from segue.version import __version__


def test_the_machine_and_the_weights_are_reported(run, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_OFFLINE", "1")
    outcome = run("doctor")
    assert outcome.code == 0, outcome.err
    assert __version__ in outcome.out
    for name in ("python", "torch", "device", "memory", *(f"embedded {p}" for p in BUNDLED)):
        assert f"\n {name} " in outcome.out
    assert "off (SEGUE_OFFLINE" in outcome.out


def test_a_chat_model_is_examined_and_its_profile_kept(run, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path / "home"))
    with FakeOpenAI(models=("Qwen2.5-VL",), markup="qwen2_5_vl", pictures=1) as server:
        chat = f"openai:Qwen2.5-VL@{server.url}"
        outcome = run("doctor", "--chat", chat, "--out", tmp_path / "pictures")
    assert outcome.code == 0, outcome.err
    assert "DEFECT" in outcome.out
    assert "only the first one reaches the model" in outcome.out
    assert f"{chat}: 1 defect" in outcome.out
    assert {file.name for file in (tmp_path / "pictures").iterdir()} == {"wide.png", "tall.png"}
    assert profile.load(chat).pictures == 1


def test_a_profile_is_kept_only_when_it_is_wanted(run, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path / "home"))
    with FakeOpenAI(models=("Qwen3-VL",)) as server:
        outcome = run("doctor", "--chat", f"openai:Qwen3-VL@{server.url}", "--no-save-profile")
    assert "no defects" in outcome.out
    assert not (tmp_path / "home").exists()


def test_an_endpoint_that_is_not_there_is_told_without_a_traceback(run) -> None:
    with FakeOpenAI(models=()) as server:
        outcome = run("doctor", "--chat", f"openai:m@{server.url}")
    assert outcome.code == 4
    assert "has no model 'm'" in outcome.err
