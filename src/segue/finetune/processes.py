"""Several processes that train one model together, as torchrun or `accelerate launch` start them.

Each holds a copy of the network and learns from its share of every batch; gradients are averaged.
The main process alone reads the conversations and writes log, checkpoints and result.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, zip_longest
from typing import Any, TypeVar

import torch

from segue.errors import InputError, MissingExtra, ModelError, SegueError

T = TypeVar("T")
_PATIENCE = timedelta(hours=3)
"""How long processes wait for one another: the main one may read many conversations."""


class StoppedElsewhere(ModelError):
    """Another process of this run stopped; it says itself why."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes of a run, and which of them this is."""

    index: int = 0
    count: int = 1
    local_index: int = 0
    """Among those of this machine."""

    @property
    def is_main(self) -> bool:
        """True in the process that writes."""
        return self.index == 0

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            torch.distributed.barrier()

    def from_main(self, function: Callable[[], T]) -> T:
        """Run a function in the main process, and return its result in all of them.

        Raises:
            SegueError: what it raises, in the main process; `StoppedElsewhere` in the others.
        """
        if self.count == 1:
            return function()
        result, error = None, None
        if self.is_main:
            try:
                result = function()
            except SegueError as raised_error:
                error = raised_error
        shared: list[Any] = [result, None if error is None else str(error)]
        torch.distributed.broadcast_object_list(shared, src=0)
        if error is not None:
            raise error
        if shared[1] is not None:
            raise StoppedElsewhere(f"The main process stopped: {shared[1]}")
        return shared[0]

    def share(self, values: Sequence[T]) -> Sequence[T]:
        """Return this process's share of values."""
        return values[self.index :: self.count]

    def gather(self, shared_values: Sequence[T]) -> list[T]:
        """Return the values of all processes in the order that `share` found them in."""
        if self.count == 1:
            return list(shared_values)
        by_process: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(by_process, list(shared_values))
        missing = object()
        in_order = chain.from_iterable(zip_longest(*by_process, fillvalue=missing))
        return [value for value in in_order if value is not missing]


def find_process_group() -> ProcessGroup:
    """Return the group that the launcher describes in the environment; without one: one process."""
    if "LOCAL_RANK" not in os.environ:
        return ProcessGroup()
    index, count, local_index = (
        int(os.environ.get(name, default))
        for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    return ProcessGroup(index, count, local_index)


def is_lost_connection(error: Exception) -> bool:
    """Return True when an error says that another process of the run is gone."""
    return isinstance(error, torch.distributed.DistError) or "gloo/transport" in str(error)


@contextmanager
def connected_processes(device: torch.device) -> Iterator[ProcessGroup]:
    """Connect the processes of a run: through NCCL on GPUs, through gloo on processors.

    Args:
        device: that of this process.

    Raises:
        InputError: the launcher is set to something else than copies of the network.
        MissingExtra: accelerate is not installed.
    """
    group = find_process_group()
    if group.count == 1:
        yield group
        return
    for name in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true":
            raise InputError(
                f"Several processes train copies of one network here; {name} spreads one network "
                "over them. Use a configuration of accelerate without it, or torchrun."
            )
    try:
        from accelerate import PartialState
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Several processes need the 'finetune' extra (accelerate is not installed). "
            "Run: pip install 'segue[finetune]'"
        ) from error
    was_connected = torch.distributed.is_initialized()
    PartialState(cpu=device.type == "cpu", timeout=_PATIENCE)
    yield group
    # Not after an error: taking gloo down under a network that still holds it can hang. The others
    # learn of it when this process ends.
    if not was_connected:
        torch.distributed.destroy_process_group()


def device_of_process(name: str, n_gpus: int) -> str:
    """Return the device of this process: each of several has a GPU of its own.

    Args:
        name: the device of the recipe.
        n_gpus: how many this machine has.

    Raises:
        InputError: the recipe names one GPU, or there are fewer GPUs than processes.
    """
    group = find_process_group()
    if group.count == 1:
        return name
    if ":" in name:
        raise InputError(
            f"Each of {group.count} processes takes a GPU of its own, got device = {name!r}. Use "
            "'auto' or 'cuda', and choose GPUs with CUDA_VISIBLE_DEVICES."
        )
    if name == "cpu" or not n_gpus:
        return name
    if group.local_index >= n_gpus:
        raise InputError(
            f"There are more processes on this machine than GPUs ({n_gpus}). "
            "Start one for each GPU."
        )
    return f"cuda:{group.local_index}"
