"""What became of the entries of annotation files: read = used + dropped, kind by kind.

A record becomes a dialogue or is dropped; the entries behind it (annotations, references,
sentences) have accounts of their own, for many make one dialogue.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 5
"""Entries that are listed for each reason."""

Log = Callable[[str, str, str, str], None]
"""Gets kind, id, reason and detail of each entry that is dropped."""


@dataclass(slots=True)
class EntryCounts:
    """The entries of one kind."""

    read: int = 0
    used: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Reason -> how many were dropped for it."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    """How entries were repaired, or what was odd about some that were used -> how many."""

    @property
    def dropped(self) -> int:
        return self.reasons.total()


class Accounts:
    """Entries by kind: "annotation", "reference", "sentence", …"""

    def __init__(self) -> None:
        self.kinds: dict[str, EntryCounts] = {}
        self.log: Log | None = None
        """Set by whoever keeps a file of all that was dropped."""

    def of(self, kind: str) -> EntryCounts:
        """The counts of one kind."""
        return self.kinds.setdefault(kind, EntryCounts())

    def read(self, kind: str, count: int = 1) -> None:
        """Count entries that a file holds."""
        self.of(kind).read += count

    def use(self, kind: str, count: int = 1) -> None:
        """Count entries that stand in a dialogue."""
        self.of(kind).used += count

    def drop(self, kind: str, id: str, reason: str, detail: str = "") -> None:
        """Count an entry that stands in none.

        Args:
            kind: of entry.
            id: names it for a person: "annotation 3 of instances.json (id 12)".
            reason: one of a few fixed sentences, to count by.
            detail: what exactly was wrong.
        """
        counts = self.of(kind)
        counts.reasons[reason] += 1
        examples = counts.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(f"{id}: {detail}" if detail else id)
        if self.log is not None:
            self.log(kind, id, reason, detail)

    def note(self, kind: str, what: str) -> None:
        """Count a repair, or an oddity that did no harm."""
        self.of(kind).notes[what] += 1

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, by kind."""
        return {
            kind: {
                "read": counts.read,
                "used": counts.used,
                "dropped": {
                    reason: {"count": count, "examples": counts.examples[reason]}
                    for reason, count in counts.reasons.most_common()
                },
                "repaired": dict(sorted(counts.notes.items())),
            }
            for kind, counts in self.kinds.items()
        }

    def summary(self) -> list[str]:
        """A line or two for each kind, for a person."""
        lines = []
        for kind, counts in self.kinds.items():
            plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
            lines.append(f"{plural}: {counts.read} read, {counts.used} used, {counts.dropped} not")
            for reason, count in counts.reasons.most_common():
                lines.append(f"  not used: {reason} {count}, first {counts.examples[reason][0]}")
            for note, count in counts.notes.most_common():
                lines.append(f"  noted: {note} {count}")
        return lines
