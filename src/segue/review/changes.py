"""One change of one picture, as a line of the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from segue.errors import InputError
from segue.values.serialize import region_from_json

RegionJson = Mapping[str, Any]
"""A region as `region_to_json` writes it."""
Decision = Literal["accept", "reject", "reopen"]
"""What a reviewer says of a whole picture; reopen: it is to do again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureChange:
    """What a reviewer did to one picture in one step."""

    id: str
    """Chosen by who made it; a change that comes twice counts once."""
    picture: str
    """Its name."""
    origin: str
    """Fingerprint of the annotation that was reviewed; see `OriginalPicture`."""
    base: int
    """Version of the picture that the reviewer saw."""
    reviewer: str
    time: str
    """When it was written, ISO 8601 in UTC."""
    decision: Decision | None = None
    regions: Sequence[RegionJson] = ()
    """Regions that are new, or that take the place of those of the same ids."""
    deleted: Sequence[str] = ()
    """Ids of regions that are gone."""
    resolves: Sequence[str] = ()
    """Ids of conflicting changes that are settled with this one."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        value: dict[str, Any] = {
            "id": self.id,
            "picture": self.picture,
            "origin": self.origin,
            "base": self.base,
            "reviewer": self.reviewer,
            "time": self.time,
        }
        if self.decision is not None:
            value["decision"] = self.decision
        for name, entries in (
            ("regions", self.regions), ("deleted", self.deleted), ("resolves", self.resolves),
        ):  # fmt: skip
            if entries:
                value[name] = list(entries)
        return value

    @classmethod
    def from_json(cls, value: Any) -> "PictureChange":
        """Read what `to_json` wrote.

        Raises:
            InputError: it is not that; the message names the field.
        """
        if not isinstance(value, Mapping):
            raise InputError(f"a change must be a JSON object, got {type(value).__name__}")
        base, decision = value.get("base"), value.get("decision")
        if not isinstance(base, int) or isinstance(base, bool) or base < 0:
            raise InputError(f"'base' must be a version from 0 on, got {base!r}")
        if decision is not None and decision not in get_args(Decision):
            raise InputError(f"'decision' must be one of {get_args(Decision)}, got {decision!r}")
        regions = _list(value, "regions")
        for region in regions:
            region_from_json(region)
        return cls(
            id=_text(value, "id"),
            picture=_text(value, "picture"),
            origin=_text(value, "origin"),
            base=base,
            reviewer=_text(value, "reviewer"),
            time=_text(value, "time"),
            decision=decision,
            regions=tuple(regions),
            deleted=_texts(value, "deleted"),
            resolves=_texts(value, "resolves"),
        )


def _text(value: Mapping[str, Any], field: str) -> str:
    text = value.get(field)
    if not isinstance(text, str):
        raise InputError(f"{field!r} must be a text, got {text!r}")
    return text


def _list(value: Mapping[str, Any], field: str) -> list[Any]:
    entries = value.get(field, [])
    if not isinstance(entries, list):
        raise InputError(f"{field!r} must be a list, got {entries!r}")
    return entries


def _texts(value: Mapping[str, Any], field: str) -> tuple[str, ...]:
    entries = _list(value, field)
    if not all(isinstance(entry, str) for entry in entries):
        raise InputError(f"{field!r} must be texts, got {entries!r}")
    return tuple(entries)
