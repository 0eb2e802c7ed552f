"""Runs every annotation file of a folder of cases: python -m benchmarks.data_cases FOLDER

The folder has subfolders by kind: `coco` and `exif` (instances files beside their pictures), `ref`
(references, with instances.json), `lp` (LLaVA-Plus records), `ft` (training files), `ev` (questions
`q*.jsonl`; COCO truth `gt*.json` and results `dt*.json`), and pictures. For each input it says what
now happens, and checks what makes that right:

- the command ends with 0 or with a sentence and 2, never with a traceback, in 4 GB of memory;
- what was read is what was used and what was dropped with a reason, kind by kind;
- nothing is taught as absent that an entry of the file names for that picture;
- nothing is written outside the folder that was asked for;
- a question that could not be asked is not scored as right.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEMORY = 4_000_000 * 1024
SAMPLES = "SAMPLES/"
"""Stands in questions for the folder of the sample scenes."""


@dataclass
class Outcome:
    """What one command did."""

    code: int
    words: str
    report: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    """Promises that were not kept."""

    def told(self) -> str:
        """Return what happened, and why that is right."""
        if not self.report:
            last = [line.strip() for line in self.words.splitlines() if line.strip()]
            return " | ".join(last[-2:])[:300] or "done"
        told = [f"{self.report['kept']} of {self.report['read']} records kept"]
        parts = {"record": {"dropped": self.report["dropped"]}, **self.report["entries"]}
        for kind, counts in parts.items():
            for reason, why in counts["dropped"].items():
                told.append(f"{why['count']} {kind}(s) not used: {reason}")
            for note, count in counts.get("repaired", {}).items():
                told.append(f"{count} {kind}(s) noted: {note}")
        told += [f"{count} repaired: {note}" for note, count in self.report["repaired"].items()]
        return "; ".join(told)[:400]


def run(arguments: Sequence[str], folder: Path) -> Outcome:
    """One command in a process of its own, in little memory."""
    code = "from segue.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        cwd=folder, capture_output=True, text=True, errors="replace", timeout=300, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )  # fmt: skip
    outcome = Outcome(done.returncode, done.stdout + done.stderr)
    if done.returncode not in (0, 2) or "Traceback" in outcome.words:
        outcome.broken.append(f"ended with {done.returncode}: {outcome.words[-300:]}")
    return outcome


def converted(command: Sequence[str], folder: Path, out: Path, named: set[tuple[str, str]]):
    """Convert, and check the accounts."""
    before = set(out.parent.rglob("*"))
    arguments = [*command, "--out", str(out), "-f", "dialogues", "-f", "questions"]
    outcome = run(arguments, folder)
    report = out / "report.json"
    if report.exists():
        outcome.report = json.loads(report.read_text(encoding="utf-8"))
        accounts(outcome)
        outcome.broken += list(taught_wrongly(out, named))
    elif outcome.code == 0:
        outcome.broken.append("success without a report")
    outside = [p for p in set(out.parent.rglob("*")) - before if out not in (p, *p.parents)]
    if outside:
        outcome.broken.append(f"written outside: {outside}")
    return outcome


def accounts(outcome: Outcome) -> None:
    """Read = kept + dropped, and so for every kind of entry."""
    report = outcome.report
    if report["read"] != report["kept"] + total(report["dropped"]):
        outcome.broken.append("records do not add up")
    for kind, counts in report["entries"].items():
        if counts["read"] != counts["used"] + total(counts["dropped"]):
            outcome.broken.append(f"{kind}: entries do not add up")


def total(dropped: dict[str, Any]) -> int:
    return sum(reason["count"] for reason in dropped.values())


def taught_wrongly(out: Path, named: set[tuple[str, str]]) -> Iterator[str]:
    """Things that are taught as absent and named for that picture by the file."""
    for file in out.glob("*.questions.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if not line:
                continue
            question = json.loads(line)
            picture = Path(question["image"]).name
            if question["expect"] == "absent":
                for phrase in question["phrases"]:
                    if (picture, phrase.lower()) in named:
                        yield f"{phrase!r} is taught as absent from {picture}"


def names_in(file: Path) -> set[tuple[str, str]]:
    """(picture, category) that a COCO file claims, read as simply as can be."""
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
        pictures = {str(one["id"]): one["file_name"] for one in value["images"]}
        categories = {str(one["id"]): str(one["name"]).lower() for one in value["categories"]}
        return {
            (Path(pictures[str(one["image_id"])]).name, categories[str(one["category_id"])])
            for one in value["annotations"]
            if str(one["image_id"]) in pictures and str(one["category_id"]) in categories
        }
    except (ValueError, LookupError, TypeError, AttributeError, UnicodeDecodeError):
        return set()


def cases(folder: Path, work: Path) -> Iterator[tuple[str, Outcome]]:
    """Every input with what it does."""
    out = work / "a" / "out"
    for kind in ("coco", "exif"):
        for file in sorted((folder / kind).glob("*.json")):
            command = ["convert", "coco", file.name, "--images", ".", "--negatives", "1"]
            for route in (["--route", "tag", "--masks"], ["--exif", "stored"]):
                if kind == "coco" and route[0] == "--exif":
                    continue
                fresh(out)
                name = f"{kind}/{file.name} {' '.join(route)}"
                yield name, converted([*command, *route], folder / kind, out, names_in(file))
    for file in sorted((folder / "ref").iterdir()):
        if file.is_file() and file.name != "instances.json":
            fresh(out)
            command = ["convert", "refcoco", file.name, "instances.json", "--images", "coco=."]
            named: set[tuple[str, str]] = set()
            yield f"ref/{file.name}", converted(command, folder / "ref", out, named)
    for file in sorted((folder / "lp").glob("*.json")):
        fresh(out)
        command = ["convert", "llava-plus", file.name, "--images", "."]
        yield f"lp/{file.name}", converted(command, folder / "lp", out, set())
    for file in sorted([*(folder / "ft").glob("*.json"), *(folder / "ft").glob("*.jsonl")]):
        yield f"ft/{file.name}", run(["convert", "check", file.name], folder / "ft")
    yield from evaluations(folder / "ev", work)
    for file in sorted(folder.glob("*.tif")):
        yield file.name, run(["segment", file.name, "airplane"], folder)


def evaluations(folder: Path, work: Path) -> Iterator[tuple[str, Outcome]]:
    """Results against truth, and questions."""
    for kind in ([], ["--masks"]):
        for truth in sorted(folder.glob("gt*.json")):
            for results in sorted(folder.glob("dt*.json")):
                if "gt.json" in truth.name or results.name == "dt.json":
                    command = ["evaluate", "detections", truth.name, results.name, *kind]
                    yield f"ev/{truth.name} {results.name} {' '.join(kind)}", run(command, folder)
    from segue.embedded.samples import samples

    place = str(Path(samples()[0].file).parent) + "/"
    for file in sorted(folder.glob("q*.jsonl")):
        questions = work / file.name
        questions.write_text(file.read_text(encoding="utf-8").replace(SAMPLES, place))
        report = work / "report.json"
        command = ["evaluate", "all", str(questions), "--out", str(work / f"p-{file.name}"),
                   "--json", str(report), "--preset", "embedded"]  # fmt: skip
        outcome = run(command, folder)
        if outcome.code == 0:
            masks = json.loads(report.read_text(encoding="utf-8"))["masks"]["all"]
            answers = json.loads(report.read_text(encoding="utf-8"))["answers"]
            if answers["errors"] == answers["answers"] and masks["gIoU"] not in (None, 0):
                outcome.broken.append(f"nothing could be asked, and gIoU is {masks['gIoU']}")
            outcome.words = f"{answers['errors']} of {answers['answers']} could not be asked; "
            outcome.words += f"gIoU {masks['gIoU']}, N-acc {masks['N-acc']}"
        yield f"ev/{file.name}", outcome


def fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)


def main(folder: Path) -> int:
    """Run all; returns how many broke a promise."""
    broken = count = 0
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work) / "cases"
        shutil.copytree(folder, copy)
        (place := Path(work) / "out").mkdir()
        for name, outcome in cases(copy, place):
            count += 1
            broken += bool(outcome.broken)
            print(f"{'WRONG' if outcome.broken else 'right'}  {name}\n       {outcome.told()}")
            for promise in outcome.broken:
                print(f"       broken: {promise}")
    print(f"{count} inputs, {broken} with a broken promise")
    return broken


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1])) else 0)
