"""`segue doctor`: what this machine offers, and how a chat model or endpoint behaves."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.options import DeviceOption, DtypeOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from segue.doctor import Drawing, Verdict


def doctor(
    chat: Annotated[
        str | None,
        typer.Option(
            help="Chat model to examine: a nickname, hub id, folder or "
            "openai:MODEL@http://host:port/v1.",
        ),
    ] = None,
    picture_folder: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for the test pictures, with the true and the predicted boxes."
        ),
    ] = None,
    save_profile: Annotated[
        bool,
        typer.Option("--save-profile/--no-save-profile", help="Save the findings for later calls."),
    ] = True,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    json_target: JsonOption = None,
) -> None:
    """Report on this machine; with --chat, examine a chat model or endpoint.

    The chat model is asked about drawn shapes whose boxes are known. The findings (how it writes
    boxes, in which coordinate frame, whether pictures are resized, special tokens stripped, replies
    truncated or second pictures lost) are saved in a profile, which later calls use.
    """
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console

    console = make_console(quiet=json_target == "-")
    if chat is None:
        machine = _describe_machine()
        _print_machine(console, machine)
        write_json({"machine": machine}, json_target)
        return
    verdict = _examine_chat(console, chat, device, dtype)
    _print_findings(console, verdict)
    _save_findings(console, verdict, picture_folder, save_profile)
    write_json(
        {
            "profile": verdict.profile.to_json(),
            "findings": [asdict(finding) for finding in verdict.findings],
        },
        json_target,
    )


def _examine_chat(console: "Console", chat: str, device: str, dtype: str | None) -> "Verdict":
    from segue.assistant.loading import load_stage
    from segue.cli.terminal.screen import show_status
    from segue.doctor import examine

    with show_status(console, "loading the chat model"):
        model = load_stage("chat", chat, device=device, dtype=dtype)

    def print_step(step: str) -> None:
        if console.is_terminal:
            console.print(f"… {step}", style="dim")

    return examine(model, _bundled_drawings(), print_step)


def _bundled_drawings() -> "list[Drawing]":
    """Return the sample scenes, for chat models that know drawn objects but no plain shapes."""
    from segue.doctor import Drawing, DrawnShape
    from segue.embedded.samples import samples
    from segue.values.box import Box
    from segue.values.image import Image

    return [
        Drawing(
            scene.name,
            Image.open(scene.file),
            tuple(DrawnShape(item.english, Box(*item.box)) for item in scene.objects),
        )
        for scene in samples()
    ]


def _print_findings(console: "Console", verdict: "Verdict") -> None:
    from rich.table import Table

    from segue.cli.terminal.screen import printable

    table = Table(box=None, show_header=False)
    marks = {True: ("good", "green"), False: ("DEFECT", "red"), None: ("unclear", "yellow")}
    for finding in verdict.findings:
        mark, style = marks[finding.is_good]
        table.add_row(mark, finding.topic, printable(finding.text), style=style)
    console.print(table)
    count = len(verdict.defects)
    console.print(f"{verdict.profile.name}: {count or 'no'} defect{'s' * (count != 1)}")


def _save_findings(
    console: "Console", verdict: "Verdict", picture_folder: Path | None, save_profile: bool
) -> None:
    from segue.files.atomic import write_picture
    from segue.runtime import profile

    if picture_folder is not None:
        for name, picture in verdict.pictures.items():
            write_picture(picture_folder / f"{name}.png", picture)
        console.print(f"pictures: {picture_folder}")
    if save_profile:
        console.print(f"profile: {profile.save(verdict.profile)}")


def _print_machine(console: "Console", machine: "Mapping[str, str]") -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False)
    for name, value in machine.items():
        table.add_row(name, value)
    console.print(table)


def _describe_machine() -> dict[str, str]:
    """Return versions, device, memory, bundled weights, and whether the network may be used."""
    from segue.version import __version__

    packages = (
        "numpy",
        "pillow",
        "opencv-python-headless",
        "torch",
        "transformers",
        "tiktoken",
        "torchvision",
        "bitsandbytes",
        "accelerate",
        "openvino",
        "openai",
    )
    return {
        "segue": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        **{name: _package_version(name) for name in packages},
        **_describe_device(),
        **_describe_memory(),
        **_describe_fit(),
        **_describe_quantized(),
        **_describe_budget(),
        **_describe_weights(),
        "network": _describe_network(),
    }


def _describe_budget() -> dict[str, str]:
    """Return the default memory budget for caches, and how it is split."""
    from segue.runtime.memory import MemoryBudget

    budget = MemoryBudget.of_machine()
    parts = ", ".join(f"{name} {size // 2**20}" for name, size in budget.parts.items())
    return {"memory budget": f"{budget.total // 2**20} MiB ({parts})"}


_MODELS_HINT = "install with: pip install 'segue[models]'"
_INSTALL_HINTS = {
    "torchvision": "not needed; pictures go through Pillow",
    "bitsandbytes": "for 4- and 8-bit weights: pip install 'segue[quantize]'",
    "accelerate": "for models on several devices: pip install 'segue[quantize]'",
    "openai": "for endpoints: pip install 'segue[openai]'",
    "openvino": "a faster engine on processors: pip install 'segue[openvino]'",
}


def _package_version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return f"not installed; {_INSTALL_HINTS.get(package, _MODELS_HINT)}"


def _describe_device() -> dict[str, str]:
    from segue.errors import MissingExtra
    from segue.runtime.device import here, multiplies_bfloat16, pick, pick_for_chat

    try:
        device, dtype = pick()
    except MissingExtra as error:
        return {"device": str(error)}
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    chat_dtype = pick_for_chat().dtype
    dtype_name = str(dtype).removeprefix("torch.")
    rows = {"device": f"{device} ({name}), {dtype_name}, {torch.get_num_threads()} threads"}
    if device.type == "cpu":
        rows["large encoders"] = (
            "bfloat16, which this processor multiplies fast; --dtype float32 for exact numbers"
            if multiplies_bfloat16(device)
            else "float32: this processor has no instructions for bfloat16"
        )
    if chat_dtype != dtype:
        rows["chat models"] = str(chat_dtype).removeprefix("torch.")
    for index in range(here().cuda):
        free, total = (value / 2**30 for value in torch.cuda.mem_get_info(index))
        title = torch.cuda.get_device_name(index)
        rows[f"memory of cuda:{index}"] = f"{total:.1f} GiB, {free:.1f} GiB free ({title})"
    if device.type == "mps":
        most = torch.mps.recommended_max_memory() / 2**30
        rows["memory of mps"] = f"{most:.1f} GiB of the processor's, as Metal recommends"
    return rows


def _describe_fit() -> dict[str, str]:
    """Return the largest preset that fits into what is free now."""
    from segue.pipeline.preset_memory import largest_fitting
    from segue.runtime.machine import memory_pools

    pool = memory_pools()[0]
    found = largest_fitting(pool.kind, pool.free_bytes)
    if found is None:
        return {"largest preset that fits": "none"}
    name, need = found
    figures = f"{need.total / 1e9:.1f} of {pool.free_bytes / 1e9:.1f} GB free on {pool.device}"
    return {"largest preset that fits": f"{name}: {figures}; segue models has the others"}


def _describe_quantized() -> dict[str, str]:
    """Return which weights that come quantised run here."""
    from segue.errors import MissingExtra
    from segue.runtime.device import capability, pick
    from segue.runtime.weights.quantization import METHODS, obstacle

    try:
        device = pick().device
    except MissingExtra:
        return {}
    found = {
        method.title: obstacle(name, device.type, capability(device))
        for name, method in METHODS.items()
    }
    running = [title for title, reason in found.items() if reason is None]
    others = [f"{title} needs {reason}" for title, reason in found.items() if reason is not None]
    return {"weights that come quantised": "; ".join([", ".join(running) or "none", *others])}


def _describe_memory() -> dict[str, str]:
    import psutil

    memory = psutil.virtual_memory()
    total, free = (value / 2**30 for value in (memory.total, memory.available))
    return {"memory": f"{total:.1f} GiB, {free:.1f} GiB free"}


def _describe_weights() -> dict[str, str]:
    from segue.errors import ModelError
    from segue.runtime.weights import BUNDLED, locate

    rows = {}
    for part in BUNDLED:
        try:
            folder = locate(f"embedded/{part}")
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            rows[f"embedded {part}"] = f"{size / 1e6:.1f} MB in {folder}"
        except ModelError as error:
            rows[f"embedded {part}"] = str(error)
    return rows


def _describe_network() -> str:
    from segue.runtime.weights import offline

    return "off (SEGUE_OFFLINE or HF_HUB_OFFLINE)" if offline() else "allowed"
