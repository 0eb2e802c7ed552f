"""Dialogues -> training files: without duplicates, split by picture, deterministic.

Two passes keep memory small: the first writes the dialogues to a temporary file beside the results,
the second copies them into the requested formats. Only a few bytes of each dialogue are kept in
memory in between.
"""

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from segue.annotations.fields import short_repr
from segue.convert.dialogue import Dialogue, DroppedRecord
from segue.convert.entry_tally import EntryTally
from segue.convert.formats import FORMATS, DialogueWriter
from segue.convert.json_records import read_records
from segue.convert.report import ConversionReport
from segue.convert.split_name import NO_SPLIT, is_split_name
from segue.errors import InputError
from segue.files.atomic import json_text, unwritable, write_json

RECORDS = "records.jsonl"
REPORT = "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlan:
    """The formats, split and ratio of a data set to write."""

    formats: tuple[str, ...] = ("qwen-vl",)
    """Names from `FORMATS`."""
    validation_share: float = 0.05
    """Share of the pictures that go to the split "val", unless the source decides."""
    seed: int = 0
    """Seed of the split and of the choice of tool-free dialogues."""
    tool_free_ratio: float | None = None
    """How many dialogues without tag or box to keep for each one with; None: all of them."""

    def __post_init__(self) -> None:
        if not 0 <= self.validation_share <= 1:
            raise InputError(
                f"The share for validation must lie in [0, 1], got {self.validation_share}."
            )
        if self.tool_free_ratio is not None and self.tool_free_ratio < 0:
            raise InputError(
                f"The ratio of tool-free dialogues is {self.tool_free_ratio}, below 0."
            )
        if not self.formats:
            raise InputError(f"Name at least one format: {', '.join(FORMATS)}.")
        for name in self.formats:
            FORMATS[name]


def write_dataset(
    records: Iterable[Dialogue | DroppedRecord],
    folder: Path,
    plan: OutputPlan,
    settings: Mapping[str, Any] | None = None,
    tally: EntryTally | None = None,
    sources: Sequence[Path] = (),
) -> ConversionReport:
    """Write a data set: `<split>.<format>.<suffix>`, `report.json`, and `records.jsonl`.

    The last says what happened to each record.

    Files of an earlier run with the same names are replaced only on success.

    Args:
        records: what a reader made of each record, in order.
        folder: the target; it is created when missing.
        plan: formats, split, ratio.
        settings: how the dialogues were made, for the report.
        tally: where the reader counts its entries, for the report; complete once `records` is
            exhausted.
        sources: files that are read meanwhile, and must not be overwritten.

    Returns:
        The report, as written.

    Raises:
        InputError: no dialogue was kept, the folder cannot be written, or a file to
            write is one of the sources.
    """
    report = ConversionReport(
        settings={**(settings or {}), "seed": plan.seed, "val": plan.validation_share}
    )
    report.tally = tally or report.tally
    drafts: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_all(records, folder, plan, report, drafts, sources)
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error
    finally:
        for file in drafts:
            file.unlink(missing_ok=True)
    if not report.n_kept:
        raise InputError(f"None of {report.n_read} records could be kept. {report.summary()}")
    return report


def _write_all(
    records: Iterable[Dialogue | DroppedRecord],
    folder: Path,
    plan: OutputPlan,
    report: ConversionReport,
    drafts: list[Path],
    sources: Sequence[Path],
) -> None:
    """Run both passes into drafts, and only then move all of them into place."""
    spool, records_draft = folder / ".dialogues.jsonl", folder / f".{RECORDS}"
    drafts += [spool, records_draft]
    with (
        spool.open("w", encoding="utf-8") as spool_file,
        records_draft.open("w", encoding="utf-8") as log,
    ):
        report.tally.log = partial(_log_entry, log)
        chances = _collect(records, plan, report, spool_file, log)
        max_chance = _tool_free_threshold(chances, plan, report)
        output_files = _write_formats(spool, folder, plan, report, log, max_chance, drafts)
    for _, target in output_files:
        if any(_is_same_file(target, source) for source in sources):
            raise InputError(f"{target} is an input and would be overwritten. Name another folder.")
    for draft, target in output_files:
        draft.replace(target)
        report.files.append(target)
    records_draft.replace(folder / RECORDS)
    write_json(folder / REPORT, report.to_json(), indent=2)


def _is_same_file(first_path: Path, second_path: Path) -> bool:
    return first_path.exists() and second_path.exists() and first_path.samefile(second_path)


def split_of(key: str, seed: int, val: float) -> str:
    """Return "val" for about that share of all keys, else "train"; equal keys stay together."""
    return "val" if _pseudo_random(f"split {key}", seed) < val else "train"


