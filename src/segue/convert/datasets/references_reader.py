"""Files of references: JSON, or pickles of plain values by Python 2 or 3.

A pickle is a program; this one may only build lists, dicts, text and numbers. Python 2 wrote text
as bytes: each is decoded as UTF-8 where possible, else as Latin-1.
"""

import pickle
import struct
from pathlib import Path
from typing import Any, NoReturn

from segue.annotations.entry_log import DAMAGE
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import check_regular, read_json


class _PlainUnpickler(pickle._Unpickler):
    """Reads lists, dicts, text and numbers, and refuses every class.

    Based on the pure Python unpickler: its memo is a dict, so that no number in the file makes it
    allocate memory, unlike the one written in C.
    """

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it wants to use {module_name}.{global_name}")


def read_references(path: str | Path) -> list[dict[str, Any]]:
    """Read a file of references, pickled or JSON.

    Raises:
        InputError: it cannot be read, holds more than plain values, or no list.
    """
    path = Path(path)
    value = read_json(path) if path.suffix.lower() == ".json" else _read_pickle(path)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise InputError(
            f"{printable_path(path)} must hold a list of references, got another value."
        )
    return value


def _read_pickle(path: Path) -> Any:
    try:
        check_regular(path)
        with path.open("rb") as file:
            return _decode_bytes(_PlainUnpickler(file, encoding="bytes").load(), {})
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"Cannot read {printable_path(path)}: {error.strerror or error}."
        ) from error
    except (*DAMAGE, pickle.UnpicklingError, EOFError, struct.error) as error:
        raise InputError(
            f"{printable_path(path)} is not a plain file of references ({error}). Expected "
            "refs(unc).p, refs(umd).p or grefs(unc).json."
        ) from error


def _decode_bytes(value: Any, decoded: dict[int, Any]) -> Any:
    """Decode all bytes in a value to text; shared objects stay shared.

    Raises:
        RecursionError: it contains itself.
    """
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if not isinstance(value, list | tuple | dict):
        return value
    if id(value) not in decoded:
        if isinstance(value, dict):
            decoded[id(value)] = {
                _decode_key(k): _decode_bytes(v, decoded) for k, v in value.items()
            }
        else:
            decoded[id(value)] = [_decode_bytes(element, decoded) for element in value]
    return decoded[id(value)]


def _decode_key(key: Any) -> Any:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else key
