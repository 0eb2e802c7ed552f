"""Every reader of annotation files on files that were damaged: python -m benchmarks.fuzz_readers

Takes the number of files (20,000) and a seed. Sound files of every form are cut, patched, and their
values replaced by what annotation files should not hold. Promised of each: no exception but the
package's own, and no more memory than the limit.
"""

import json
import logging
import pickle
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from segue.convert.check import check_dataset
from segue.convert.dataset import OutputPlan, read_records_tolerantly, write_dataset
from segue.convert.datasets.coco import CocoOptions, convert_coco
from segue.convert.datasets.llava_plus import LlavaPlusOptions, convert_file
from segue.convert.datasets.question_templates import QuestionStyle
from segue.convert.datasets.refer import ReferOptions, convert_refer
from segue.convert.dialogue import Dialogue, DialogueTurn, GroundTruth
from segue.convert.entry_tally import EntryTally
from segue.convert.formats import FORMATS as TRAINERS
from segue.convert.image_files import ImageFiles
from segue.errors import SegueError
from segue.evaluate.metrics import average_precision
from segue.evaluate.predictions import read_predictions
from segue.evaluate.questions import read_questions
from segue.export import FORMATS, AnnotatedImage
from segue.export.coco import read_coco, write_coco
from segue.export.cvat import read_cvat
from segue.export.geojson import read_geojson
from segue.export.label_studio import read_label_studio
from segue.export.labelme import read_labelme
from segue.export.voc import read_voc
from segue.export.yolo import read_yolo
from segue.files.text import read_json
from segue.prompting.synonyms import Synonyms
from segue.values.box import Box, Size
from segue.values.mask import Mask, rle
from segue.values.region import Region

MEMORY = 4_000_000 * 1024
"""Bytes of address space, as `ulimit -v 4000000`."""
SIZE = Size(24, 32)
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, 1e308, -1e12, 0.5, float("nan"), float("inf"),
    float("-inf"), "", "0", "1", "nan", "../../evil", "/abs", "\ud83d", "é", "a\0b", "x" * 5000,
    [], [[]], [None], [[None]], {}, {"size": [100000, 100000], "counts": [0, 10**10]},
    {"size": [30000, 30000], "counts": "0" * 9}, [1, 2], [[1, 2, 3, 4]], [[1e9] * 8], ["1", "2"],
    [[[1, 1], [5, 1], [5, 5]]], "[[1,1,5,1,5,5]]", "<image>", "<ref-object><bbox>", 100000,
)  # fmt: skip


def scene() -> list[AnnotatedImage]:
    array = np.zeros(SIZE, bool)
    array[4:12, 5:20] = True
    array[6:9, 8:12] = False
    regions = (
        Region("r1", "cat", Box(5, 4, 20, 12), "detector", mask=Mask(array), score=0.5),
        Region("r2", "dog, small", Box(2, 2, 9, 9), "chat"),
    )
    return [AnnotatedImage("a.png", SIZE, regions), AnnotatedImage("sub/b.png", SIZE, ())]


def seeds(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], Any]]]:
    """Name -> a sound file, and how it is read."""
    PIL.Image.new("RGB", (SIZE.width, SIZE.height)).save(folder / "a.png")
    files = ImageFiles({"": [folder]})
    made: dict[str, tuple[bytes, Callable[[Path], Any]]] = {}

    def exported(name: str, reader: Callable[..., Any], pick: int = 0, **options: Any) -> None:
        written = FORMATS.load(name, scene(), folder / name, **options)
        content = Path(written[pick]).read_bytes()
        made[name + ("-polygons" if options else "")] = (content, lambda p: _twice(reader, p))

    exported("coco", read_coco)
    exported("coco", read_coco, polygons=True)
    exported("cvat", read_cvat)
    exported("label-studio", read_label_studio)
    exported("labelme", read_labelme)
    exported("geojson", read_geojson)
    exported("voc", read_voc)
    yolo = FORMATS.load("yolo", scene()[:1], folder / "yolo")
    for number, kind in enumerate(("yolo-names", "yolo-labels")):
        made[kind] = (Path(yolo[number]).read_bytes(), _yolo(number))
    instances = write_coco(scene()[:1], folder / "instances.json")[0].read_bytes()
    (folder / "instances.json").write_bytes(instances)
    coco = CocoOptions(absent_share=1.0, masks=True, question_style=QuestionStyle(route="tag"))
    made["instances"] = (
        instances,
        lambda p: _converted(p, lambda a: convert_coco(p, files, coco, a)),
    )
    references = [
        {"ref_id": n, "image_id": 1, "ann_id": [1] if n else [-1], "split": "val",
         "sentences": [{"sent": f"the left cat {n}"}]}
        for n in range(3)
    ]  # fmt: skip
    refer = ReferOptions(question_style=QuestionStyle(route="box", chinese_share=0), masks=True)

    def referred(p: Path) -> None:
        _converted(p, lambda a: convert_refer(p, folder / "instances.json", files, refer, a))

    made["references.json"] = (json.dumps(references).encode(), referred)
    made["references.p"] = (pickle.dumps(references, protocol=2), referred)
    made["references0.p"] = (pickle.dumps(references, protocol=0), referred)
    record = {
        "unique_id": "7", "image": "a.png",
        "conversations": [
            {"from": "human", "value": "<image>\nSegment the dog."},
            {"from": "gpt", "value": "…", "thoughts": "t", "actions": [
                {"API_name": "grounding_dino+sam", "API_params": {"caption": "dog"}}]},
            {"from": "human", "value": "grounding_dino+sam model outputs: {'boxes': [[0.1, 0.1, "
             "0.5, 0.5]], 'logits': [0.5], 'phrases': ['dog']}\n\nAnswer my first question: x"},
            {"from": "gpt", "value": "Here it is.", "actions": []},
        ],
    }  # fmt: skip
    made["llava-plus"] = (
        json.dumps([record, {**record, "unique_id": "8"}]).encode(),
        lambda p: _converted(p, lambda a: convert_file(p, files, LlavaPlusOptions())),
    )
    made |= _trainers(folder)
    made |= _evaluation(folder)
    return made


