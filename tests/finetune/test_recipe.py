"""Recipes: typos are found before anything is loaded, and what is shipped can be read."""

from dataclasses import fields
from pathlib import Path

import pytest

from segue.errors import InputError
from segue.finetune.recipe import Recipe, make_recipe, read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
LEAST = {"base": "b", "data": "d", "output": "o"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_can_be_read_and_begins_with_its_command(path) -> None:
    recipe = read_recipe(path)
    assert recipe.output == f"runs/{path.stem}"
    assert f"segue finetune recipes/{path.name}" in path.read_text().split("\n\n")[0]


def test_the_recipe_of_qwen_vl_chat_has_the_published_settings() -> None:
    recipe = read_recipe(next(path for path in RECIPES if path.stem == "qwen-vl-chat-gsam"))
    assert recipe == Recipe(
        base="qwen-vl-chat", data="data/gsam/train.qwen-vl.json",
        validation="data/gsam/val.qwen-vl.json", output="runs/qwen-vl-chat-gsam",
        lora_r=64, lora_alpha=16, lora_dropout=0.05,
        lora_targets=("c_attn", "attn.c_proj", "w1", "w2"), mask="qwen", max_length=2048,
        too_long="cut", epochs=0.5, batch_size=1, gradient_accumulation_steps=8,
        learning_rate=1e-4, weight_decay=0.1, adam_beta2=0.95, schedule="cosine", warmup=0.01,
        precision="bfloat16", gradient_checkpointing=True, save_steps=100, eval_steps=500,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora_rank": 8}, "no 'lora_rank'. Did you mean 'lora_r'"),
        (
            {"method": "qlroa"},
            "must be one of lora, qlora, full, got 'qlroa'. Did you mean 'qlora'",
        ),
        ({"epochs": "two"}, "epochs must be a number, got 'two'"),
        ({"batch_size": 1.5}, "batch_size must be an integer"),
        ({"batch_size": True}, "batch_size must be an integer"),
        ({"lora_targets": [1]}, "lora_targets must be a list of strings"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"lora_dropout": 1.0}, r"must lie in \[0, 1\)"),
        ({"lora": {"r": 8}}, r"A recipe is flat, got the section \[lora\]"),
        ({"base": ""}, "base must not be empty"),
        ({"method": "full", "train_vision": "lora"}, "needs the method lora or qlora"),
        ({"method": "qlora", "train_embeddings": True}, "unquantised"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message) -> None:
    with pytest.raises(InputError, match=message):
        make_recipe(LEAST | changes)


def test_a_recipe_needs_base_data_and_output() -> None:
    with pytest.raises(InputError, match="needs data, output"):
        make_recipe({"base": "b"})


def test_overrides_are_read_as_toml_or_as_text(tmp_path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('base = "b"\ndata = "d"\noutput = "o"\nvalidation = "v"\nmax_steps = 3\n')
    given = ["epochs=2", "base=other/model", 'lora_targets=["a", "b"]', "tensorboard=true"]
    recipe = read_recipe(path, [*given, "validation=none", "max_steps=none", "train_vision=none"])
    assert (recipe.epochs, recipe.base, recipe.tensorboard) == (2.0, "other/model", True)
    assert recipe.lora_targets == ("a", "b")
    assert recipe.validation is None
    assert recipe.max_steps is None
    assert recipe.train_vision == "none"
    with pytest.raises(InputError, match="must be key=value"):
        read_recipe(path, ["epochs"])


def test_files_that_are_no_recipes_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("base: x")
    with pytest.raises(InputError, match="is not TOML"):
        read_recipe(tmp_path / "bad.toml")


def test_every_key_is_explained_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "finetune.md").read_text()
    assert [f.name for f in fields(Recipe) if f"`{f.name}`" not in text] == []
