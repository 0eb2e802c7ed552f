"""Compare every backend with the official processors, and write the tables of docs/models.md.

    python -m benchmarks.official --python /path/to/python [--only KIND...] [--write]
    python -m benchmarks.official --make FOLDER [--write]

`--python` is an interpreter with torch, torchvision and the same transformers as here; `--make`
makes an environment with one. torchvision must not be installed beside this project's own torch.
Models are miniatures with random weights: chat models make the first table, segmenters and
detectors the second. With `--only`, the other rows of the documentation stay.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import transformers

from benchmarks.official.grounders_here import GROUNDERS, write_grounder
from benchmarks.official.package_side import write_package_side
from benchmarks.official.pictures import write_pictures
from segue.chat.transformers.families import FAMILIES, family_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "models.md"
CHATS, GROUNDING = "official", "official grounders"
"""Names of the marks between which the tables stand."""
TORCH = ("torch==2.14.1", "torchvision==0.29.1")
SIDE = Path(__file__).with_name("official_side.py")
GROUNDERS_SIDE = Path(__file__).with_name("grounders_there.py")


def main() -> None:
    """Compare and print; `--write` puts the table into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, help="an interpreter with torchvision")
    parser.add_argument("--make", type=Path, help="make an environment with torchvision here")
    parser.add_argument("--only", nargs="+", help="model types")
    parser.add_argument("--write", action="store_true", help="write the table to docs/models.md")
    options = parser.parse_args()
    python = options.python or (options.make and make_environment(options.make))
    if python is None:
        parser.error("give --python with torchvision, or --make a folder for an environment")
    wanted = options.only or [*kinds(), *GROUNDERS]
    with tempfile.TemporaryDirectory() as temporary:
        files = write_pictures(Path(temporary) / "pictures")
        for mark, names, side, as_rows in (
            (CHATS, [kind for kind in wanted if kind not in GROUNDERS], SIDE, as_table),
            (GROUNDING, [k for k in wanted if k in GROUNDERS], GROUNDERS_SIDE, grounding_table),
        ):
            if not names:
                continue
            table = as_rows(compare_kinds(names, Path(temporary), files, python, side))
            print(table)
            if options.write:
                write_table(table, mark, keep_rows=options.only is not None)


def make_environment(folder: Path) -> Path:
    """Make an environment with torchvision and transformers; return its interpreter."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    packages = (*TORCH, f"transformers=={transformers.__version__}", "pillow", "num2words", "timm")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def kinds() -> list[str]:
    """Return the model types that can be asked here: the catalogue's first, then all others."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chat.test_every_class import KINDS, REASONS

    able = [kind for kind in KINDS if kind not in REASONS]
    return sorted(able, key=lambda kind: (kind not in FAMILIES, kind))


def compare_kinds(
    names: list[str], place: Path, files: list[Path], python: Path, side: Path
) -> dict[str, dict[str, Any]]:
    """Compare model types: the package's side first, then the official one in one process."""
    write = write_grounder if side == GROUNDERS_SIDE else write_package_side
    results: dict[str, dict[str, Any]] = {}
    for kind in names:
        (place / kind).mkdir()
        try:
            results[kind] = {"replies": write(kind, place / kind, files)}
        except Exception as error:
            results[kind] = {"failed": f"package: {type(error).__name__}: {str(error)[:300]}"}
        print(kind, results[kind], file=sys.stderr, flush=True)
    able = [kind for kind in names if "failed" not in results[kind]]
    command = [str(python), str(side), str(place), *able]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            results[told.pop("kind")] |= told
            print(line, end="", file=sys.stderr, flush=True)
    if process.returncode:
        raise SystemExit(f"{python} failed: it needs torch, torchvision and transformers.")
    return results


