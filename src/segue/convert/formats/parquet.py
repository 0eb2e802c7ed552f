"""Parquet: the messages of the format "trl", and all that is known beside them.

Columns: id, kind, language, source, split, images (list of paths), messages (list of structs: role,
content as a list of structs: type, text), dialogue (the whole as JSON text, so that nothing is
lost). Written in groups of `ROW_GROUP_SIZE`, so memory stays small.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segue.annotations.entry_log import DAMAGE
from segue.convert.dialogue import Dialogue, DroppedRecord
from segue.convert.formats import DialogueWriter
from segue.convert.formats.files import UNREADABLE_RECORD, absolute_path
from segue.convert.formats.trl import messages
from segue.errors import InputError, MissingExtra
from segue.files.atomic import json_text, printable_path
from segue.files.unicode import well_formed

ROW_GROUP_SIZE = 1000


class _ParquetWriter:
    def __init__(self, writer: Any, schema: Any) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[dict[str, Any]] = []

    def write(self, dialogue: Dialogue) -> None:
        dialogue_json = dialogue.to_json()
        row = {key: dialogue_json[key] for key in ("id", "kind", "language", "source", "split")}
        row["images"] = [well_formed(absolute_path(image)) for image in dialogue.images]
        row["messages"] = messages(dialogue)
        row["dialogue"] = json_text(dialogue_json)
        self._rows.append(row)
        if len(self._rows) >= ROW_GROUP_SIZE:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            arrow = _pyarrow()
            self._writer.write_table(arrow.Table.from_pylist(self._rows, self._schema))
            self._rows.clear()


@contextmanager
def open_writer(path: Path) -> Iterator[DialogueWriter]:
    """Open a writer of this format.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    arrow = _pyarrow()
    from pyarrow import parquet

    arrow_text = arrow.string()
    part_type = arrow.struct([("type", arrow_text), ("text", arrow_text)])
    message_type = arrow.struct([("role", arrow_text), ("content", arrow.list_(part_type))])
    string_columns = [(name, arrow_text) for name in ("id", "kind", "language", "source", "split")]
    schema = arrow.schema(
        [
            *string_columns,
            ("images", arrow.list_(arrow_text)),
            ("messages", arrow.list_(message_type)),
            ("dialogue", arrow_text),
        ]
    )
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        rows = _ParquetWriter(writer, schema)
        yield rows
        rows.flush()


def read_dialogues(path: Path) -> Iterator[Dialogue | DroppedRecord]:
    """Read a file of this format.

    Raises:
        MissingExtra: pyarrow is not installed.
        InputError: it cannot be read, or was not written here.
    """
    arrow = _pyarrow()
    from pyarrow import parquet

    row_number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROW_GROUP_SIZE, columns=["dialogue"]):
                for row in batch.to_pylist():
                    row_number += 1
                    yield _dialogue(
                        row["dialogue"], f"Row {row_number} of {printable_path(path.name)}"
                    )
    except (OSError, arrow.ArrowException, KeyError, ValueError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a Parquet file of dialogues: {error}.") from error


def _dialogue(text: Any, place: str) -> Dialogue | DroppedRecord:
    try:
        return Dialogue.from_json(json.loads(text))
    except DAMAGE as error:
        return DroppedRecord(place, UNREADABLE_RECORD, str(error))


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Parquet needs the 'parquet' extra (pyarrow is not installed). "
            "Run: pip install 'segue[parquet]'"
        ) from error
    return pyarrow
