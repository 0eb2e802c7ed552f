"""How long a training lasts, and how the learning rate follows it."""

import time
from dataclasses import dataclass, field


@dataclass
class Budget:
    """How long a run lasts: some minutes of wall clock, or exactly so many steps.

    The learning rate follows the share of the budget that is spent, so that it has come down when
    the time is over however busy the machine was.
    """

    minutes: float
    """Wall clock over all parts of a run that was stopped and resumed."""
    steps: int | None = None
    """Exactly so many steps instead, where given."""
    spent: float = 0.0
    """Time of earlier parts, in seconds."""
    _start_time: float = field(default_factory=time.monotonic)

    def restart_clock(self) -> None:
        """Count from now on, as if the run began here."""
        self._start_time = time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds spent, earlier parts included."""
        return self.spent + time.monotonic() - self._start_time

    def progress(self, step: int) -> float:
        """Return the share of the budget spent after `step` steps; 1 or more when it is over."""
        if self.steps is not None:
            return step / self.steps
        return self.elapsed() / (60 * self.minutes)


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a share of its peak: warm-up, plateau, linear decay.

    >>> schedule = Schedule(warm_up=10, hold=0.4)
    >>> [round(schedule.share(step, step / 100), 2) for step in (0, 9, 40, 70, 100)]
    [0.1, 1.0, 1.0, 0.5, 0.01]
    """

    warm_up: int
    """Steps until the peak is reached."""
    hold: float
    """Share of the budget after which the rate decays."""
    end: float = 0.0
    """What the decay aims at when the budget is spent."""
    floor: float = 0.01
    """The share never falls below this."""

    def share(self, step: int, progress: float) -> float:
        """Return the share of the peak rate at `step`, when `progress` of the budget is spent."""
        decay = self.end + (1 - self.end) * (1 - progress) / (1 - self.hold)
        return min(1.0, (step + 1) / self.warm_up) * min(1.0, max(self.floor, decay))
