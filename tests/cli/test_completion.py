"""What a shell offers while a command is typed."""

import pytest

from segue.cli import completion


def offered(run, line: str, monkeypatch) -> list[str]:
    monkeypatch.setenv("_SEGUE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    return run().out.split()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("segue ex", ["export"]),
        (
            "segue ask x.png --preset qwen3",
            ["qwen3-vl-2b", "qwen3-vl-4b", "qwen3-vl-4b-sam3", "qwen3-vl-8b"],
        ),
        ("segue export run --format coc", ["coco"]),
        ("segue segment x.png --segment no", ["none"]),
        ("segue ask x.png --route a", ["auto"]),
    ],
)
def test_names_that_begin_as_typed_are_offered(run, line, names, monkeypatch):
    assert offered(run, line, monkeypatch) == names


def test_every_kind_of_name_has_some():
    for name, complete in vars(completion).items():
        if name.startswith("complete_"):
            assert complete(""), name
            assert complete("no such name") == [], name
