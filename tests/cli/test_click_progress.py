"""What is said while everything on a picture is segmented."""

from segue.cli.terminal.click_progress import ClickProgress


def told_of(seconds, *clicks):
    """What is shown and estimated, where the clock shows these seconds, the start first."""
    shown, estimates = [], []
    clock = iter(seconds)
    progress = ClickProgress(clock=lambda: next(clock))
    progress.begin(shown.append, estimates.append)
    for done, total in clicks:
        progress(done, total)
    return shown, estimates


def test_a_slow_first_picture_is_estimated_once():
    shown, estimates = told_of([0, 4, 8, 20], (64, 256), (128, 256), (64, 256))
    assert shown == ["64 of 256 clicks", "128 of 256 clicks", "64 of 256 clicks"]
    assert estimates == [16]


def test_quick_pictures_are_estimated_by_whole_ones():
    shown, estimates = told_of([0, 1, 2], (64, 128), (128, 128))
    assert (shown, estimates) == (["64 of 128 clicks", ""], [])


def test_nothing_is_said_before_it_begins():
    ClickProgress()(1, 2)
