"""Compare every chat family with the official processors, and write the table of docs/models.md.

    python -m benchmarks.official --python /path/to/python [--only KIND...] [--write]
    python -m benchmarks.official --make FOLDER [--write]

`--python` is an interpreter with torch, torchvision and the same transformers as here; `--make`
makes an environment with one. torchvision must not be installed beside this project's own torch.
Models are miniatures with random weights.
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

from benchmarks.official.package_side import write_package_side
from benchmarks.official.pictures import write_pictures
from segue.chat.transformers.families import FAMILIES, family_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- official: begin -->", "<!-- official: end -->"
TORCH = ("torch==2.14.1", "torchvision==0.29.1")
SIDE = Path(__file__).with_name("official_side.py")


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
    with tempfile.TemporaryDirectory() as temporary:
        files = write_pictures(Path(temporary) / "pictures")
        results = compare_kinds(options.only or kinds(), Path(temporary), files, python)
    table = as_table(results)
    print(table)
    if options.write:
        write_table(table)


def make_environment(folder: Path) -> Path:
    """Make an environment with torchvision and transformers; return its interpreter."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    packages = (*TORCH, f"transformers=={transformers.__version__}", "pillow", "num2words")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def kinds() -> list[str]:
    """Return the model types that can be asked here: the catalogue's first, then all others."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chat.test_every_class import KINDS, REASONS

    able = [kind for kind in KINDS if kind not in REASONS]
    return sorted(able, key=lambda kind: (kind not in FAMILIES, kind))


def compare_kinds(
    names: list[str], place: Path, files: list[Path], python: Path
) -> dict[str, dict[str, Any]]:
    """Compare model types: the package's side first, then the official one in one process."""
    results: dict[str, dict[str, Any]] = {}
    for kind in names:
        (place / kind).mkdir()
        try:
            results[kind] = {"replies": write_package_side(kind, place / kind, files)}
        except Exception as error:
            results[kind] = {"failed": f"package: {type(error).__name__}: {str(error)[:300]}"}
        print(kind, results[kind], file=sys.stderr, flush=True)
    able = [kind for kind in names if "failed" not in results[kind]]
    command = [str(python), str(SIDE), str(place), *able]
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
            lines.append(f"| `{kind}` | {told['failed'].replace('|', '/')} | | | |")
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


def write_table(table: str) -> None:
    """Put the table between its marks in the documentation."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
