"""Counts of the entries of annotation files: read = used + dropped, kind by kind.

A record becomes a dialogue or is dropped; the entries behind it (annotations, references,
sentences) are counted on their own, since several of them make one dialogue.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MAX_EXAMPLES = 5
"""Entries that are listed for each reason."""

DropLog = Callable[[str, str, str, str], None]
"""Gets kind, id, reason and detail of each entry that is dropped."""


@dataclass(slots=True)
class EntryCounts:
    """The entries of one kind."""

    n_read: int = 0
    n_used: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Reason -> how many were dropped for it."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    """Repair or irregularity of entries that were used -> how many."""

    @property
    def n_dropped(self) -> int:
        return self.reasons.total()


class EntryTally:
    """Counts of entries by kind: "annotation", "reference", "sentence", …"""

    def __init__(self) -> None:
        self.kinds: dict[str, EntryCounts] = {}
        self.log: DropLog | None = None
        """Called for each entry that is dropped; set by `write_dataset`."""

    def counts_of(self, kind: str) -> EntryCounts:
        """Return the counts of one kind."""
        return self.kinds.setdefault(kind, EntryCounts())

    def count_read(self, kind: str, count: int = 1) -> None:
        """Count entries that a file holds."""
        self.counts_of(kind).n_read += count

    def count_used(self, kind: str, count: int = 1) -> None:
        """Count entries that are part of a dialogue."""
        self.counts_of(kind).n_used += count

    def count_dropped(self, kind: str, id: str, reason: str, detail: str = "") -> None:
        """Count an entry that is part of none.

        Args:
            kind: of entry.
            id: names it for the user: "annotation 3 of instances.json (id 12)".
            reason: one of a few fixed sentences, to count by.
            detail: what exactly was wrong.
        """
        counts = self.counts_of(kind)
        counts.reasons[reason] += 1
        examples = counts.examples.setdefault(reason, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(f"{id}: {detail}" if detail else id)
        if self.log is not None:
            self.log(kind, id, reason, detail)

    def count_note(self, kind: str, what: str) -> None:
        """Count a repair, or a harmless irregularity."""
        self.counts_of(kind).notes[what] += 1

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, by kind."""
        return {
            kind: {
                "read": counts.n_read,
                "used": counts.n_used,
                "dropped": {
                    reason: {"count": count, "examples": counts.examples[reason]}
                    for reason, count in counts.reasons.most_common()
                },
                "repaired": dict(sorted(counts.notes.items())),
            }
            for kind, counts in self.kinds.items()
        }

    def summary(self) -> list[str]:
        """Return a line or two for each kind, for the user."""
        lines = []
        for kind, counts in self.kinds.items():
            plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
            lines.append(
                f"{plural}: {counts.n_read} read, {counts.n_used} used, {counts.n_dropped} not"
            )
            for reason, count in counts.reasons.most_common():
                lines.append(f"  not used: {reason} {count}, first {counts.examples[reason][0]}")
            for note, count in counts.notes.most_common():
                lines.append(f"  noted: {note} {count}")
        return lines
