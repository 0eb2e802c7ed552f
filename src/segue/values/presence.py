"""The verdict on a phrase: present, absent or unsure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from segue.errors import InputError

Presence = Literal["present", "absent", "unsure"]


@dataclass(frozen=True, slots=True)
class PresenceVerdict:
    """How likely it is that what a phrase names is in the picture.

    >>> str(PresenceVerdict(0.42, "unsure"))
    'unsure (42 %)'
    """

    probability: float
    """Calibrated, in [0, 1]."""
    presence: Presence

    def __str__(self) -> str:
        return f"{self.presence} ({100 * self.probability:.0f} %)"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        return {"probability": self.probability, "presence": self.presence}

    @classmethod
    def from_json(cls, value: Any) -> "PresenceVerdict":
        """Read what `to_json` wrote.

        Raises:
            InputError: it is no verdict.
        """
        entry: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        probability, presence = entry.get("probability"), entry.get("presence")
        is_number = isinstance(probability, int | float) and not isinstance(probability, bool)
        if not is_number or not 0 <= float(probability or 0) <= 1 or presence not in _PRESENCES:
            raise InputError(
                "A verdict must have a 'probability' from 0 to 1 and a 'presence' of "
                f"{', '.join(_PRESENCES)}, got {value!r}."
            )
        return cls(float(probability or 0), presence)


_PRESENCES = ("present", "absent", "unsure")
