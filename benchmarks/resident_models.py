"""Models that stay in memory, against a new process that loads both for each request.

The alternative is what a demo script does that is started once per request: load the detector and
the segmenter, find the phrase, segment its boxes, write the picture, leave. Both sides run the same
full-size networks (Grounding DINO tiny and SAM ViT-B, random weights) through the same code.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.full_size import write_detector, write_segmenter

REQUESTS = (
    "first request",
    "same picture, another phrase",
    "same picture, same phrase",
    "same picture, a box",
)
PHRASES = ["cat", "dog", "dog", None]


def serve(folder: Path, phrases: list[str | None]) -> dict[str, object]:
    """Load both models once and answer requests; runs in a process of its own."""
    started = time.perf_counter()
    import numpy as np

    import segue
    from segue.draw import draw_regions

    assistant = segue.load(
        chat=None, detect=str(folder / "detector"), segment=str(folder / "segmenter"), device="cpu"
    )
    thresholds = json.loads((folder / "thresholds.json").read_text())
    picture = np.load(folder / "picture.npy")
    seconds, regions = [], []
    for phrase in phrases:
        if phrase is None:
            found = assistant.segment(picture, boxes=[segue.Box(100, 80, 300, 260)])
        else:
            assistant.box_threshold = thresholds[phrase]
            found = assistant.segment(picture, phrase)
        draw_regions(segue.Image.open(picture), found).save(folder / "out.png")
        seconds.append(time.perf_counter() - started)
        regions.append(len(found))
        started = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {"seconds": seconds, "regions": regions, "peak_mib": peak}


def in_a_new_process(folder: Path, phrases: list[str | None]) -> dict[str, object]:
    """Measure from outside: start-up and imports are part of the time."""
    before = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.resident_models", str(folder), json.dumps(phrases)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    answer["wall"] = time.perf_counter() - before
    return answer


def calibrate(folder: Path) -> None:
    """Write a picture, and a threshold for each phrase with which a few boxes are found."""
    import numpy as np

    import segue
    from segue.assistant.loading import load_stage

    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (6, 8, 3), np.uint8).repeat(80, 0).repeat(80, 1)
    np.save(folder / "picture.npy", picture)
    detector = load_stage("detect", folder / "detector", device="cpu")
    image = segue.Image.open(picture)
    third = {p: detector.find(image, [p], 0.0, 0.0)[2].score for p in ("cat", "dog")}
    thresholds = {phrase: score * 0.9999 for phrase, score in third.items()}
    (folder / "thresholds.json").write_text(json.dumps(thresholds))


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_detector(folder / "detector")
        write_segmenter(folder / "segmenter")
        calibrate(folder)
        resident = in_a_new_process(folder, PHRASES)
        alone = [in_a_new_process(folder, [phrase]) for phrase in ("cat", "dog", None)]
    per_request = {"cat": alone[0]["wall"], "dog": alone[1]["wall"], None: alone[2]["wall"]}
    rows = zip(REQUESTS, resident["seconds"], PHRASES, resident["regions"])
    print("Grounding DINO tiny + SAM ViT-B, full size, random weights, CPU, 640 x 480")
    for what, ours, phrase, regions in rows:
        theirs = per_request[phrase]
        both = f"resident {ours:7.2f} s   new process {theirs:7.2f} s"
        print(f"  {what:32} {both}   {theirs / ours:7.1f}x   {regions} masks")
    peak = max(one["peak_mib"] for one in alone)
    print(f"  peak memory: resident {resident['peak_mib']:.0f} MiB, new process {peak:.0f} MiB")


if __name__ == "__main__":
    print(json.dumps(serve(Path(sys.argv[1]), json.loads(sys.argv[2]))))
