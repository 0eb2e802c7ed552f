"""Batches for a training: drawn in this process, or ahead of time by worker processes."""

from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

Batch = TypeVar("Batch")
BatchOut = TypeVar("BatchOut", covariant=True)


class BatchSource(Protocol[BatchOut]):
    """Draws batches. It is made of arrays, not of tensors, so that it can work in any process."""

    def batch(self, step: int) -> BatchOut:
        """Draw batch number `step`."""

    def branch(self, number: int) -> None:
        """Turn to scenes of its own, as worker `number`."""

    def state_dict(self) -> Any:
        """Return what the checkpoint keeps."""

    def load_state_dict(self, state: Any) -> None:
        """Restore what `state_dict` returned."""


class BatchFeed(Generic[Batch]):
    """The batches of a source in their order.

    Without workers a batch depends on its step and on the source alone, and a resumed run goes on
    exactly. Workers make batches ahead, each from scenes of its own, so that a network on an
    accelerator never waits; what they draw depends on their number and on where the run resumed.
    """

    def __init__(self, source: BatchSource[Batch], workers: int = 0, ahead: int = 4) -> None:
        """Prepare the feed; workers start with the first batch.

        Args:
            source: draws the batches.
            workers: processes that draw; 0: this one.
            ahead: batches that each worker has ready.
        """
        self.source, self.workers, self.ahead = source, workers, ahead
        self._batches: Iterator[Batch] | None = None

    def take(self, step: int) -> Batch:
        """Return batch number `step`; the steps of a run must follow one another."""
        if not self.workers:
            return self.source.batch(step)
        if self._batches is None:
            loader = DataLoader(
                _Steps(self.source),
                batch_size=None,
                sampler=range(step, 1 << 40),
                num_workers=self.workers,
                prefetch_factor=self.ahead,
                collate_fn=_as_it_is,
                worker_init_fn=_Branch(step),
            )
            self._batches = iter(loader)
        return next(self._batches)

    def close(self) -> None:
        """Stop the workers."""
        self._batches = None


class _Steps(Dataset[Batch]):
    def __init__(self, source: BatchSource[Batch]) -> None:
        self.source = source

    def __getitem__(self, step: int) -> Batch:
        return self.source.batch(step)


class _Branch:
    """Gives each worker scenes of its own; a run that resumed at another step gets others."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, worker: int) -> None:
        info = get_worker_info()
        assert info is not None, "it is called in a worker"
        cast(_Steps[Any], info.dataset).source.branch((self.step << 8) + worker + 1)


def _as_it_is(batch: Batch) -> Batch:
    return batch


def to_tensors(batch: Any, device: torch.device) -> Any:
    """Return a named tuple of arrays, and tuples and dicts of them, as tensors on a device.

    >>> from typing import NamedTuple
    >>> import numpy as np
    >>> class Pair(NamedTuple):
    ...     first: object
    ...     second: object
    >>> to_tensors(Pair(np.zeros(2), None), torch.device("cpu")).first.shape
    torch.Size([2])
    """
    if batch is None:
        return None
    if isinstance(batch, dict):
        return {name: to_tensors(part, device) for name, part in batch.items()}
    if isinstance(batch, tuple):
        return type(batch)(*(to_tensors(field, device) for field in batch))
    return tensor(batch, device)


def tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return an array as a tensor on a device."""
    return torch.from_numpy(array).to(device, non_blocking=True)