def as_table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| family | pixel values: largest difference, mean | shapes, grids, ids | prompt, three "
        "turns | kept cache, three turns |",
        "|---|---|---|---|---|",
    ]
    for kind, told in results.items():
        if "failed" in told:
            lines.append(failure_row(kind, told))
            continue
        levels = f"{told['levels']:.2f}, {told['mean']:.3f}"
        problems = [*told["shapes"], *told["seen"], *(f"ids of {name}" for name in told["ids"])]
        refusals = {reason.partition(":")[0] for reason in told["refused"].values()}
        same = "equal" if not problems else f"{len(problems)} differ, such as {problems[0]}"
        if refusals:
            names = ", ".join(sorted(told["refused"]))
            same += f"; refused by {' and '.join(sorted(refusals))}: {names}"
        replies = told["replies"]
        kept = f"{replies['tokens']} tokens, {replies['wrong']} differ" if replies["kept"] else "-"
        prompt = told["prompt"].replace("|", "\\|").replace("\n", " ")[:90]
        if not family_of(kind).turns:
            prompt = "one question only"
        lines.append(f"| `{kind}` | {levels} | {same} | {prompt} | {kept} |")
    return "\n".join(lines)


def failure_row(kind: str, told: dict[str, Any]) -> str:
    """Return the row of what could not be compared, with the reason."""
    return f"| `{kind}` | {told['failed'].replace('|', '/')} | | | |"


def grounding_table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results of segmenters and detectors as a table in Markdown."""
    lines = [
        "| model type | pixel values: largest difference, mean | official network and "
        "post-processing on the pixels from here | on its own pixels | on pixels from here with "
        "these differences elsewhere |",
        "|---|---|---|---|---|",
    ]
    for kind, told in results.items():
        if "failed" in told:
            lines.append(failure_row(kind, told))
            continue
        levels = f"{told['levels']:.2f}, {told['mean']:.3f}"
        if told["shapes"]:
            levels += f"; {len(told['shapes'])} of other shapes, such as {told['shapes'][0]}"
        for name, reason in told["refused"].items():
            levels += f"; {name} refused by {reason.partition(':')[0]}"
        same, own, moved = (_outcome(kind, told[way]) for way in ("same", "own", "noise"))
        lines.append(f"| `{kind}` | {levels} | {same} | {own} | {moved} |")
    return "\n".join(lines)


def _outcome(kind: str, told: dict[str, Any]) -> str:
    """Say what differs in boxes, scores and masks."""
    parts = [f"scores {told['scores']:.2g}"]
    if not GROUNDERS[kind].segments and kind != "clipseg":
        total = told["compared"] + told["unmatched"]
        parts = [f"boxes {told['boxes']:.2g} px", *parts]
        parts.append(f"{told['unmatched']} of {total} boxes without a partner")
        if told["labels"]:
            parts.append(f"{told['labels']} other phrases")
    if told["filled"] != [1.0, 0.0]:
        parts.append(f"masks {100 * told['pixels']:.2g} %, IoU {told['iou']:.4f}")
    return ", ".join(parts)


def write_table(table: str, name: str, *, keep_rows: bool) -> None:
    """Put the table between its marks in the documentation.

    Args:
        table: in Markdown.
        name: of the marks.
        keep_rows: rows of the documentation that `table` has no other of stay.
    """
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.partition(begin)
    old, _, after = rest.partition(end)
    if keep_rows:
        table = merge_rows(old, table)
    PAGE.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")


def merge_rows(old: str, new: str) -> str:
    """Put the rows of one table in Markdown into another: in the place of rows of the same name.

    >>> old, new = "| a |\\n|---|\\n| x |\\n| y | 1 |", "| a |\\n|---|\\n| y | 2 |"
    >>> print(merge_rows(old, new))
    | a |
    |---|
    | x |
    | y | 2 |
    """
    head, rows = new.strip().splitlines()[:2], {}
    for line in (*old.strip().splitlines()[2:], *new.strip().splitlines()[2:]):
        rows[line.split("|")[1].strip()] = line
    return "\n".join([*head, *rows.values()])


if __name__ == "__main__":
    main()