def _pseudo_random(text: str, seed: int) -> float:
    """Return a deterministic pseudo-random number in [0, 1)."""
    digest = hashlib.sha256(f"{seed} {text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _collect(
    records: Iterable[Dialogue | DroppedRecord],
    plan: OutputPlan,
    report: ConversionReport,
    spool_file: TextIO,
    log: TextIO,
) -> list[float]:
    """Run the first pass; return the random numbers of the tool-free dialogues."""
    content_hashes: set[int] = set()
    id_hashes: set[int] = set()
    chances: list[float] = []
    for number, record in enumerate(records, 1):
        report.n_read = number
        if isinstance(record, Dialogue):
            record = record.well_formed()
            if record.split is not None and not is_split_name(record.split):
                record = DroppedRecord(record.id, NO_SPLIT, short_repr(record.split))
        if isinstance(record, DroppedRecord):
            _drop_record(report, log, number, record)
            continue
        content_hash = int(record.fingerprint[:16], 16)
        if content_hash in content_hashes:
            _drop_record(
                report, log, number, DroppedRecord(record.id, "double of an earlier record")
            )
            continue
        content_hashes.add(content_hash)
        dialogue_json = record.to_json()
        dialogue_json["id"] = _make_id_unique(record, id_hashes)
        dialogue_json |= {"number": number, "notes": list(record.notes)}
        if dialogue_json["split"] is None:
            picture_key = record.image_key or (record.images[0] if record.images else record.id)
            dialogue_json["split"] = split_of(picture_key, plan.seed, plan.validation_share)
        report.count_notes(record.notes)
        if record.kind == "plain":
            chances.append(_pseudo_random(f"tool-free {dialogue_json['id']}", plan.seed))
        else:
            report.n_grounded += 1
        spool_file.write(json.dumps(dialogue_json, ensure_ascii=True) + "\n")
    spool_file.flush()
    return chances


def _make_id_unique(dialogue: Dialogue, ids: set[int]) -> str:
    """Return the dialogue's id, numbered when an earlier one has the same."""
    unique_id, number = dialogue.id, 1
    while (id_hash := _hash64(unique_id)) in ids:
        number += 1
        unique_id = f"{dialogue.id}-{number}"
    ids.add(id_hash)
    return unique_id


def _hash64(text: str) -> int:
    """Return a 64-bit hash of a text; unlike `hash`, the same in every process."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _tool_free_threshold(chances: list[float], plan: OutputPlan, report: ConversionReport) -> float:
    """Return the number up to which tool-free dialogues are kept."""
    if plan.tool_free_ratio is None:
        return 1.0
    count = min(round(plan.tool_free_ratio * report.n_grounded), len(chances))
    return heapq.nsmallest(count, chances)[-1] if count else -1.0


def _write_formats(
    spool: Path,
    folder: Path,
    plan: OutputPlan,
    report: ConversionReport,
    log: TextIO,
    max_chance: float,
    drafts: list[Path],
) -> list[tuple[Path, Path]]:
    """Run the second pass; return (written file, its final name)."""
    writers: dict[tuple[str, str], DialogueWriter] = {}
    files: list[tuple[Path, Path]] = []
    with ExitStack() as closing:
        for spooled in read_records(spool):
            dialogue = Dialogue.from_json(spooled)
            is_beyond_ratio = _pseudo_random(f"tool-free {dialogue.id}", plan.seed) > max_chance
            if dialogue.kind == "plain" and is_beyond_ratio:
                reason = "tool-free, beyond the ratio" if plan.tool_free_ratio else "no tool used"
                _drop_record(
                    report, log, int(spooled["number"]), DroppedRecord(dialogue.id, reason)
                )
                continue
            report.count_kept(dialogue)
            _log_record(
                log,
                int(spooled["number"]),
                dialogue.id,
                became=dialogue.kind,
                notes=spooled["notes"],
            )
            for name in plan.formats:
                split = dialogue.split or "train"
                if (split, name) not in writers:
                    suffix = FORMATS[name].suffix
                    target = folder / f"{split}.{name}{suffix}".replace(
                        ".parquet.parquet", ".parquet"
                    )
                    draft = target.with_name(f".{target.name}.part")
                    drafts.append(draft)
                    writers[split, name] = closing.enter_context(FORMATS[name].open(draft))
                    files.append((draft, target))
                writers[split, name].write(dialogue)
    return files


def _drop_record(
    report: ConversionReport, log: TextIO, number: int, dropped: DroppedRecord
) -> None:
    report.count_dropped(dropped.reason, dropped.id)
    why = {"reason": dropped.reason, "detail": dropped.detail}
    _log_record(log, number, dropped.id, became="dropped", **why)


def _log_record(log: TextIO, number: int, id: str, **fields: Any) -> None:
    log.write(json_text({"record": number, "id": id, **fields}) + "\n")


def _log_entry(log: TextIO, kind: str, id: str, reason: str, detail: str) -> None:
    value = {"entry": kind, "id": id, "became": "dropped", "reason": reason, "detail": detail}
    log.write(json_text(value) + "\n")


def read_dialogues(path: Path, format_name: str | None = None) -> Iterator[Dialogue]:
    """Read back any file that `write_dataset` wrote, or one of the same form from elsewhere.

    Args:
        path: the file.
        format_name: from `FORMATS`; None: detected from the name and the first record.

    Raises:
        InputError: it cannot be read, has an unknown format, or holds an invalid record.
    """
    for record in read_records_tolerantly(path, format_name):
        if isinstance(record, DroppedRecord):
            raise InputError(f"{record.id}: {record.reason}: {record.detail}.")
        yield record


def read_records_tolerantly(
    path: Path, format_name: str | None = None
) -> Iterator[Dialogue | DroppedRecord]:
    """Read as `read_dialogues` does, with a `DroppedRecord` for each invalid record.

    Raises:
        InputError: the file cannot be read, or has an unknown format.
    """
    from segue.convert.formats import detect_format

    return FORMATS[format_name or detect_format(path)].read_dialogues(path)


def split_format_names(formats: Sequence[str]) -> tuple[str, ...]:
    """Split the names of formats that a user typed; commas are allowed."""
    return tuple(
        name.strip() for format_list in formats for name in format_list.split(",") if name.strip()
    )
