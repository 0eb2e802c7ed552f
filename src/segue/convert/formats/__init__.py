"""The files that trainers read. One file per format; each writes and reads.

| name | for | file |
|---|---|---|
| qwen-vl | the published Qwen-VL fine-tuning script | one JSON list |
| llava | LLaVA, LLaMA-Factory ("sharegpt") | one JSON list |
| trl | TRL's SFTTrainer: messages of parts | JSON lines |
| swift | ms-swift: messages, and boxes as objects | JSON lines |
| parquet | anything that reads Arrow | Parquet |
| dialogues | this package; loses nothing | JSON lines |
| questions | `segue evaluate` | JSON lines |
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Protocol

from segue.convert.dialogue import Dialogue, Dropped
from segue.convert.json_records import Damage, readings
from segue.errors import InputError, UnknownName
from segue.runtime.catalog import unknown_name_message

BEGINNING = 20
"""Records that are looked at to find a sound one, which tells the format."""


class Writer(Protocol):
    """Takes dialogues one by one."""

    def write(self, dialogue: Dialogue) -> None:
        """Add one."""


@dataclass(frozen=True, slots=True)
class Format:
    """A module with `open_writer(path)` and `read(path)`."""

    module: str
    suffix: str
    summary: str

    def open(self, path: Path) -> AbstractContextManager[Writer]:
        """A writer; the file is complete when it is closed."""
        opened: AbstractContextManager[Writer] = import_module(self.module).open_writer(path)
        return opened

    def read(self, path: Path) -> Iterator[Dialogue | Dropped]:
        """Read the dialogues of a file, and why there is none of a record.

        Raises:
            InputError: it cannot be read.
        """
        yield from import_module(self.module).read(path)


class _Formats(dict[str, Format]):
    def __missing__(self, name: str) -> Format:
        raise UnknownName(unknown_name_message("format", name, self))


FORMATS: Mapping[str, Format] = _Formats(
    {
        "qwen-vl": Format("segue.convert.formats.qwen_vl", ".json", "Qwen-VL conversations"),
        "llava": Format("segue.convert.formats.llava", ".json", "LLaVA / ShareGPT conversations"),
        "trl": Format("segue.convert.formats.trl", ".jsonl", "TRL messages and images"),
        "swift": Format("segue.convert.formats.swift", ".jsonl", "ms-swift messages and objects"),
        "parquet": Format("segue.convert.formats.parquet", ".parquet", "messages as Parquet"),
        "dialogues": Format("segue.convert.formats.dialogues", ".jsonl", "our own, complete"),
        "questions": Format("segue.convert.formats.questions", ".jsonl", "for segue evaluate"),
    }
)


def recognise(path: Path) -> str:
    """The format of a file, from its name, else from its first record.

    Raises:
        InputError: it has none of the forms.
    """
    if path.suffix == ".parquet":
        return "parquet"
    found = list(islice(readings(path), BEGINNING))
    first = next((item for item in found if not isinstance(item, Damage)), None)
    if first is None:
        if found and isinstance(found[0], Damage):
            raise InputError(found[0].message)
        raise InputError(f"{path} holds no record, so its format cannot be told.")
    if "turns" in first:
        return "dialogues"
    if "expect" in first:
        return "questions"
    messages = first.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[0], dict):
        return "swift" if isinstance(messages[0].get("content"), str) else "trl"
    turns = first.get("conversations")
    if isinstance(turns, list) and turns and isinstance(turns[0], dict):
        speakers = {str(turn.get("from")) for turn in turns if isinstance(turn, dict)}
        return "qwen-vl" if "user" in speakers else "llava"
    raise InputError(
        f"{path} has none of the known forms ({', '.join(FORMATS)}); its first record has the "
        f"keys {', '.join(sorted(map(str, first)))}."
    )
