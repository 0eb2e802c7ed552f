"""Which weights learn: LoRA beside frozen layers, or the layers themselves."""

import re
import warnings
from typing import Any

import torch
from torch import nn

from segue.errors import InputError, MissingExtra
from segue.finetune.recipe import Recipe
from segue.finetune.trainable import TrainableModel


def adapt(network: Any, pupil: TrainableModel, recipe: Recipe) -> Any:
    """Freeze what does not learn, and put LoRA beside what does.

    Returns:
        A PEFT model for lora and qlora, else the network itself.

    Raises:
        InputError: the recipe's targets fit no layer.
        MissingExtra: peft is not installed.
    """
    if recipe.method == "full":
        return _freeze(network, pupil, recipe)
    peft = _peft()
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        bias="none",
        target_modules=_targets(network, pupil, recipe),
        modules_to_save=_whole(network, pupil, recipe) or None,
    )
    with warnings.catch_warnings():  # PEFT asks transformers by names that are on their way out
        warnings.simplefilter("ignore", FutureWarning)
        adapted = peft.get_peft_model(network, config)
    # A local folder, so that PEFT does not ask the hub about it at every checkpoint.
    adapted.peft_config["default"].base_model_name_or_path = str(pupil.folder)
    for name, parameter in adapted.named_parameters():
        if name.endswith("pos_embed"):  # a table of sines, frozen from the start
            parameter.requires_grad_(False)
    return adapted


def _targets(network: nn.Module, pupil: TrainableModel, recipe: Recipe) -> list[str] | str:
    """Endings of names, or one pattern, for PEFT."""
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if recipe.lora_targets:
        listed = [re.escape(ending) for ending in recipe.lora_targets]
        pattern = rf"(.*\.)?({'|'.join(listed)})"
    else:
        pattern = pupil.targets
    if recipe.train_vision == "lora":
        pattern = f"({pattern})|({pupil.vision_targets})"
    if not any(re.fullmatch(pattern, name) for name in names):
        wanted = ", ".join(recipe.lora_targets) or pattern
        raise InputError(
            f"lora_targets must name linear layers of the model, got {wanted}. Some that it has: "
            f"{', '.join(sorted({name.rpartition('.')[2] for name in names})[:12])}."
        )
    if recipe.lora_targets and recipe.train_vision != "lora":
        return list(recipe.lora_targets)
    return pattern


def _whole(network: nn.Module, pupil: TrainableModel, recipe: Recipe) -> list[str]:
    """Names of the modules that are trained in full beside the adapters."""
    patterns = {"merger": [pupil.merger], "full": [pupil.vision]}.get(recipe.train_vision, [])
    names = [
        name
        for name, _ in network.named_modules()
        if any(re.fullmatch(pattern, name) for pattern in patterns)
    ]
    if patterns and not names:
        raise InputError(
            f"The model has nothing to train for train_vision = {recipe.train_vision!r}."
        )
    if recipe.train_embeddings:
        if network.config.get_text_config().tie_word_embeddings:  # type: ignore[union-attr,operator]
            raise InputError(
                "This model uses one table for embeddings and vocabulary head, which cannot be "
                "trained beside LoRA. Take train_embeddings out of the recipe, or use 'full'."
            )
        ends = (network.get_input_embeddings(), network.get_output_embeddings())  # type: ignore[operator]
        names += [name for name, module in network.named_modules() if module in ends]
    return names


def _freeze(network: Any, pupil: TrainableModel, recipe: Recipe) -> Any:
    """Method full: the language model learns, and of the vision side what the recipe says."""
    vision = {"none": "", "merger": pupil.merger, "full": pupil.vision}[recipe.train_vision]
    for name, parameter in network.named_parameters():
        of_vision = re.match(pupil.vision + r"\.", name) is not None
        learns = not of_vision or bool(vision and re.match(vision + r"\.", name))
        parameter.requires_grad_(learns and not name.endswith("pos_embed"))
    return network


def counted(network: nn.Module) -> tuple[int, int]:
    """Parameters that learn, and all."""
    sizes = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)


def quantise(network: nn.Module, pupil: TrainableModel, compute_dtype: torch.dtype) -> nn.Module:
    """Store the linear layers of the language model in 4 bits (NF4); everything else stays.

    Raises:
        MissingExtra: bitsandbytes is not installed.
    """
    try:
        import bitsandbytes as bnb
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "QLoRA needs the 'quantize' extra (bitsandbytes is not installed). "
            "Run: pip install 'segue[quantize]'"
        ) from error
    vision = re.compile(pupil.vision + r"\.")
    head = network.get_output_embeddings()  # type: ignore[operator]
    for name, module in list(network.named_modules()):
        if not isinstance(module, nn.Linear) or module is head or vision.match(name):
            continue
        small = bnb.nn.Linear4bit(
            module.in_features,
            module.out_features,
            bias=module.bias is not None,
            compute_dtype=compute_dtype,
            quant_type="nf4",
        )
        small.weight = bnb.nn.Params4bit(
            module.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
        )
        small.support_avx512bf16_for_cpu = False  # weights packed for that kernel have no gradient
        if module.bias is not None:
            small.bias = nn.Parameter(module.bias.data, requires_grad=False)
        parent, _, leaf = name.rpartition(".")
        setattr(network.get_submodule(parent), leaf, small)
    network.is_loaded_in_4bit = True  # type: ignore[assignment]
    return network


def _peft() -> Any:
    try:
        import peft
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Fine-tuning needs the 'finetune' extra (peft is not installed). "
            "Run: pip install 'segue[finetune]'"
        ) from error
    return peft
