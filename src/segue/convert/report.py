"""Counts of records: kept by kind, dropped by reason, and how they were repaired."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.convert.dialogue import Dialogue
from segue.convert.entry_tally import EntryTally
from segue.version import __version__

MAX_EXAMPLES = 5
"""Ids that are listed for each reason."""


@dataclass(slots=True)
class ConversionReport:
    """Counts of one conversion: read = kept + dropped."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    n_read: int = 0
    n_grounded: int = 0
    """Dialogues with a tag, a box, or something absent."""
    kinds: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    files: list[Path] = field(default_factory=list)
    """What was written."""
    tally: EntryTally = field(default_factory=EntryTally)
    """Counts of the entries behind the records."""

    @property
    def n_kept(self) -> int:
        return self.kinds.total()

    @property
    def n_dropped(self) -> int:
        return self.reasons.total()

    def count_kept(self, dialogue: Dialogue) -> None:
        """Count a dialogue that was written."""
        self.kinds[dialogue.kind] += 1
        self.splits[dialogue.split or "train"] += 1
        self.languages[dialogue.language] += 1
        self.sources[dialogue.source] += 1

    def count_dropped(self, reason: str, id: str) -> None:
        """Count a record that was dropped."""
        self.reasons[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < MAX_EXAMPLES:
            examples.append(id)

    def count_notes(self, notes: Iterable[str]) -> None:
        """Count repairs, each kind once for each record."""
        self.notes.update({note.partition(": ")[0] for note in notes})

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "segue": __version__,
            "settings": dict(self.settings),
            "read": self.n_read,
            "kept": self.n_kept,
            "kinds": _sort_counts(self.kinds),
            "splits": _sort_counts(self.splits),
            "languages": _sort_counts(self.languages),
            "sources": _sort_counts(self.sources),
            "dropped": {
                reason: {"count": count, "examples": self.examples[reason]}
                for reason, count in self.reasons.most_common()
            },
            "repaired": _sort_counts(self.notes),
            "entries": self.tally.to_json(),
            "files": [file.name for file in self.files],
        }

    def summary(self) -> str:
        """Return a few lines for the user."""
        lines = [
            f"{self.n_read} records read, {self.n_kept} dialogues kept, {self.n_dropped} dropped."
        ]
        for title, counts in (
            ("kept by kind", self.kinds),
            ("split", self.splits),
            ("dropped", self.reasons),
            ("repaired", self.notes),
        ):
            if counts:
                counts_text = ", ".join(f"{name} {count}" for name, count in counts.most_common())
                lines.append(f"{title}: {counts_text}")
        lines += self.tally.summary()
        return "\n".join(lines)


def _sort_counts(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
