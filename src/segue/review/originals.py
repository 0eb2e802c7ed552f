"""A picture as it was annotated, before anybody reviewed it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from segue.values.box import Size
from segue.values.region import Region
from segue.values.serialize import region_to_json


@dataclass(frozen=True, slots=True)
class OriginalPicture:
    """What is reviewed: one picture and what was found on it. Masks stay run lengths."""

    name: str
    size: Size
    regions: Mapping[str, dict[str, Any]]
    """By id, as `region_to_json` writes them, in their order."""
    origin: str
    """Fingerprint of size and regions: a picture that is annotated anew has another one, and what
    was said of the earlier annotation does not count for it."""

    @classmethod
    def of(cls, name: str, size: Size, regions: Iterable[Region]) -> "OriginalPicture":
        """Return a picture; of regions with equal ids the later ones get new ones."""
        by_id: dict[str, dict[str, Any]] = {}
        for region in regions:
            if region.id in by_id or not region.id:
                region = replace(region, id=free_id(by_id))
            by_id[region.id] = region_to_json(region)
        text = json.dumps([size.height, size.width, list(by_id.values())])
        origin = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return cls(name, size, by_id, origin)


def free_id(known: Iterable[str]) -> str:
    """Return the first of "r1", "r2", … that is none of these.

    >>> free_id(["r1", "r3"])
    'r2'
    """
    used = set(known)
    number = 1
    while f"r{number}" in used:
        number += 1
    return f"r{number}"
