"""`segue doctor`: what this machine offers, and what is missing."""

import platform
import sys


def doctor() -> None:
    """Report versions, device, memory, weights on board, and whether the network is off."""
    from rich.table import Table

    from segue.cli.screen import screen
    from segue.version import __version__

    table = Table(box=None, show_header=False)
    table.add_row("segue", __version__)
    table.add_row("python", f"{platform.python_version()} on {platform.platform()}")
    for name in ("numpy", "pillow", "opencv-python-headless", "torch", "transformers", "tiktoken"):
        table.add_row(name, _version(name))
    for name, value in {**_device(), **_memory(), **_weights(), "network": _network()}.items():
        table.add_row(name, value)
    screen().print(table)


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed; it comes with pip install 'segue[models]'"


def _device() -> dict[str, str]:
    from segue.device import pick
    from segue.errors import MissingExtra

    try:
        device, dtype = pick()
    except MissingExtra as error:
        return {"device": str(error)}
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    format_ = str(dtype).removeprefix("torch.")
    return {"device": f"{device} ({name}), {format_}, {torch.get_num_threads()} threads"}


def _memory() -> dict[str, str]:
    import os

    if sys.platform == "win32":
        return {}
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (os.sysconf(name) * page / 2**30 for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    return {"memory": f"{total:.1f} GiB, {free:.1f} GiB of it free"}


def _weights() -> dict[str, str]:
    from segue.errors import ModelError
    from segue.weights import ON_BOARD, locate

    found = {}
    for part in ON_BOARD:
        try:
            folder = locate(f"embedded/{part}")
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            found[f"embedded {part}"] = f"{size / 1e6:.1f} MB in {folder}"
        except ModelError as error:
            found[f"embedded {part}"] = str(error)
    return found


def _network() -> str:
    from segue.weights import offline

    return "off (SEGUE_OFFLINE or HF_HUB_OFFLINE)" if offline() else "on"
