"""`segue doctor`: what this machine offers, and how a chat model or endpoint behaves."""

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.options import Device, Dtype

if TYPE_CHECKING:
    from rich.console import Console

    from segue.doctor import Drawing, Verdict


def doctor(
    chat: Annotated[
        str | None,
        typer.Option(
            help="A chat model to examine: a nickname, hub id, folder, or "
            "openai:MODEL@http://host:port/v1.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the pictures of the examination, with true and found boxes."),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep/--no-keep", help="Keep what was found for later calls."),
    ] = True,
    device: Device = "auto",
    dtype: Dtype = None,
) -> None:
    """Report on this machine; with --chat, examine a chat model or endpoint.

    The chat model is shown drawn shapes whose places are known. What it is found to do (how it
    writes boxes, in which frame, whether pictures are resized on the way, tags taken out, replies
    cut off, second pictures lost) is kept in a profile, which later calls use.
    """
    from segue.cli.terminal.screen import screen

    console = screen()
    if chat is None:
        _machine(console)
        return
    verdict = _examined(console, chat, device, dtype)
    _show(console, verdict)
    _write(console, verdict, out, keep)


def _examined(console: "Console", chat: str, device: str, dtype: str | None) -> "Verdict":
    from segue.assistant.loading import load_stage
    from segue.cli.terminal.screen import waiting
    from segue.doctor import examine

    with waiting(console, "loading the chat model"):
        model = load_stage("chat", chat, device=device, dtype=dtype)
    steps: list[str] = []

    def tell(step: str) -> None:
        steps.append(step)
        if console.is_terminal:
            console.print(f"… {step}", style="dim")

    return examine(model, _drawings_on_board(), tell)


def _drawings_on_board() -> "list[Drawing]":
    """The sample scenes: for chat models that know drawn things but no plain shapes."""
    from segue.doctor import Drawing, Shape
    from segue.embedded.samples import samples
    from segue.values.box import Box
    from segue.values.image import Image

    return [
        Drawing(
            scene.name,
            Image.open(scene.file),
            tuple(Shape(thing.english, Box(*thing.box)) for thing in scene.objects),
        )
        for scene in samples()
    ]


def _show(console: "Console", verdict: "Verdict") -> None:
    from rich.table import Table

    from segue.cli.terminal.screen import printable

    table = Table(box=None, show_header=False)
    marks = {True: ("good", "green"), False: ("DEFECT", "red"), None: ("unclear", "yellow")}
    for finding in verdict.findings:
        mark, style = marks[finding.good]
        table.add_row(mark, finding.what, printable(finding.text), style=style)
    console.print(table)
    count = len(verdict.defects)
    console.print(f"{verdict.profile.name}: {count or 'no'} defect{'s' * (count != 1)}")


def _write(console: "Console", verdict: "Verdict", out: Path | None, keep: bool) -> None:
    from segue.files.atomic import write_picture
    from segue.runtime import profile

    if out is not None:
        for name, picture in verdict.pictures.items():
            write_picture(out / f"{name}.png", picture)
        console.print(f"pictures: {out}")
    if keep:
        console.print(f"profile: {profile.save(verdict.profile)}")


def _machine(console: "Console") -> None:
    """Versions, device, memory, weights on board, and whether the network is off."""
    from rich.table import Table

    from segue.version import __version__

    table = Table(box=None, show_header=False)
    table.add_row("segue", __version__)
    table.add_row("python", f"{platform.python_version()} on {platform.platform()}")
    for name in (
        "numpy",
        "pillow",
        "opencv-python-headless",
        "torch",
        "transformers",
        "tiktoken",
        "torchvision",
        "bitsandbytes",
        "openai",
    ):
        table.add_row(name, _version(name))
    for name, value in {
        **_device(),
        **_memory(),
        **_budget(),
        **_weights(),
        "network": _network(),
    }.items():
        table.add_row(name, value)
    console.print(table)


def _budget() -> dict[str, str]:
    """What may be remembered unless --memory or `memory=` says otherwise, and how it is split."""
    from segue.runtime.memory import MemoryBudget

    budget = MemoryBudget.of_machine()
    parts = ", ".join(f"{name} {size // 2**20}" for name, size in budget.parts.items())
    return {"memory budget": f"{budget.total // 2**20} MiB ({parts})"}


_MODELS = "it comes with pip install 'segue[models]'"
_WITHOUT = {
    "torchvision": "not needed; pictures go through Pillow",
    "bitsandbytes": "needed for 4- and 8-bit weights: pip install 'segue[quantize]'",
    "openai": "needed for endpoints: pip install 'segue[openai]'",
}


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return f"not installed; {_WITHOUT.get(package, _MODELS)}"


def _device() -> dict[str, str]:
    from segue.errors import MissingExtra
    from segue.runtime.device import pick

    try:
        device, dtype = pick()
    except MissingExtra as error:
        return {"device": str(error)}
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    format_ = str(dtype).removeprefix("torch.")
    found = {"device": f"{device} ({name}), {format_}, {torch.get_num_threads()} threads"}
    if device.type == "cuda":
        free, total = (value / 2**30 for value in torch.cuda.mem_get_info(device))
        found["device memory"] = f"{total:.1f} GiB, {free:.1f} GiB of it free"
    return found


def _memory() -> dict[str, str]:
    import os

    if sys.platform == "win32":
        return {}
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (os.sysconf(name) * page / 2**30 for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    return {"memory": f"{total:.1f} GiB, {free:.1f} GiB of it free"}


def _weights() -> dict[str, str]:
    from segue.errors import ModelError
    from segue.runtime.weights import BUNDLED, locate

    found = {}
    for part in BUNDLED:
        try:
            folder = locate(f"embedded/{part}")
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            found[f"embedded {part}"] = f"{size / 1e6:.1f} MB in {folder}"
        except ModelError as error:
            found[f"embedded {part}"] = str(error)
    return found


def _network() -> str:
    from segue.runtime.weights import offline

    return "off (SEGUE_OFFLINE or HF_HUB_OFFLINE)" if offline() else "on"
