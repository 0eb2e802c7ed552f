"""What a run looks for, and by which rules results are kept."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from segue.errors import InputError
from segue.files.unicode import is_well_formed, well_formed
from segue.runs.tiling import Tiling
from segue.segment.everything import EverythingOptions

EVERYTHING_CLASS = "object"
"""What is segmented by `everything` is called."""

_CLASS = re.compile(
    r"(?P<name>[^=:|]+?)\s*(?:=\s*(?P<phrases>[^:]+?))?\s*(?::\s*(?P<threshold>[^:]+))?"
)


@dataclass(frozen=True, slots=True)
class ClassRule:
    """One class of a run."""

    name: str
    phrases: tuple[str, ...]
    """What is looked for; all of them are this class."""
    threshold: float | None = None
    """Keep what scores above this; None: as the run says, else the detector's own."""

    @classmethod
    def parse(cls, text: str) -> "ClassRule":
        """Read a class: "cup", "cup:0.4", "cup=mug|coffee cup:0.4".

        Raises:
            InputError: it is none of these.

        >>> ClassRule.parse("cup = mug | coffee cup : 0.4")
        ClassRule(name='cup', phrases=('mug', 'coffee cup'), threshold=0.4)
        """
        match = _CLASS.fullmatch(text.strip())
        if match is None:
            raise InputError(
                f"Expected a class as NAME, NAME:0.4 or NAME=PHRASE|PHRASE, got {text!r}."
            )
        name = match.group("name").strip()
        phrases = tuple(
            phrase.strip()
            for phrase in (match.group("phrases") or name).split("|")
            if phrase.strip()
        )
        threshold = None
        if (number := match.group("threshold")) is not None:
            try:
                threshold = float(number)
            except ValueError:
                threshold = -1.0
            if not 0 <= threshold <= 1:
                raise InputError(f"The threshold of {name!r} must be from 0 to 1, got {number!r}.")
        if not name or not phrases:
            raise InputError(f"The class {text!r} has no name or no phrase.")
        return cls(name, phrases, threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """All that the results of a run depend on, besides pictures and models."""

    classes: tuple[ClassRule, ...] = ()
    question: str | None = None
    """What the chat model is asked about each picture; None: see `ask_column`."""
    ask_column: str | None = None
    """Where the sources have a question about each picture; None: nowhere."""
    negatives: tuple[str, ...] = ()
    """Phrases that are no class: what looks more like one of them is left out."""
    threshold: float | None = None
    """For classes without their own; None: the detector's."""
    min_area: float = 0.0
    """Leave out what covers less, in pixels."""
    max_per_class: int | None = None
    """On a picture, best scores first."""
    max_overlap: float | None = None
    """Of boxes of any class that overlap more (IoU), the best stays; None: all stay."""
    tile: Tiling | None = None
    """Look at tiles of large pictures too; None: at whole pictures alone."""
    from_boxes: bool = False
    """Segment the boxes that the source has, instead of looking for anything."""
    everything: EverythingOptions | None = None
    """Segment everything there is, as one class, instead of looking for anything."""

    def __post_init__(self) -> None:
        """Refuse settings that ask for nothing, or that make no sense."""
        is_looking = bool(self.classes) or self.asks_chat or self.from_boxes
        if not is_looking and self.everything is None:
            raise InputError(
                "Nothing to look for: give classes (--classes a,b), a question (--ask), a column "
                "of questions (--ask-column), a COCO file with boxes (--from-boxes), or "
                "--everything."
            )
        if self.question is not None and self.ask_column is not None:
            raise InputError("Give one question for all (--ask), or a column (--ask-column).")
        if self.everything is not None and (self.classes or self.asks_chat or self.from_boxes):
            raise InputError(
                "Everything is segmented without classes, questions or boxes. Leave them out, or "
                "leave out --everything."
            )
        texts = [*self.negatives, self.question or "", self.ask_column or ""]
        texts += [text for rule in self.classes for text in (rule.name, *rule.phrases)]
        for text in texts:
            if not is_well_formed(text):
                raise InputError(f"{well_formed(text)!r} is in no known encoding. Type it again.")
        names = [rule.name for rule in self.classes]
        repeated_names = sorted({name for name in names if names.count(name) > 1})
        if repeated_names:
            raise InputError(
                f"The class {repeated_names[0]!r} is given twice. Join its phrases with |."
            )
        phrases = Counter(phrase for rule in self.classes for phrase in set(rule.phrases))
        shared_phrases = [phrase for phrase, count in phrases.items() if count > 1]
        if shared_phrases:
            raise InputError(f"The phrase {shared_phrases[0]!r} belongs to two classes. Keep one.")
        if self.question is not None and not self.question.strip():
            raise InputError("The question is empty.")
        if self.max_overlap is not None and not 0 <= self.max_overlap <= 1:
            raise InputError(f"The overlap must be from 0 to 1, got {self.max_overlap}.")
        if self.max_per_class is not None and self.max_per_class < 1:
            raise InputError(f"At least one object a class must be kept, got {self.max_per_class}.")

    @property
    def asks_chat(self) -> bool:
        """Whether the chat model is asked."""
        return self.question is not None or self.ask_column is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, in their order."""
        if self.everything is not None:
            return (EVERYTHING_CLASS,)
        return tuple(rule.name for rule in self.classes)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        value = asdict(self)
        unused = [key for key in LATER_FIELDS if value[key] == _DEFAULTS[key]]
        return {key: field for key, field in value.items() if key not in unused}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RunSettings":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: it is not that.
            InputError: a value makes no sense.
        """
        if not isinstance(value["question"], str | None):
            raise TypeError("the question is no text")
        classes = tuple(
            ClassRule(str(rule["name"]), tuple(map(str, rule["phrases"])), rule["threshold"])
            for rule in value["classes"]
        )
        other_fields = {
            key: value[key]
            for key in cls.__dataclass_fields__
            if key != "classes" and (key in value or key not in LATER_FIELDS)
        }
        other_fields["negatives"] = tuple(map(str, value["negatives"]))
        other_fields["tile"] = None if value["tile"] is None else Tiling(**value["tile"])
        if (everything := value.get("everything")) is not None:
            other_fields["everything"] = EverythingOptions(**everything)
        return cls(classes=classes, **other_fields)


LATER_FIELDS = frozenset({"ask_column", "everything"})
"""Fields that runs of earlier versions lack; they are written only where they are used."""
_DEFAULTS = {key: field.default for key, field in RunSettings.__dataclass_fields__.items()}


def parse_classes(text: str | Iterable[str]) -> tuple[ClassRule, ...]:
    """Read classes from a text with commas, or from several.

    >>> [rule.name for rule in parse_classes("dog, cat:0.3")]
    ['dog', 'cat']
    """
    texts = text.split(",") if isinstance(text, str) else list(text)
    return tuple(ClassRule.parse(part) for part in texts if part.strip())


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what changed between two manifests, as sentences without an end.

    >>> differences({"threshold": 0.3, "models": {"chat": "a"}}, {"threshold": 0.4, "models": {}})
    ['threshold was 0.3, is 0.4', "models.chat was 'a', is None"]
    >>> differences({"classes": [{"name": "dog"}]}, {"classes": [{"name": "dog"}, {"name": "cat"}]})
    ['classes: cat is new']
    """
    changes = []
    for key in dict.fromkeys((*before, *now)):
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += [f"{key}.{change}" for change in differences(old, new)]
        elif old != new and (entries := _by_name(old, new)) is not None:
            changes += _entry_differences(key, *entries)
        elif old != new:
            changes.append(f"{key} was {old!r}, is {new!r}")
    return changes


Entries = dict[str, Mapping[str, Any]]


def _by_name(old: Any, new: Any) -> tuple[Entries, Entries] | None:
    """Return two lists of entries by their names; None where they are something else."""
    if not all(isinstance(values, list | tuple) for values in (old, new)):
        return None
    if not all(isinstance(entry, Mapping) and "name" in entry for entry in (*old, *new)):
        return None
    old_entries, new_entries = ({entry["name"]: entry for entry in values} for values in (old, new))
    return old_entries, new_entries


def _entry_differences(key: str, old: Entries, new: Entries) -> list[str]:
    changes = [f"{key}: {name} is new" for name in new if name not in old]
    changes += [f"{key}: {name} is gone" for name in old if name not in new]
    for name in (name for name in new if name in old):
        changes += [f"{key}: {name}: {change}" for change in differences(old[name], new[name])]
    return changes or [f"{key}: their order is another"]
