"""Before money is spent: what would be learned from, how long it is, how much memory it takes.

No weights are read: networks are built without memory for their values.
"""

import re
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import torch

from segue.convert.check import Findings, check
from segue.errors import InputError
from segue.finetune.adapt import adapt, counted
from segue.finetune.data import HOLE, Selection, select
from segue.finetune.recipe import Recipe
from segue.finetune.train import placement
from segue.finetune.trainable import TrainableModel
from segue.finetune.trainable_models import load_trainable

ADAM_BYTES = 8
"""Two float32 averages for each trained weight."""
NF4_BYTES = 0.53
"""A weight of 4 bits with its share of the scales."""
ALLOWANCE = 0.1


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
        InputError, ModelError: as `finetune`; and where questions or answers have placeholders that
            nothing fills, for what is left of them would be learned.
    """
    refuse_holes(recipe)
    pupil = load_trainable(recipe)
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


def refuse_holes(recipe: Recipe) -> None:
    """Refuse data that would teach sentences with holes, "Find the  in the picture".

    Raises:
        InputError: there is a placeholder that nothing fills, or the data cannot be read.
    """
    for file in filter(None, (recipe.data, recipe.validation)):
        findings = check(Path(file))
        if count := findings.problems[HOLE]:
            example = next((line for line in findings.examples if HOLE in line), "")
            raise InputError(
                f"{file} has {count} placeholders that nothing fills, and what is left of their "
                f"sentences would be learned. {example}. Convert the file anew, or take them out."
            )


def steps_of(recipe: Recipe, examples: int) -> int:
    """Steps of the optimiser in a whole run on one device."""
    if recipe.max_steps is not None:
        return recipe.max_steps
    batches = ceil(examples / recipe.batch_size)
    return ceil(recipe.epochs * max(1, ceil(batches / recipe.gradient_accumulation_steps)))


def memory_of(
    recipe: Recipe, pupil: TrainableModel, network: Any, longest: int
) -> dict[str, float]:
    """Bytes on the device by what they are for, for the longest batch.

    Kept for the way back are, for each token and layer, eleven values as wide as the model and four
    as wide as its MLP; with LoRA also the mask by which dropout thins each adapted layer's input.
    With gradient checkpointing it is one value as wide as the model; one layer in full comes
    again when the logits are gone. Those exist three times: as they are, as float32 probabilities,
    and as their gradient. A tenth is added for what lives shortly and for the allocator.

    Not counted: what the vision side keeps when it learns, and the step of the optimiser, which
    takes once more the trained weights where that is more than activations and logits.
    """
    trained, parameters = counted(network)
    dtype = placement(recipe).dtype
    size = dtype.itemsize
    stored = 4 if recipe.method == "full" else size
    weights = float(parameters - trained) * stored + trained * 4
    if recipe.method == "full" and size < 4:
        weights += trained * size  # autocast keeps each weight in the smaller format too
    if recipe.method == "qlora":
        small = sum(
            module.weight.numel()
            for name, module in network.named_modules()
            if name.endswith(".base_layer") and isinstance(module, torch.nn.Linear)
        )
        weights -= small * (stored - NF4_BYTES)
    text = network.config.get_text_config()
    tokens, layers = recipe.batch_size * longest, text.num_hidden_layers
    layer = tokens * (11 * text.hidden_size + 4 * _mlp_width(text)) * size
    if recipe.lora_dropout:
        layer += tokens * _adapted_width(network, pupil) / layers * 4
    kept = tokens * text.hidden_size * size
    logits = tokens * text.vocab_size * (size + 4 + 4)
    again = recipe.gradient_checkpointing
    parts = {
        "weights": weights,
        "gradients": trained * 4.0,
        "optimiser": float(trained * ADAM_BYTES),
        "activations": float(layers * (kept if again else layer)),
        "logits": float(max(logits, layer) if again else logits),
    }
    parts["allowance"] = ALLOWANCE * sum(parts.values())
    return {**parts, "all": sum(parts.values())}


def _mlp_width(text: Any) -> int:
    """Of one branch of the gated MLP; the Qwen-VL of 2023 writes down both together."""
    width = int(text.intermediate_size)
    return width // 2 if text.model_type == "qwen" else width


def _adapted_width(network: Any, pupil: TrainableModel) -> int:
    """Channels that enter adapters of the language model, all together."""
    return sum(
        module.in_features
        for name, module in network.named_modules()
        if hasattr(module, "lora_A") and not re.search(rf"(^|\.){pupil.vision}\.", name)
    )
