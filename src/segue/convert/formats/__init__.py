"""The files that trainers read: one module per format, which writes and reads.

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

from segue.convert.dialogue import Dialogue, DroppedRecord
from segue.convert.json_records import DamagedRecord, read_records_or_damage
from segue.errors import InputError, UnknownName
from segue.runtime.catalog import unknown_name_message

RECORDS_TO_INSPECT = 20
"""Records that are inspected to find a valid one, which tells the format."""


class DialogueWriter(Protocol):
    """Writes dialogues one by one."""

    def write(self, dialogue: Dialogue) -> None:
        """Write one dialogue."""


@dataclass(frozen=True, slots=True)
class DatasetFormat:
    """A module with `open_writer(path)` and `read_dialogues(path)`."""

    module: str
    suffix: str
    summary: str

    def open(self, path: Path) -> AbstractContextManager[DialogueWriter]:
        """Open a writer; the file is complete when it is closed."""
        dialogue_writer: AbstractContextManager[DialogueWriter] = import_module(
            self.module
        ).open_writer(path)
        return dialogue_writer

    def read_dialogues(self, path: Path) -> Iterator[Dialogue | DroppedRecord]:
        """Read the dialogues of a file, and why there is none of a record.

        Raises:
            InputError: it cannot be read.
        """
        yield from import_module(self.module).read_dialogues(path)


class _Formats(dict[str, DatasetFormat]):
    def __missing__(self, name: str) -> DatasetFormat:
        raise UnknownName(unknown_name_message("format", name, self))


FORMATS: Mapping[str, DatasetFormat] = _Formats(
    {
        "qwen-vl": DatasetFormat("segue.convert.formats.qwen_vl", ".json", "Qwen-VL conversations"),
        "llava": DatasetFormat(
            "segue.convert.formats.llava", ".json", "LLaVA / ShareGPT conversations"
        ),
        "trl": DatasetFormat("segue.convert.formats.trl", ".jsonl", "TRL messages and images"),
        "swift": DatasetFormat(
            "segue.convert.formats.swift", ".jsonl", "ms-swift messages and objects"
        ),
        "parquet": DatasetFormat(
            "segue.convert.formats.parquet", ".parquet", "messages as Parquet"
        ),
        "dialogues": DatasetFormat(
            "segue.convert.formats.dialogues", ".jsonl", "our own, complete"
        ),
        "questions": DatasetFormat(
            "segue.convert.formats.questions", ".jsonl", "for segue evaluate"
        ),
    }
)


def detect_format(path: Path) -> str:
    """Detect the format of a file from its name, else from its first record.

    Raises:
        InputError: the format is unknown.
    """
    if path.suffix == ".parquet":
        return "parquet"
    first_records = list(islice(read_records_or_damage(path), RECORDS_TO_INSPECT))
    first_record = next(
        (item for item in first_records if not isinstance(item, DamagedRecord)), None
    )
    if first_record is None:
        if first_records and isinstance(first_records[0], DamagedRecord):
            raise InputError(first_records[0].message)
        raise InputError(f"{path} holds no record, so its format cannot be detected.")
    if "turns" in first_record:
        return "dialogues"
    if "expect" in first_record:
        return "questions"
    messages = first_record.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[0], dict):
        return "swift" if isinstance(messages[0].get("content"), str) else "trl"
    conversation = first_record.get("conversations")
    if isinstance(conversation, list) and conversation and isinstance(conversation[0], dict):
        speakers = {str(turn.get("from")) for turn in conversation if isinstance(turn, dict)}
        return "qwen-vl" if "user" in speakers else "llava"
    raise InputError(
        f"{path} has none of the known formats ({', '.join(FORMATS)}); its first record has the "
        f"keys {', '.join(sorted(map(str, first_record)))}."
    )
