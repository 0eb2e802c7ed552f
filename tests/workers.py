"""Which tests go to one worker together."""

from collections.abc import Iterable

import pytest


def one_worker_each(kind: str, names: Iterable[str]) -> list:
    """Parameters of a fixture that takes long to make: the tests of each are one group, so that it
    is made once."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(f"{kind} {name}")) for name in names]
