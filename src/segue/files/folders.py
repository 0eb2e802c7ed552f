"""The folders of this user: cache, settings, data. The platform's own places, through platformdirs.

`SEGUE_CACHE` and `SEGUE_HOME` replace the first two. On macOS and Windows version 0.1 used
`~/.cache/segue` and `~/.config/segue` as on Linux; where such a folder is there, it is still used.
"""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return where files fetched from URLs are kept; made when first needed."""
    return _folder("SEGUE_CACHE", platformdirs.user_cache_path("segue", False), "~/.cache/segue")


def config_folder() -> Path:
    """Return where the user's settings are, such as profiles of chat models."""
    return _folder("SEGUE_HOME", platformdirs.user_config_path("segue", False), "~/.config/segue")


def data_folder() -> Path:
    """Return where a server keeps conversations and pictures, unless it is told another place."""
    return _folder(None, platformdirs.user_data_path("segue", False), "~/.local/share/segue")


def _folder(variable: str | None, of_platform: Path, of_first_version: str) -> Path:
    if variable is not None and (override := os.environ.get(variable)):
        return Path(override).expanduser()
    earlier = Path(of_first_version).expanduser()
    return earlier if earlier.is_dir() and not of_platform.exists() else of_platform