def _twice(reader: Callable[..., Any], path: Path) -> None:
    """Once strictly, once with a list of what is skipped."""
    reader(path, skipped=[])
    reader(path)


def _yolo(number: int) -> Callable[[Path], Any]:
    def read_dialogues(path: Path) -> None:
        folder = path.parent / "y"
        (folder / "labels").mkdir(parents=True, exist_ok=True)
        sound = [b'names:\n  0: "cat"\n', b"0 0.1 0.1 0.5 0.1 0.5 0.5\n"]
        sound[number] = path.read_bytes()
        (folder / "data.yaml").write_bytes(sound[0])
        (folder / "labels" / "a.txt").write_bytes(sound[1])
        read_yolo(folder, {"a.png": SIZE}, skipped=[])
        read_yolo(folder, {"a.png": SIZE})

    return read_dialogues


def _converted(path: Path, make: Callable[[EntryTally], Iterator[Any]]) -> None:
    tally = EntryTally()
    out = path.parent / "out"
    plan = OutputPlan(formats=("dialogues", "qwen-vl", "questions"), validation_share=0.5)
    report = write_dataset(make(tally), out, plan, None, tally)
    if report.n_read != report.n_kept + report.n_dropped:
        raise AssertionError(f"{report.n_read} records read, {report.n_kept} + {report.n_dropped}")
    for kind, counts in tally.kinds.items():
        if counts.n_read != counts.n_used + counts.n_dropped:
            raise AssertionError(f"{kind}: {counts}")


def _dialogues() -> Iterator[Dialogue]:
    truth = GroundTruth((Box(2, 2, 9, 9),), rle.encode(np.ones(SIZE, bool)))
    answer = "<ref>dog</ref><box>(100,200),(500,900)</box>"
    for number in range(3):
        yield Dialogue(
            f"d{number}", ("a.png",),
            (DialogueTurn("user", f"Where is the dog {number}?"),
             DialogueTurn("assistant", answer, "box", ("dog",), truth)),
            split="train", size=SIZE,
        )  # fmt: skip


def _trainers(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], Any]]]:
    split_format_names = tuple(name for name in TRAINERS if name != "questions")
    write_dataset(
        _dialogues(),
        folder / "trainers",
        OutputPlan(formats=split_format_names, validation_share=0),
    )
    made = {}
    for name in split_format_names:
        file = next((folder / "trainers").glob(f"train.{name}*"))
        made[f"trainer-{name}"] = (file.read_bytes(), _checked(name))
    real = {
        "messages": [{"role": "user", "content": "<image>Find the <ref-object>"},
                     {"role": "assistant", "content": "<bbox>"}],
        "images": ["a.png"], "objects": {"ref": ["dog"], "bbox": [[1, 2, 9, 9]]},
    }  # fmt: skip
    made["trainer-swift-real"] = (json.dumps(real).encode(), _checked("swift"))
    return made


def _checked(name: str) -> Callable[[Path], Any]:
    def read_dialogues(path: Path) -> None:
        list(read_records_tolerantly(path, name))
        check_dataset(path, format_name=None if name != "parquet" else name)

    return read_dialogues


