"""The dry run before a training: usable dialogues, their lengths, steps, and memory.

No weights are read: networks are built on the device "meta".
"""

import re
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import torch

from segue.convert.check import CheckResult, check_dataset
from segue.errors import InputError
from segue.finetune.adapt import adapt, count_parameters
from segue.finetune.data import UNFILLED_PLACEHOLDER, Selection, select_dialogues
from segue.finetune.packing import pack
from segue.finetune.recipe import Recipe
from segue.finetune.train import placement
from segue.finetune.trainable import TrainableModel
from segue.finetune.trainable_models import load_trainable_model

ADAM_BYTES = 8
"""Two float32 moments for each trained weight."""
NF4_BYTES = 0.53
"""A weight of 4 bits with its share of the quantisation scales."""
ALLOWANCE = 0.1


@dataclass(slots=True)
class Preflight:
    """The size and cost that a run would have."""

    train: Selection
    validation: Selection | None
    trained_parameters: int
    parameters: int
    steps: int
    picture_tokens: str
    memory: dict[str, float] = field(default_factory=dict)
    """What -> bytes. An estimate: activations depend on the kernels in use."""
    findings: CheckResult | None = None
    """What `segue convert check` found in the training file."""
    pictures: Path | None = None
    """Where samples were drawn."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "train": self.train.to_json(),
            "validation": self.validation.to_json() if self.validation else None,
            "trained parameters": self.trained_parameters,
            "parameters": self.parameters,
            "optimiser steps": self.steps,
            "a picture takes": self.picture_tokens,
            "memory, bytes": {name: round(value) for name, value in self.memory.items()},
            "problems": dict(self.findings.problems) if self.findings else {},
        }


def preflight(recipe: Recipe, *, draw: int = 16) -> Preflight:
    """Estimate the cost of a recipe and check its data.

    Args:
        recipe: of the run.
        draw: how many samples to draw into `preflight/` of the output folder; 0: none.

    Raises:
        InputError, ModelError: as `finetune`; and where questions or answers have unfilled
            placeholders, since the incomplete sentences would be learned.
    """
    check_placeholders(recipe)
    model = load_trainable_model(recipe)
    truncate = recipe.too_long == "cut"
    train = select_dialogues(recipe.data, model, recipe.max_length, truncate=truncate)
    validation = None
    if recipe.validation is not None:
        validation = select_dialogues(
            recipe.validation, model, recipe.max_length, truncate=truncate
        )
    row_lengths = train.lengths
    if recipe.packing:
        rows = pack(train.lengths, recipe.max_length, recipe.seed)
        row_lengths = [sum(train.lengths[number] for number in row) for row in rows]
    network = adapt(model.network(placement(recipe).dtype, torch.device("meta")), model, recipe)
    trained_parameters, parameters = count_parameters(network)
    report = Preflight(
        train=train,
        validation=validation,
        trained_parameters=trained_parameters,
        parameters=parameters,
        steps=count_steps(recipe, len(row_lengths)),
        picture_tokens=model.describe_picture_tokens(),
        memory=estimate_memory(recipe, model, network, max(row_lengths)),
    )
    if draw:
        report.pictures = Path(recipe.output) / "preflight"
        report.findings = check_dataset(Path(recipe.data), draw_to=report.pictures, draw=draw)
    return report


def check_placeholders(recipe: Recipe) -> None:
    """Refuse data with unfilled placeholders: "Find the <ref-object> in the picture".

    Raises:
        InputError: there is an unfilled placeholder, or the data cannot be read.
    """
    for file in filter(None, (recipe.data, recipe.validation)):
        findings = check_dataset(Path(file))
        if n_unfilled := findings.problems[UNFILLED_PLACEHOLDER]:
            example = next((line for line in findings.examples if UNFILLED_PLACEHOLDER in line), "")
            raise InputError(
                f"{file} has {n_unfilled} unfilled placeholders, and their incomplete sentences "
                f"would be learned. {example}. Convert the file again, or remove those records."
            )


def count_steps(recipe: Recipe, n_examples: int) -> int:
    """Count the optimiser steps of a complete run on one device."""
    if recipe.max_steps is not None:
        return recipe.max_steps
    n_batches = ceil(n_examples / recipe.batch_size)
    return ceil(recipe.epochs * max(1, ceil(n_batches / recipe.gradient_accumulation_steps)))


def estimate_memory(
    recipe: Recipe, model: TrainableModel, network: Any, longest_tokens: int
) -> dict[str, float]:
    """Estimate the bytes on the device by purpose, for the longest batch.

    The backward pass needs, for each token and layer, eleven values as wide as the model and four
    as wide as its MLP; with LoRA also the dropout mask of each adapted layer's input. With
    gradient checkpointing it needs one value as wide as the model, and one full layer that is
    recomputed once the logits are freed. Logits exist three times: as they are, as float32
    probabilities, and as their gradient. A tenth is added for temporaries and the allocator.

    Not counted: activations of a vision side that is trained, and the optimiser step, which needs
    the size of the trained weights once more where that exceeds activations and logits.
    """
    trained_parameters, parameters = count_parameters(network)
    dtype = placement(recipe).dtype
    dtype_bytes = dtype.itemsize
    stored_bytes = 4 if recipe.method == "full" else dtype_bytes
    weight_bytes = float(parameters - trained_parameters) * stored_bytes + trained_parameters * 4
    if recipe.method == "full" and dtype_bytes < 4:
        weight_bytes += (
            trained_parameters * dtype_bytes
        )  # autocast keeps a copy of each weight in the smaller format
    if recipe.method == "qlora":
        quantised_weights = sum(
            module.weight.numel()
            for name, module in network.named_modules()
            if name.endswith(".base_layer") and isinstance(module, torch.nn.Linear)
        )
        weight_bytes -= quantised_weights * (stored_bytes - NF4_BYTES)
    text_config = network.config.get_text_config()
    n_tokens, n_layers = recipe.batch_size * longest_tokens, text_config.num_hidden_layers
    layer_bytes = (
        n_tokens * (11 * text_config.hidden_size + 4 * _mlp_width(text_config)) * dtype_bytes
    )
    if recipe.lora_dropout:
        layer_bytes += n_tokens * _adapted_width(network, model) / n_layers * 4
    checkpoint_bytes = n_tokens * text_config.hidden_size * dtype_bytes
    logit_bytes = n_tokens * text_config.vocab_size * (dtype_bytes + 4 + 4)
    recompute = recipe.gradient_checkpointing
    memory = {
        "weights": weight_bytes,
        "gradients": trained_parameters * 4.0,
        "optimiser": float(trained_parameters * ADAM_BYTES),
        "activations": float(n_layers * (checkpoint_bytes if recompute else layer_bytes)),
        "logits": float(max(logit_bytes, layer_bytes) if recompute else logit_bytes),
    }
    memory["allowance"] = ALLOWANCE * sum(memory.values())
    return {**memory, "all": sum(memory.values())}


def _mlp_width(text_config: Any) -> int:
    """Return the width of one branch of the gated MLP; Qwen-VL's config gives both together."""
    width = int(text_config.intermediate_size)
    return width // 2 if text_config.model_type == "qwen" else width


def _adapted_width(network: Any, model: TrainableModel) -> int:
    """Sum the input channels of the language model's adapters."""
    return sum(
        module.in_features
        for name, module in network.named_modules()
        if hasattr(module, "lora_A") and not re.search(rf"(^|\.){model.vision}\.", name)
    )
