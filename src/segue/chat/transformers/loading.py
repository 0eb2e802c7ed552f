"""Loads the network of a model of transformers."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segue.chat.transformers.placement import NetworkOptions
from segue.errors import InputError, MissingExtra, ModelError
from segue.runtime import device as devices
from segue.runtime.weights.completeness import require_complete
from segue.runtime.weights.quantization import require_runnable


def load_network(
    folder: Path, *, device: str, dtype: str | None, options: NetworkOptions | None = None
) -> Any:
    """Load the network in `folder`, where it is to run.

    Args:
        folder: with config.json and weights.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: number format; None: as the device likes.
        options: whether it is quantised, spread over devices, and how it attends.

    Raises:
        InputError: the device, the weights or the number format do not go with an option.
        MissingExtra: a package is not installed that the weights or the options need.
        ModelError: the weights are missing, damaged, not of a model that sees and writes, or
            quantised in a way that this device does not run.
    """
    from transformers import AutoModelForImageTextToText

    options = options or NetworkOptions()
    place = devices.pick_for_chat(device, dtype)
    kind = place.device.type
    stored = require_runnable(
        folder, kind, devices.capability(place.device), quantize=options.quantize
    )
    arguments: dict[str, Any] = {"dtype": place.dtype}
    arguments |= options.attention(kind, str(place.dtype).removeprefix("torch."))
    if options.quantize is not None:
        arguments["quantization_config"] = _quantization(options.quantize, place)
    if options.quantize is not None or options.device_map is not None:
        _need("accelerate", "Spreading or quantising a model")
    if options.device_map is not None:
        arguments |= _spread(options, kind)
    elif options.quantize is not None or stored is not None or _loads_straight(kind):
        arguments["device_map"] = {"": place.device}
    model = _pretrained(AutoModelForImageTextToText, folder, arguments)
    if options.quantize == "4bit":
        leave_narrow_layers_unpacked(model)
    return model if "device_map" in arguments else model.to(place.device)


def _loads_straight(kind: str) -> bool:
    """Whether weights go to a device without a copy of all of them in the processor's memory."""
    return kind != "cpu" and find_spec("accelerate") is not None


def _spread(options: NetworkOptions, kind: str) -> dict[str, Any]:
    """Return what tells transformers to put layers on several devices."""
    limits = options.memory_limits()
    n_gpus = devices.here().cuda
    for key in limits or ():
        if isinstance(key, int) and key >= n_gpus:
            raise InputError(f"max_memory names GPU {key}, but {n_gpus} are here. Leave it out.")
    if limits is None and kind == "cpu":  # GPUs that are there are not wanted
        limits = {"cpu": devices.free_memory_bytes()}
    return {
        "device_map": options.device_map,
        "max_memory": limits,
        "offload_folder": options.offload_folder,
    }


def _quantization(kind: str, place: devices.Placement) -> Any:
    from transformers import BitsAndBytesConfig

    if place.device.type == "mps":
        raise InputError(
            f"quantize={kind} is done by bitsandbytes, which does not run on the GPU of a Mac. "
            "Use a smaller model there, or --device cpu."
        )
    _need("bitsandbytes", "Quantising a model")
    unquantised = ["lm_head", *_VISION]
    if kind == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=unquantised)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=place.dtype,
        llm_int8_skip_modules=unquantised,
    )


PACKED_ROWS, PACKED_COLUMNS = 32, 64
"""The packed kernel of bitsandbytes takes weights (N, K) whose N and K are multiples of these."""


def leave_narrow_layers_unpacked(network: Any) -> int:
    """Keep 4-bit layers that do not fit the packed kernel of bitsandbytes away from it.

    On processors with AVX-512 bf16 it repacks weights at the first call, in blocks, and fails on
    layers that are no whole number of them; its other kernel takes any, on every processor.

    Args:
        network: with layers of 4 bits, or without.

    Returns:
        How many layers are left unpacked.
    """
    narrow = 0
    for layer in network.modules():
        if not hasattr(layer, "support_avx512bf16_for_cpu"):
            continue
        if layer.out_features % PACKED_ROWS or layer.in_features % PACKED_COLUMNS:
            layer.support_avx512bf16_for_cpu = False
            narrow += 1
    return narrow


_VISION = (
    "model.visual",
    "model.vision_tower",
    "model.vision_model",
    "model.vision_embed_tokens",
    "model.multi_modal_projector",
    "model.connector",
    "model.aligner",
    "vision_model",
)
"""How transformers calls vision towers, and what joins them to the text."""


def _need(package: str, what: str) -> None:
    if find_spec(package) is None:
        raise MissingExtra(
            f"{what} needs the 'quantize' extra ({package} is not installed). "
            "Run: pip install 'segue[quantize]'"
        )


def _pretrained(model_class: Any, folder: Path, options: dict[str, Any]) -> Any:
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what its report would say is raised below
    try:
        model, report = model_class.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, by name
            **options,
        )
    except Exception as error:  # a dozen kinds; all mean weights that we cannot use
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{folder} could not be loaded as a model that sees and writes: {reason} "
            "It must hold config.json and weights of an image-text-to-text model of transformers."
        ) from error
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
    require_complete(model, report, str(folder), exact=False)
    return model
