"""Before money is spent: what would be learned from, how long it is, how much memory it takes.

No weights are read: networks are built without memory for their values.
"""

from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import torch

from segue.convert.check import Findings, check
from segue.finetune.adapt import adapt, counted
from segue.finetune.data import Selection, select
from segue.finetune.pupil import Pupil, pupil_of
from segue.finetune.recipe import Recipe
from segue.finetune.train import placement

ADAM_BYTES = 8
"""Two float32 averages for each trained weight."""
NF4_BYTES = 0.53
"""A weight of 4 bits with its share of the scales."""


@dataclass(slots=True)
class Preflight:
    """What a run would be like."""

    train: Selection
    validation: Selection | None
    trained: int
    parameters: int
    steps: int
    picture_tokens: str
    memory: dict[str, float] = field(default_factory=dict)
    """What -> bytes. An estimate: activations depend on the kernels in use."""
    findings: Findings | None = None
    """What `segue convert check` found in the training file."""
    pictures: Path | None = None
    """Where samples were drawn."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "train": self.train.to_json(),
            "validation": self.validation.to_json() if self.validation else None,
            "trained parameters": self.trained,
            "parameters": self.parameters,
            "optimiser steps": self.steps,
            "a picture takes": self.picture_tokens,
            "memory, bytes": {name: round(value) for name, value in self.memory.items()},
            "problems": dict(self.findings.problems) if self.findings else {},
        }


def preflight(recipe: Recipe, *, draw: int = 16) -> Preflight:
    """Look at a recipe and its data.

    Args:
        recipe: what would be run.
        draw: how many samples to draw into `preflight/` of the output folder; 0: none.

    Raises:
        InputError, ModelError: as `finetune`.
    """
    pupil = pupil_of(recipe)
    cut = recipe.too_long == "cut"
    train = select(recipe.data, pupil, recipe.max_length, cut=cut)
    validation = None
    if recipe.validation is not None:
        validation = select(recipe.validation, pupil, recipe.max_length, cut=cut)
    network = adapt(pupil.network(placement(recipe).dtype, torch.device("meta")), pupil, recipe)
    trained, parameters = counted(network)
    found = Preflight(
        train=train,
        validation=validation,
        trained=trained,
        parameters=parameters,
        steps=steps_of(recipe, len(train.dialogues)),
        picture_tokens=pupil.picture_tokens(),
        memory=memory_of(recipe, pupil, network, max(train.lengths)),
    )
    if draw:
        found.pictures = Path(recipe.output) / "preflight"
        found.findings = check(Path(recipe.data), draw_to=found.pictures, draw=draw)
    return found


def steps_of(recipe: Recipe, examples: int) -> int:
    """Steps of the optimiser in a whole run on one device."""
    if recipe.max_steps is not None:
        return recipe.max_steps
    batches = ceil(examples / recipe.batch_size)
    return ceil(recipe.epochs * max(1, ceil(batches / recipe.gradient_accumulation_steps)))


def memory_of(recipe: Recipe, pupil: Pupil, network: Any, longest: int) -> dict[str, float]:
    """Bytes on the device by what they are for, for the longest batch."""
    trained, parameters = counted(network)
    bytes_each = 4 if recipe.method == "full" else placement(recipe).dtype.itemsize
    weights = float(parameters - trained) * bytes_each + trained * 4
    if recipe.method == "qlora":
        small = sum(
            module.weight.numel()
            for name, module in network.named_modules()
            if name.endswith(".base_layer") and isinstance(module, torch.nn.Linear)
        )
        weights -= small * (bytes_each - NF4_BYTES)
    text = network.config.get_text_config()
    tokens, size = recipe.batch_size * longest, placement(recipe).dtype.itemsize
    layer = tokens * (8 * text.hidden_size + 4 * text.intermediate_size) * size
    kept = tokens * text.hidden_size * size
    layers = text.num_hidden_layers
    activations = layers * kept + layer if recipe.gradient_checkpointing else layers * layer
    logits = tokens * text.vocab_size * (size + 4 + 4)
    parts = {
        "weights": weights,
        "gradients": trained * 4.0,
        "optimiser": float(trained * ADAM_BYTES),
        "activations": float(activations),
        "logits": float(logits),
    }
    return {**parts, "all": sum(parts.values())}
