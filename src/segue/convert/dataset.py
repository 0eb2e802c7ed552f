"""Dialogues -> files to train from: no doubles, split by picture, the same every time.

Two passes, so that memory stays small: the first writes what is worth keeping to a file beside the
results, the second copies it into the formats that were asked for. All that is remembered of a
dialogue in between are a few bytes.
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
from segue.convert.accounts import Accounts
from segue.convert.dialogue import Dialogue, Dropped
from segue.convert.formats import FORMATS, Writer
from segue.convert.json_records import records
from segue.convert.report import Report
from segue.convert.split_name import NO_SPLIT, is_split_name
from segue.errors import InputError
from segue.files.atomic import json_text, unwritable, write_json

RECORDS = "records.jsonl"
REPORT = "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to write."""

    formats: tuple[str, ...] = ("qwen-vl",)
    """Names from `FORMATS`."""
    val: float = 0.05
    """Share of the pictures that goes to the split "val", where the source does not decide."""
    seed: int = 0
    """Another seed, another split and another choice of tool-free dialogues."""
    tool_free: float | None = None
    """How many dialogues without tag and box to keep for each one with; None: all of them."""

    def __post_init__(self) -> None:
        if not 0 <= self.val <= 1:
            raise InputError(f"The share for validation must lie in [0, 1], got {self.val}.")
        if self.tool_free is not None and self.tool_free < 0:
            raise InputError(f"The ratio of tool-free dialogues is {self.tool_free}, below 0.")
        if not self.formats:
            raise InputError(f"Name at least one format: {', '.join(FORMATS)}.")
        for name in self.formats:
            FORMATS[name]


def write(
    made: Iterable[Dialogue | Dropped],
    folder: Path,
    plan: Plan,
    settings: Mapping[str, Any] | None = None,
    accounts: Accounts | None = None,
    sources: Sequence[Path] = (),
) -> Report:
    """Write a data set: `<split>.<format>.<suffix>`, `report.json`, and `records.jsonl`.

    The last says of every record what became of it.

    Files of an earlier run with the same names are replaced when everything went well.

    Args:
        made: what a reader made of each record, in order.
        folder: where to; it is made when it is not there.
        plan: formats, split, ratio.
        settings: how the dialogues were made, for the report.
        accounts: what the reader counts its entries in, for the report; it is full when `made` is
            through.
        sources: files that are read meanwhile, and must not be written over.

    Returns:
        The report, as written.

    Raises:
        InputError: not one dialogue was worth keeping, the folder cannot be written, or a file to
            write is one of the sources.
    """
    report = Report(settings={**(settings or {}), "seed": plan.seed, "val": plan.val})
    report.accounts = accounts or report.accounts
    drafts: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_all(made, folder, plan, report, drafts, sources)
    except OSError as error:
        raise unwritable(error.filename or folder, error) from error
    finally:
        for file in drafts:
            file.unlink(missing_ok=True)
    if not report.kept:
        raise InputError(f"Of {report.read} records none could be kept. {report.summary()}")
    return report


def _write_all(
    made: Iterable[Dialogue | Dropped],
    folder: Path,
    plan: Plan,
    report: Report,
    drafts: list[Path],
    sources: Sequence[Path],
) -> None:
    """Both passes into drafts, and only then, all together, into their places."""
    spool, records_draft = folder / ".dialogues.jsonl", folder / f".{RECORDS}"
    drafts += [spool, records_draft]
    with (
        spool.open("w", encoding="utf-8") as kept,
        records_draft.open("w", encoding="utf-8") as log,
    ):
        report.accounts.log = partial(_log_entry, log)
        chances = _collect(made, plan, report, kept, log)
        chosen = _chosen(chances, plan, report)
        written = _copy(spool, folder, plan, report, log, chosen, drafts)
    for _, target in written:
        if any(_same(target, source) for source in sources):
            raise InputError(f"{target} is what is read; it would be lost. Name another folder.")
    for part, target in written:
        part.replace(target)
        report.files.append(target)
    records_draft.replace(folder / RECORDS)
    write_json(folder / REPORT, report.to_json(), indent=2)


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def split_of(key: str, seed: int, val: float) -> str:
    """ "val" for about that share of all keys, else "train"; equal keys go together."""
    return "val" if _chance(f"split {key}", seed) < val else "train"


