"""`segue models`."""

import json
import re

from segue.dialects import DIALECTS
from segue.pipeline.presets import CARDS, PRESETS


def test_every_nickname_is_listed_with_its_source_and_licence(run) -> None:
    outcome = run("models")
    assert outcome.code == 0
    for nickname, card in CARDS.items():
        lines = [line for line in outcome.out.splitlines() if line.split()[:1] == [nickname]]
        (line,) = [line for line in lines if card.source in line]
        assert card.licence in line
    assert all(preset.summary in outcome.out for preset in PRESETS.values())


def test_one_model_is_shown_in_full(run) -> None:
    outcome = run("models", "sam-vit-huge")
    assert "facebook/sam-vit-huge" in outcome.out
    assert "Segment Anything" in outcome.out


def test_one_preset_is_shown_with_its_stages(run) -> None:
    outcome = run("models", "qwen-vl-chat")
    assert "grounding-dino-tiny" in outcome.out
    assert "Tongyi Qianwen" in outcome.out  # the model of the same name, too


def test_what_is_on_board_is_shown_with_its_scores(run) -> None:
    shown = " ".join(run("models", "embedded").out.split())
    for part in ("chat", "detector", "segmenter"):
        scores = CARDS[f"embedded-{part}"].scores
        assert f"embedded-{part} {scores}" in shown
        assert scores in " ".join(run("models", f"embedded-{part}").out.split())


def test_every_dialect_is_listed(run) -> None:
    outcome = run("models", "dialects")
    assert outcome.code == 0
    for name, entry in DIALECTS.items():
        assert any(line.split()[:1] == [name] for line in outcome.out.splitlines())
        assert entry.summary in outcome.out


def test_every_preset_says_whether_it_fits_this_machine(run) -> None:
    outcome = run("models")
    for nickname in PRESETS:
        lines = [line for line in outcome.out.splitlines() if line.split()[:1] == [nickname]]
        assert any(re.search(r"(fits|tight|does not fit).* of .* GB free", line) for line in lines)
    assert "free: " in outcome.out
    assert re.search(r"memory .*weights .*cache .*work", run("models", "qwen3-vl-2b").out)


def test_the_memory_of_presets_is_in_the_json(run) -> None:
    presets = json.loads(run("models", "--json", "-").out)["presets"]
    for preset in presets:
        memory = preset["memory"]
        need = memory["need_bytes"]
        assert need["total"] == need["weights"] + need["cache"] + need["work"]
        fits = need["total"] <= memory["free_bytes"]
        assert fits == (memory["verdict"] != "does not fit")
