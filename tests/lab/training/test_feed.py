"""Batches in order, from this process or from workers."""

from typing import NamedTuple

import numpy as np
import torch

from lab.training.feed import BatchFeed, to_tensors
from lab.training.precision import CPU
from lab.training.replay import ReplayPool


class Numbers:
    """Batches of one number from a pool of random ones, with the step beside it."""

    def __init__(self) -> None:
        self.pool = ReplayPool(lambda rng: int(rng.integers(1 << 30)), (3,), size=20, fresh=1.0)

    def batch(self, step: int) -> tuple[int, int]:
        return step, self.pool.take(np.random.default_rng(step))

    def branch(self, number: int) -> None:
        self.pool.branch(number)

    def state_dict(self) -> int:
        return self.pool.state_dict()

    def load_state_dict(self, state: int) -> None:
        self.pool.load_state_dict(state)


def take(feed: BatchFeed, steps: range) -> list[tuple[int, int]]:
    batches = [feed.take(step) for step in steps]
    feed.close()
    return batches


def test_workers_deliver_in_order_and_none_repeats_another():
    batches = take(BatchFeed(Numbers(), workers=2), range(12))
    assert [step for step, _ in batches] == list(range(12))
    assert len({number for _, number in batches}) == 12


def test_workers_of_a_resumed_run_draw_other_scenes():
    first = take(BatchFeed(Numbers(), workers=1), range(6))
    second = take(BatchFeed(Numbers(), workers=1), range(6, 12))
    assert [step for step, _ in second] == list(range(6, 12))
    assert not {number for _, number in first} & {number for _, number in second}


def test_without_workers_a_resumed_run_goes_on_exactly():
    whole, source = take(BatchFeed(Numbers()), range(8)), Numbers()
    take(BatchFeed(source), range(5))
    resumed = Numbers()
    resumed.load_state_dict(source.state_dict())
    assert take(BatchFeed(resumed), range(5, 8)) == whole[5:]


class Nested(NamedTuple):
    """A batch with parts."""

    images: object
    parts: object
    nothing: object = None


def test_arrays_in_tuples_and_dicts_become_tensors():
    batch = Nested(np.arange(3, dtype=np.uint8), {"a": Nested(np.ones(2), {})})
    tensors = to_tensors(batch, CPU)
    assert tensors.images.dtype == torch.uint8
    assert tensors.parts["a"].images.tolist() == [1, 1]
    assert tensors.nothing is None
