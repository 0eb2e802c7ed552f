"""What `segue doctor` found out about a chat model, kept per user.

The command line and the server read it and hand it to `segue.load`; a library call uses one only
where it is given: `segue.load(find_profile=segue.runtime.profile.load)`.

A profile is a small JSON file in `profiles/` of the folder `SEGUE_HOME` (by default
`~/.config/segue`), one for each chat model or endpoint, by its name. It holds no key.
"""

import json
import re
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.files.atomic import write_json
from segue.files.folders import config_folder
from segue.values.frames import SEEN_PIXELS, Frame, SeenPixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How one chat model or endpoint behaves, beyond what its name says."""

    name: str
    """Of the chat model, as in `--chat`."""
    dialect: str | None = None
    """How its replies point; None: as its family does."""
    frame: Frame | SeenPixels | None = None
    """Replaces the frame that the dialect states."""
    most_pixels: int | None = None
    """Pictures of more pixels are changed on the way, so they are made smaller before."""
    pictures: int | None = None
    """So many pictures, the newest, reach the model; None: all."""
    thinks: bool | None = None
    """Replies begin inside a thought that the prompt opened; None: as its name says."""
    found: tuple[str, ...] = ()
    """Defects, as sentences for a person."""
    checked: str = ""
    """When, as YYYY-MM-DD."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        frame = self.frame
        value: Any = "seen" if isinstance(frame, SeenPixels) else None
        if isinstance(frame, Frame):
            value = [frame.width, frame.height]
        return {**asdict(self), "frame": value, "found": list(self.found)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Profile":
        """Read what `to_json` wrote; fields of later versions are left out."""
        fields = {key: value[key] for key in cls.__dataclass_fields__ if key in value}
        frame = fields.get("frame")
        if frame is not None:
            fields["frame"] = SEEN_PIXELS if frame == "seen" else Frame(*frame)
        return cls(**{**fields, "found": tuple(fields.get("found", ()))})


def profile_file(name: str) -> Path:
    """Where the profile of a chat model is kept."""
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:60]
    return (
        config_folder()
        / "profiles"
        / f"{readable}-{blake2b(name.encode(), digest_size=4).hexdigest()}.json"
    )


def save(profile: Profile) -> Path:
    """Write a profile, in place of an older one of the same chat model."""
    file = profile_file(profile.name)
    return write_json(file, profile.to_json(), indent=1)


def load(name: str) -> Profile:
    """Load the profile of a chat model; one that says nothing where there is none.

    Raises:
        InputError: the file is damaged.
    """
    file = profile_file(name)
    try:
        profile = Profile.from_json(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Profile(name=name)
    except (ValueError, TypeError, AttributeError, OSError) as error:
        raise InputError(
            f"The profile {file} cannot be read ({error}). Delete it, or run segue doctor again."
        ) from error
    return profile if profile.name == name else Profile(name=name)
