"""Run an image encoder by another engine than PyTorch as it is: compiled, or by OpenVINO.

torch.compile fuses operations for the device at hand, a GPU or a processor; it needs a compiler,
and half a minute in every process, less where PyTorch's own cache has the parts.

OpenVINO (Apache-2.0, https://docs.openvino.ai) is made for processors: a third of PyTorch's time in
float32, without instructions for bfloat16 too. A network is converted once and kept in the cache
folder, found again by the content of its weights and the versions of both libraries; of several
processes one converts it.
"""

import sys
import time
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
from segue.files.lock import wait_for_lock
from segue.runtime.device import Placement, autocast

ENGINES = ("torch", "compile", "openvino")
FILE = "encoder.xml"
"""Of a conversion; the weights are beside it."""

Encode = Callable[[Tensor], tuple[Tensor, ...]]
"""Pixels (N, 3, H, W) float32 -> maps, (N, …) float32 each."""


class EngineWarning(UserWarning):
    """An engine could not be used, and PyTorch takes its place."""


def check_engine(engine: str, place: Placement) -> None:
    """Refuse an engine that cannot run an encoder here.

    Args:
        engine: one of `ENGINES`.
        place: where the model runs.

    Raises:
        InputError: there is no such engine, or it does not run on that device.
        MissingExtra: OpenVINO is not installed.
    """
    if engine not in ENGINES:
        raise InputError(f"An engine must be one of {', '.join(ENGINES)}, got {engine!r}.")
    if engine != "openvino":
        return
    if place.device.type != "cpu":
        raise InputError(
            f"The engine openvino runs on the processor, not on {place.device.type}. Use "
            "--device cpu, or leave the engine out."
        )
    _openvino()


def encoder_in_torch(network: Callable[[Tensor], Any], place: Placement) -> Encode:
    """Return a network as PyTorch runs it, by autocast in the number format of `place`."""

    def encode(pixels: Tensor) -> tuple[Tensor, ...]:
        with autocast(*place):
            maps = _as_tuple(network(pixels))
        return tuple(level.float() for level in maps)

    return encode


def compile_encoder(
    network: nn.Module,
    example: Tensor,
    place: Placement,
    name: str,
    backend: str | Callable[..., Any] = "inductor",
) -> Encode:
    """Return a network as torch.compile makes it, warmed up; as it is where that fails.

    The first batch of several pictures compiles once more, for batches of any size.

    Args:
        network: maps pixels (N, 3, H, W) to a tensor or a tuple of tensors.
        example: pixels (1, 3, H, W) of the size that the network is given, on its device.
        place: where the network is, and the number format to compute in.
        name: of the model, for messages.
        backend: that of torch.compile.

    Warns (`EngineWarning`) where the network stays as it is.
    """
    print(f"Compiling the image encoder of {name}.", file=sys.stderr)
    encode = encoder_in_torch(torch.compile(network, backend=backend), place)
    began = time.perf_counter()
    try:
        with torch.inference_mode():
            encode(example)
    except Exception as error:  # no compiler on the machine, or one that fails in its own way
        warnings.warn(
            f"torch.compile failed on the image encoder of {name}, which runs uncompiled: "
            f"{_opening(error)}",
            EngineWarning,
            stacklevel=2,
        )
        torch.compiler.reset()
        return encoder_in_torch(network, place)
    print(f"Compiled in {time.perf_counter() - began:.0f} s.", file=sys.stderr)
    return encode


def convert_encoder(network: nn.Module, example: Tensor, place: Placement, name: str) -> Encode:
    """Return a network as OpenVINO runs it; the network itself where it cannot be converted.

    Args:
        network: maps pixels (1, 3, H, W) to a tensor or a tuple of tensors.
        example: pixels of the only size that the network is given.
        place: of the network; torch.bfloat16 as its number format to compute in that.
        name: of the model, for messages.

    Warns (`EngineWarning`) where the network stays in PyTorch.
    """
    folder = cache_folder() / "engines" / _key(network, example)
    try:
        if (encode := _compile_kept(folder, place.dtype)) is not None:
            return encode
        with wait_for_lock(folder.with_name(f".{folder.name}.lock")):
            if (encode := _compile_kept(folder, place.dtype)) is not None:  # made by another
                return encode
            print(
                f"Converting the image encoder of {name} for OpenVINO. That takes minutes, once; "
                f"it is kept in {folder}.",
                file=sys.stderr,
            )
            _convert(network, example, folder)
            return _compile(folder / FILE, place.dtype)
    except Exception as error:  # a converter may fail in any way
        warnings.warn(
            f"OpenVINO cannot run the image encoder of {name}, so PyTorch does: {error}",
            EngineWarning,
            stacklevel=2,
        )
        return encoder_in_torch(network, place)


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


def _opening(error: Exception) -> str:
    """Return the first two lines of a message: who raised it, and what it was."""
    return " ".join(str(error).split("\n")[:2]) or type(error).__name__


def _as_tuple(output: Any) -> tuple[Tensor, ...]:
    return (output,) if isinstance(output, Tensor) else tuple(output)
