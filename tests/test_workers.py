"""Groups of tests: pytest-xdist reads them from the ids of the tests, and from nothing else."""

import os

import pytest


@pytest.mark.xdist_group("workers")
@pytest.mark.parametrize("name", ["plain", "with [brackets]", "a::b@c"])
def test_a_worker_sees_the_group_in_the_id(request: pytest.FixtureRequest, name: str) -> None:
    seen = request.node.nodeid.endswith(f"[{name}]@workers")
    assert seen == ("PYTEST_XDIST_WORKER" in os.environ)
