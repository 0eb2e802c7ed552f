"""One process at a time: a lock in the file system, for what several may make at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def wait_for_lock(file: Path) -> Iterator[None]:
    """Wait until no other process or thread is in a block with the same file, then go in.

    The lock ends with the process that holds it, however that ends. The file stays: who removed it
    could let two in.

    Args:
        file: made where it is missing, with its folder; it holds nothing.
    """
    from filelock import FileLock  # comes with torch and with huggingface_hub

    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file):
        yield
