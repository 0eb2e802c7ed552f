"""Preflight: counts what would be learned without reading any weight."""

from segue.finetune.adapt import counted
from segue.finetune.preflight import preflight, steps_of
from segue.finetune.pupil import pupil_of
from segue.finetune.train import finetune, prepare


def test_it_counts_as_the_run_would(a_recipe) -> None:
    recipe = a_recipe()
    found = preflight(recipe)
    assert (found.trained, found.parameters) == counted(prepare(recipe, pupil_of(recipe)))
    assert found.steps == 4
    assert len(found.train.dialogues) == 12
    assert found.memory["all"] > found.memory["weights"] > 4 * found.parameters * 0.9
    assert "18 tokens" in found.picture_tokens
    assert found.findings.is_fine


def test_long_conversations_are_counted_and_left_out(a_recipe) -> None:
    whole = preflight(a_recipe(), draw=0).train.lengths
    limit = sorted(whole)[6]
    found = preflight(a_recipe(max_length=limit), draw=0).train
    assert found.dropped["longer than max_length"] == sum(length > limit for length in whole) > 0
    assert max(found.lengths) <= limit
    cut = preflight(a_recipe(max_length=limit, too_long="cut"), draw=0).train
    assert not cut.dropped
    assert max(cut.lengths) == limit


def test_samples_are_drawn(a_recipe, tmp_path) -> None:
    import json

    from builders import an_image

    picture = tmp_path / "p.png"
    an_image().to_pil().save(picture)
    said = "<ref>cup</ref><box>(100,200),(300,400)</box>"
    turns = [
        {"from": "user", "value": f"Picture 1: <img>{picture}</img>\nFrame the cup."},
        {"from": "assistant", "value": said},
    ]
    data = tmp_path / "boxes.json"
    data.write_text(json.dumps([{"id": "a", "conversations": turns}]))
    found = preflight(a_recipe(data=str(data)))
    assert [path.name for path in found.findings.drawn] == ["001.png"]
    assert (found.pictures / "index.html").exists()


def test_steps_are_those_of_the_trainer(a_recipe) -> None:
    for changes in ({"epochs": 0.5}, {"gradient_accumulation_steps": 5}):
        recipe = a_recipe(max_steps=None, **changes)
        expected = steps_of(recipe, 12)
        heard = []
        finetune(recipe, fresh=True, watch=heard.append)
        assert heard[-1]["of"] == heard[-1]["step"] == expected, changes
