"""Run an image encoder by another engine than PyTorch: OpenVINO, made for processors.

A network is converted once and kept in the cache folder, found again by the content of its weights
and the versions of both libraries; of several processes one converts it. OpenVINO (Apache-2.0,
https://docs.openvino.ai) takes a third of PyTorch's time in float32, on processors without
instructions for bfloat16 too.
"""

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segue.errors import InputError, MissingExtra
from segue.files.folders import cache_folder
from segue.files.lock import locked
from segue.runtime.device import Placement

ENGINES = ("torch", "openvino")
FILE = "encoder.xml"
"""Of a conversion; the weights are beside it."""

Encode = Callable[[Tensor], tuple[Tensor, ...]]
"""Pixels (N, 3, H, W) float32 -> maps, (N, …) float32 each."""


class EngineWarning(UserWarning):
    """An engine could not be used, and PyTorch takes its place."""


def check_engine(engine: str, place: Placement) -> bool:
    """Return whether OpenVINO shall run the encoder.

    Args:
        engine: one of `ENGINES`.
        place: where the model runs.

    Raises:
        InputError: there is no such engine, or it does not run on that device.
        MissingExtra: OpenVINO is not installed.
    """
    if engine not in ENGINES:
        raise InputError(f"An engine must be one of {', '.join(ENGINES)}, got {engine!r}.")
    if engine == "torch":
        return False
    if place.device.type != "cpu":
        raise InputError(
            f"The engine openvino runs on the processor, not on {place.device.type}. Use "
            "--device cpu, or leave the engine out."
        )
    _openvino()
    return True


def convert_encoder(network: nn.Module, example: Tensor, dtype: torch.dtype, name: str) -> Encode:
    """Return a network as OpenVINO runs it; the network itself where it cannot be converted.

    Args:
        network: maps pixels (1, 3, H, W) to a tensor or a tuple of tensors.
        example: pixels of the only size that the network is given.
        dtype: torch.float32, or torch.bfloat16 to compute in that.
        name: of the model, for messages.

    Warns (`EngineWarning`) where the network stays in PyTorch.
    """
    folder = cache_folder() / "engines" / _key(network, example)
    try:
        if (encode := _compile_kept(folder, dtype)) is not None:
            return encode
        with locked(folder.with_name(f".{folder.name}.lock")):
            if (encode := _compile_kept(folder, dtype)) is not None:  # another process made it
                return encode
            print(
                f"Converting the image encoder of {name} for OpenVINO. That takes minutes, once; "
                f"it is kept in {folder}.",
                file=sys.stderr,
            )
            _convert(network, example, folder)
            return _compile(folder / FILE, dtype)
    except Exception as error:  # a converter may fail in any way
        warnings.warn(
            f"OpenVINO cannot run the image encoder of {name}, so PyTorch does: {error}",
            EngineWarning,
            stacklevel=2,
        )
        return lambda pixels: _as_tuple(network(pixels))


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtra(
            "The engine openvino is not installed. Run: pip install 'segue[openvino]'"
        ) from error
    return openvino


def _key(network: nn.Module, example: Tensor) -> str:
    """Return what tells one conversion from another: weights, shape, versions."""
    import transformers

    versions = (_openvino().__version__, torch.__version__, transformers.__version__)
    state = blake2b(repr((versions, tuple(example.shape))).encode(), digest_size=16)
    for name, value in network.state_dict().items():
        state.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        state.update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data)
    return state.hexdigest()


def _convert(network: nn.Module, example: Tensor, folder: Path) -> None:
    openvino = _openvino()
    with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
        warnings.simplefilter("ignore")  # what tracing says of sizes, which are fixed here
        model = openvino.convert_model(
            _Tuples(network), example_input=example.clone(), input=[list(example.shape)]
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".part-") as part:
        openvino.save_model(model, Path(part) / FILE, compress_to_fp16=False)
        rmtree(folder, ignore_errors=True)
        Path(part).rename(folder)
        Path(part).mkdir()  # for its own removal


@cache
def _core() -> Any:
    """Return the one core of this process, which is never let go.

    Its plugin gives the thread that made it a stack for signal handlers, and takes the stack back
    in whichever thread drops the last reference; the next signal would then end the process.
    """
    return _openvino().Core()


def _compile_kept(folder: Path, dtype: torch.dtype) -> Encode | None:
    """Return a conversion that is there; None: it is not, is damaged, or of another machine."""
    if (folder / FILE).is_file():
        with suppress(Exception):
            return _compile(folder / FILE, dtype)
    return None


def _compile(file: Path, dtype: torch.dtype) -> Encode:
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = _core().compile_model(file, "CPU", settings)

    def encode(pixels: Tensor) -> tuple[Tensor, ...]:
        rows = [compiled(row[None].cpu().numpy()).to_tuple() for row in pixels]
        return tuple(torch.from_numpy(np.concatenate(maps)) for maps in zip(*rows, strict=True))

    return encode


class _Tuples(nn.Module):
    """A network whose result is a tuple of tensors, as a trace must have it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return _as_tuple(self.network(pixels))


def _as_tuple(output: Any) -> tuple[Tensor, ...]:
    return (output,) if isinstance(output, Tensor) else tuple(output)