def _chance(text: str, seed: int) -> float:
    """A number in [0, 1) that looks drawn, and is always the same."""
    digest = hashlib.sha256(f"{seed} {text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _collect(
    made: Iterable[Dialogue | Dropped], plan: Plan, report: Report, kept: TextIO, log: TextIO
) -> list[float]:
    """First pass; returns the chances of the tool-free dialogues."""
    seen: set[int] = set()
    ids: set[int] = set()
    chances: list[float] = []
    for number, item in enumerate(made, 1):
        report.read = number
        if isinstance(item, Dialogue):
            item = item.well_formed()
            if item.split is not None and not is_split_name(item.split):
                item = Dropped(item.id, NO_SPLIT, short_repr(item.split))
        if isinstance(item, Dropped):
            _drop(report, log, number, item)
            continue
        content = int(item.fingerprint[:16], 16)
        if content in seen:
            _drop(report, log, number, Dropped(item.id, "double of an earlier record"))
            continue
        seen.add(content)
        value = item.to_json()
        value["id"] = _own_id(item, ids)
        value |= {"number": number, "notes": list(item.notes)}
        if value["split"] is None:
            key = item.image_key or (item.images[0] if item.images else item.id)
            value["split"] = split_of(key, plan.seed, plan.val)
        report.note(item.notes)
        if item.kind == "plain":
            chances.append(_chance(f"tool-free {value['id']}", plan.seed))
        else:
            report.useful += 1
        kept.write(json.dumps(value, ensure_ascii=True) + "\n")
    kept.flush()
    return chances


def _own_id(item: Dialogue, ids: set[int]) -> str:
    """The dialogue's id, made different when an earlier one has the same."""
    name, number = item.id, 1
    while (mark := _hash_of(name)) in ids:
        number += 1
        name = f"{item.id}-{number}"
    ids.add(mark)
    return name


def _hash_of(text: str) -> int:
    """64 bits that stand for a text; unlike `hash`, the same in every process."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _chosen(chances: list[float], plan: Plan, report: Report) -> float:
    """Tool-free dialogues with a chance up to this one are kept."""
    if plan.tool_free is None:
        return 1.0
    count = min(round(plan.tool_free * report.useful), len(chances))
    return heapq.nsmallest(count, chances)[-1] if count else -1.0


def _copy(
    spool: Path,
    folder: Path,
    plan: Plan,
    report: Report,
    log: TextIO,
    chosen: float,
    drafts: list[Path],
) -> list[tuple[Path, Path]]:
    """Second pass; returns (written file, its final name)."""
    writers: dict[tuple[str, str], Writer] = {}
    files: list[tuple[Path, Path]] = []
    with ExitStack() as closing:
        for value in records(spool):
            dialogue = Dialogue.from_json(value)
            beyond = _chance(f"tool-free {dialogue.id}", plan.seed) > chosen
            if dialogue.kind == "plain" and beyond:
                reason = "tool-free, beyond the ratio" if plan.tool_free else "no tool used"
                _drop(report, log, int(value["number"]), Dropped(dialogue.id, reason))
                continue
            report.keep(dialogue)
            _log(log, int(value["number"]), dialogue.id, became=dialogue.kind, notes=value["notes"])
            for name in plan.formats:
                split = dialogue.split or "train"
                if (split, name) not in writers:
                    suffix = FORMATS[name].suffix
                    target = folder / f"{split}.{name}{suffix}".replace(
                        ".parquet.parquet", ".parquet"
                    )
                    part = target.with_name(f".{target.name}.part")
                    drafts.append(part)
                    writers[split, name] = closing.enter_context(FORMATS[name].open(part))
                    files.append((part, target))
                writers[split, name].write(dialogue)
    return files


def _drop(report: Report, log: TextIO, number: int, dropped: Dropped) -> None:
    report.drop(dropped.reason, dropped.id)
    why = {"reason": dropped.reason, "detail": dropped.detail}
    _log(log, number, dropped.id, became="dropped", **why)


def _log(log: TextIO, number: int, id: str, **what: Any) -> None:
    log.write(json_text({"record": number, "id": id, **what}) + "\n")


def _log_entry(log: TextIO, kind: str, id: str, reason: str, detail: str) -> None:
    value = {"entry": kind, "id": id, "became": "dropped", "reason": reason, "detail": detail}
    log.write(json_text(value) + "\n")


def read(path: Path, format_name: str | None = None) -> Iterator[Dialogue]:
    """Read back any file that `write` wrote, or one of the same form from elsewhere.

    Args:
        path: the file.
        format_name: from `FORMATS`; None: found out from the name and the first record.

    Raises:
        InputError: it cannot be read, has none of the forms, or a record of it makes no sense.
    """
    for item in read_all(path, format_name):
        if isinstance(item, Dropped):
            raise InputError(f"{item.id}: {item.reason}: {item.detail}.")
        yield item


def read_all(path: Path, format_name: str | None = None) -> Iterator[Dialogue | Dropped]:
    """Read as `read` does, with a `Dropped` for each record that makes no sense.

    Raises:
        InputError: the file cannot be read, or has none of the forms.
    """
    from segue.convert.formats import recognise

    return FORMATS[format_name or recognise(path)].read(path)


def names(formats: Sequence[str]) -> tuple[str, ...]:
    """Formats as a person typed them, commas allowed."""
    return tuple(name.strip() for given in formats for name in given.split(",") if name.strip())
