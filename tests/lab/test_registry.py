"""The models on board, by name."""

from importlib import import_module
from inspect import signature

import pytest

from lab.registry import DRAW, EVALUATE, TRAIN, draw_part, evaluate_part, train_part
from segue.errors import ModelError, UnknownName


@pytest.mark.parametrize(
    ("target", "keywords"),
    [(target, {"minutes", "steps", "resume", "start"}) for target in TRAIN.values()]
    + [(target, {"scenes"}) for target in EVALUATE.values()]
    + [(target, {"scenes", "seed", "side"}) for target in DRAW.values()],
)
def test_each_name_leads_to_a_function_that_takes_what_is_given(target, keywords) -> None:
    module, _, name = target.partition(":")
    assert keywords <= set(signature(getattr(import_module(module), name)).parameters)


def test_an_unknown_part_gets_a_hint(tmp_path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'segmenter'"):
        train_part("segmentor", tmp_path)
    with pytest.raises(UnknownName, match="Known: chat, detector, routes, segmenter"):
        evaluate_part("nose")
    with pytest.raises(UnknownName, match="Known: chat, routes"):
        draw_part("segmenter")


def test_weights_that_are_not_there_are_named(tmp_path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        train_part("chat", tmp_path / "run", start=tmp_path / "nowhere")
    with pytest.raises(ModelError, match="nowhere"):
        evaluate_part("segmenter", tmp_path / "nowhere")
