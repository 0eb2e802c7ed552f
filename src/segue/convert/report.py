"""What became of the records: kept by kind, dropped by reason, repaired how."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.convert.accounts import Accounts
from segue.convert.dialogue import Dialogue
from segue.version import __version__

EXAMPLES = 5
"""Ids that are listed for each reason."""


@dataclass(slots=True)
class Report:
    """Counts of one conversion. What was read is what was kept and what was dropped."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    read: int = 0
    useful: int = 0
    """Dialogues with a tag, a box, or something that is absent."""
    kinds: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    files: list[Path] = field(default_factory=list)
    """What was written."""
    accounts: Accounts = field(default_factory=Accounts)
    """What became of the entries behind the records."""

    @property
    def kept(self) -> int:
        return self.kinds.total()

    @property
    def dropped(self) -> int:
        return self.reasons.total()

    def keep(self, dialogue: Dialogue) -> None:
        """Count a dialogue that was written."""
        self.kinds[dialogue.kind] += 1
        self.splits[dialogue.split or "train"] += 1
        self.languages[dialogue.language] += 1
        self.sources[dialogue.source] += 1

    def drop(self, reason: str, id: str) -> None:
        """Count a record that was not."""
        self.reasons[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(id)

    def note(self, notes: Iterable[str]) -> None:
        """Count repairs; each kind of repair once a record."""
        self.notes.update({note.partition(": ")[0] for note in notes})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "segue": __version__,
            "settings": dict(self.settings),
            "read": self.read,
            "kept": self.kept,
            "kinds": _sorted(self.kinds),
            "splits": _sorted(self.splits),
            "languages": _sorted(self.languages),
            "sources": _sorted(self.sources),
            "dropped": {
                reason: {"count": count, "examples": self.examples[reason]}
                for reason, count in self.reasons.most_common()
            },
            "repaired": _sorted(self.notes),
            "entries": self.accounts.to_json(),
            "files": [file.name for file in self.files],
        }

    def summary(self) -> str:
        """A few lines for a person."""
        lines = [f"{self.read} records read, {self.kept} dialogues kept, {self.dropped} dropped."]
        for title, counts in (
            ("kept by kind", self.kinds),
            ("split", self.splits),
            ("dropped", self.reasons),
            ("repaired", self.notes),
        ):
            if counts:
                listed = ", ".join(f"{name} {count}" for name, count in counts.most_common())
                lines.append(f"{title}: {listed}")
        lines += self.accounts.summary()
        return "\n".join(lines)


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
