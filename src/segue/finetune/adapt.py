"""Which weights are trained: LoRA beside frozen layers, or the layers themselves."""

import re
import warnings
from typing import Any

import torch
from torch import nn

from segue.errors import InputError, MissingExtra
from segue.finetune.recipe import Recipe
from segue.finetune.trainable import TrainableModel


def adapt(network: Any, model: TrainableModel, recipe: Recipe) -> Any:
    """Freeze the weights that are not trained, and add LoRA where the recipe asks for it.

    Returns:
        A PEFT model for lora and qlora, else the network itself.

    Raises:
        InputError: the recipe's targets match no layer.
        MissingExtra: peft is not installed.
    """
    if recipe.method == "full":
        return _freeze(network, model, recipe)
    peft = _peft()
    lora_config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        bias="none",
        target_modules=_target_modules(network, model, recipe),
        modules_to_save=_fully_trained_modules(network, model, recipe) or None,
    )
    with warnings.catch_warnings():  # PEFT uses deprecated names of transformers
        warnings.simplefilter("ignore", FutureWarning)
        peft_model = peft.get_peft_model(network, lora_config)
    # A local folder, so that PEFT does not query the hub at every checkpoint.
    peft_model.peft_config["default"].base_model_name_or_path = str(model.folder)
    for name, parameter in peft_model.named_parameters():
        if name.endswith("pos_embed"):  # a fixed sinusoidal table
            parameter.requires_grad_(False)
    return peft_model


def _target_modules(network: nn.Module, model: TrainableModel, recipe: Recipe) -> list[str] | str:
    """Return endings of layer names, or one pattern, for PEFT."""
    layer_names = [
        name for name, module in network.named_modules() if isinstance(module, nn.Linear)
    ]
    if recipe.lora_targets:
        escaped_endings = [re.escape(ending) for ending in recipe.lora_targets]
        pattern = rf"(.*\.)?({'|'.join(escaped_endings)})"
    else:
        pattern = model.targets
    if recipe.train_vision == "lora":
        pattern = f"({pattern})|({model.vision_target_pattern})"
    if not any(re.fullmatch(pattern, name) for name in layer_names):
        requested_targets = ", ".join(recipe.lora_targets) or pattern
        raise InputError(
            f"lora_targets must name linear layers of the model, got {requested_targets}. "
            "Layers it has include: "
            f"{', '.join(sorted({name.rpartition('.')[2] for name in layer_names})[:12])}."
        )
    if recipe.lora_targets and recipe.train_vision != "lora":
        return list(recipe.lora_targets)
    return pattern


def _fully_trained_modules(network: nn.Module, model: TrainableModel, recipe: Recipe) -> list[str]:
    """Return the names of the modules that are fully trained beside the adapters."""
    patterns = {"merger": [model.merger_pattern], "full": [model.vision]}.get(
        recipe.train_vision, []
    )
    module_names = [
        name
        for name, _ in network.named_modules()
        if any(re.fullmatch(pattern, name) for pattern in patterns)
    ]
    if patterns and not module_names:
        raise InputError(
            f"The model has no module to train for train_vision = {recipe.train_vision!r}."
        )
    if recipe.train_embeddings:
        if network.config.get_text_config().tie_word_embeddings:  # type: ignore[union-attr,operator]
            raise InputError(
                "This model ties its embeddings to the vocabulary head, which cannot be trained "
                "beside LoRA. Remove train_embeddings from the recipe, or use method = 'full'."
            )
        embedding_modules = (network.get_input_embeddings(), network.get_output_embeddings())  # type: ignore[operator]
        module_names += [
            name for name, module in network.named_modules() if module in embedding_modules
        ]
    return module_names


def _freeze(network: Any, model: TrainableModel, recipe: Recipe) -> Any:
    """Freeze what method "full" does not train: all or part of the vision side."""
    trained_vision_pattern = {"none": "", "merger": model.merger_pattern, "full": model.vision}[
        recipe.train_vision
    ]
    for name, parameter in network.named_parameters():
        is_vision = re.match(model.vision + r"\.", name) is not None
        is_trained = not is_vision or bool(
            trained_vision_pattern and re.match(trained_vision_pattern + r"\.", name)
        )
        parameter.requires_grad_(is_trained and not name.endswith("pos_embed"))
    return network


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Count the parameters: (trained, all)."""
    sizes = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(n for n, is_trained in sizes if is_trained), sum(n for n, _ in sizes)


def quantise_network(
    network: nn.Module, model: TrainableModel, compute_dtype: torch.dtype
) -> nn.Module:
    """Store the linear layers of the language model in 4 bits (NF4), leaving everything else.

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
    vision_name = re.compile(model.vision + r"\.")
    output_head = network.get_output_embeddings()  # type: ignore[operator]
    for name, module in list(network.named_modules()):
        if not isinstance(module, nn.Linear) or module is output_head or vision_name.match(name):
            continue
        quantised_layer = bnb.nn.Linear4bit(
            module.in_features,
            module.out_features,
            bias=module.bias is not None,
            compute_dtype=compute_dtype,
            quant_type="nf4",
        )
        quantised_layer.weight = bnb.nn.Params4bit(
            module.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
        )
        quantised_layer.support_avx512bf16_for_cpu = (
            False  # weights packed for that kernel have no gradient
        )
        if module.bias is not None:
            quantised_layer.bias = nn.Parameter(module.bias.data, requires_grad=False)
        parent, _, leaf = name.rpartition(".")
        setattr(network.get_submodule(parent), leaf, quantised_layer)
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
