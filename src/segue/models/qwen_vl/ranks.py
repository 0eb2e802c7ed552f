"""Byte-pair ranks: the `*.tiktoken` file that lies beside the weights."""

import base64
import binascii
from pathlib import Path

from segue.errors import ModelError


def read_ranks(path: Path) -> dict[bytes, int]:
    """Read a rank file: one `base64 rank` per line.

    Returns:
        The bytes of each token and its rank; ranks run from 0 without a gap, and every single
        byte is there.

    Raises:
        ModelError: the file is not such a list.
    """
    ranks: dict[bytes, int] = {}
    try:
        for line in path.read_bytes().splitlines():
            if line:
                token, rank = line.split()
                ranks[base64.b64decode(token, validate=True)] = int(rank)
    except (ValueError, binascii.Error) as error:
        raise ModelError(
            f"{path} must hold one 'base64 rank' per line, got a line that does not fit "
            f"({error}). Download the file again."
        ) from error
    if sorted(ranks.values()) != list(range(len(ranks))) or len(ranks) < 256:
        raise ModelError(
            f"{path} must hold ranks 0, 1, 2, ... for at least all 256 bytes, got {len(ranks)} "
            "entries that do not. Download the file again."
        )
    return ranks


def write_ranks(ranks: dict[bytes, int], path: Path) -> None:
    """Write a rank file that `read_ranks` reads."""
    ordered = sorted(ranks, key=ranks.__getitem__)
    lines = (f"{base64.b64encode(token).decode()} {ranks[token]}\n" for token in ordered)
    path.write_text("".join(lines), encoding="ascii")
