"""`segue doctor`."""

from segue.version import __version__
from segue.weights import ON_BOARD


def test_the_machine_and_the_weights_are_reported(run, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_OFFLINE", "1")
    outcome = run("doctor")
    assert outcome.code == 0, outcome.err
    assert __version__ in outcome.out
    for name in ("python", "torch", "device", "memory", *(f"embedded {p}" for p in ON_BOARD)):
        assert f"\n {name} " in outcome.out
    assert "off (SEGUE_OFFLINE" in outcome.out