def _evaluation(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], Any]]]:
    mask = rle.encode(np.ones(SIZE, bool))
    question = {"image": "a.png", "question": "Segment the dog.", "expect": "tag",
                "phrases": ["dog"], "boxes": [[1, 2, 9, 9]], "mask": mask}  # fmt: skip
    manifest = {"format": 1, "prompt": "", "dialect": "qwen_vl", "questions": {}, "models": {},
                "thresholds": {}, "sampling": {}, "versions": {}}  # fmt: skip
    region = {"id": "r1", "phrase": "dog", "box": [1, 2, 9, 9], "found_by": "chat", "mask": mask}
    answer = {"question": {"id": "q", **question}, "raw": "", "regions": [region],
              "not_found": [], "broken": [], "finish": "stop"}  # fmt: skip
    truth = json.loads((folder / "instances.json").read_text())
    result = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 9, 9], "score": 0.5,
               "segmentation": mask}]  # fmt: skip

    def scored(kind: str, which: str) -> Callable[[Path], Any]:
        def read_dialogues(path: Path) -> None:
            value = read_json(path)
            pair = (value, result) if which == "truth" else (truth, value)
            average_precision(*pair, kind)

        return read_dialogues

    lines = f"{json.dumps({'manifest': manifest})}\n{json.dumps(answer)}\n"
    return {
        "questions": (json.dumps(question).encode(), lambda p: list(read_questions(p))),
        "predictions": (lines.encode(), lambda p: list(read_predictions(p))),
        "truth-boxes": (json.dumps(truth).encode(), scored("bbox", "truth")),
        "truth-masks": (json.dumps(truth).encode(), scored("segm", "truth")),
        "results-boxes": (json.dumps(result).encode(), scored("bbox", "results")),
        "results-masks": (json.dumps(result).encode(), scored("segm", "results")),
        "synonyms": (b'[["tram", "streetcar"]]', Synonyms.read),
    }


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Damage a file."""
    if rng.random() < 0.6:
        try:
            return _patched(content, rng)
        except ValueError:
            pass
    kind = rng.randrange(6)
    data = bytearray(content)
    if kind == 0:
        return bytes(data[: rng.randrange(len(data) + 1)])
    if kind == 1 and data:
        for _ in range(rng.randrange(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    if kind == 2:
        at = rng.randrange(len(data) + 1)
        data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 30)))
    if kind == 3:
        at = rng.randrange(len(data) + 1)
        del data[at : at + rng.randrange(1, 60)]
    if kind == 4:
        at, to = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
        data[to:to] = data[at : at + rng.randrange(1, 200)]
    if kind == 5:
        text = bytes(data).decode("utf-8", "replace")
        return text.encode(rng.choice(["utf-16", "utf-8-sig", "utf-32", "latin-1"]), "replace")
    return bytes(data)


def _patched(content: bytes, rng: random.Random) -> bytes:
    """JSON with some of its values replaced, taken out or doubled."""
    text = content.decode()
    try:
        values = [json.loads(text)]
    except ValueError:
        values = [json.loads(line) for line in text.splitlines() if line.strip()]
    for _ in range(rng.randrange(1, 4)):
        places = list(_places(values))
        owner, key = rng.choice(places)
        kind = rng.randrange(5)
        if kind == 0 and isinstance(owner, dict):
            del owner[key]
        elif kind == 1 and isinstance(owner, list):
            owner.insert(key, owner[key])
        else:
            owner[key] = deepcopy(rng.choice(ODD))
    return "\n".join(json.dumps(value) for value in values).encode()


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value)) if depth < 12 else ()
    for key in list(keys)[:200]:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key], depth + 1)


def main(count: int, seed: int) -> int:
    """Read that many damaged files; returns how many broke the promise."""
    logging.disable(logging.WARNING)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    wrong: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    slowest = (0.0, "")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sound = seeds(folder)
        (work := folder / "work").mkdir()
        PIL.Image.new("RGB", (SIZE.width, SIZE.height)).save(work / "a.png")
        for number in range(count):
            rng = random.Random(f"{seed} {number}")
            name = list(sound)[number % len(sound)]
            content, read_dialogues = sound[name]
            path = work / (name if "." in name else f"{name}.json")
            path.write_bytes(damaged(content, rng))
            begun = time.perf_counter()
            try:
                read_dialogues(path)
                outcomes["read"] += 1
            except SegueError:
                outcomes["refused"] += 1
            except Exception as error:
                key = f"{name}: {type(error).__name__} {str(error)[:80]}"
                wrong[key] += 1
                if wrong[key] == 1:
                    traceback.print_exc(limit=-4)
                    print(f"file {number}: {key}", flush=True)
            slowest = max(slowest, (time.perf_counter() - begun, f"{name}, file {number}"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count} files of {len(sound)} kinds, seed {seed}: {dict(outcomes)}, "
        f"{sum(wrong.values())} foreign exceptions; peak {peak:.0f} MB, slowest {slowest[0]:.2f} s "
        f"({slowest[1]}), {time.perf_counter() - started:.0f} s"
    )
    return sum(wrong.values())


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(1 if main(*(arguments + [20_000, 0][len(arguments) :])) else 0)
