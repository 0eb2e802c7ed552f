"""J&F of the bundled segmenter with the box follower, on drawn clips.

    python -m benchmarks.video_tracking [CLIPS] [--drawn FOLDER]

Each clip has 60 frames and three sprites, of which one passes behind another. Each sprite is
pointed at by its true box on the first frame. What is measured: J and F of DAVIS (see
`segue.evaluate.video_masks`), frames that are lost, frames a second on this machine. A second row
keeps the first mask where it was: what standing still would score.
"""

import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image

from benchmarks.timing import heading
from lab.scenes.clips import draw_clip
from lab.scenes.sprites import shipped_bank
from segue.assistant.loading import load_stage
from segue.evaluate.video_masks import score_track
from segue.trackers.box_following import BoxTracker
from segue.values.image import Image
from segue.values.mask import Mask

SEED = 2027
"""Of the clips that are measured; the thresholds were chosen on five clips of the seed 2026."""
ROLES = ("free", "passes behind", "in front")


def main(n_clips: int = 20, folder: Path | None = None) -> None:
    """Print the scores by role, and over all."""
    tracker = BoxTracker(load_stage("segment", "embedded-segmenter", device="cpu"))
    bank = shipped_bank()
    scores: list[list[tuple[float, float, float, float]]] = [[] for _ in ROLES]
    lost, shown, missed = np.zeros(3), np.zeros(3), np.zeros(3)
    seconds, n_frames = 0.0, 0
    for seed in range(n_clips):
        clip = draw_clip(np.random.default_rng([SEED, seed]), bank)
        frames = list(clip.frames())
        started = time.perf_counter()
        tracks = track_clip(tracker, [pixels for pixels, _ in frames], frames[0][1])
        seconds += time.perf_counter() - started
        n_frames += len(frames)
        for number, masks in enumerate(tracks):
            truth = [labels == number for _, labels in frames]
            still = [masks[0]] * len(masks)
            scores[number].append((*score_track(masks, truth), *score_track(still, truth)))
            visible = np.array([mask.sum() > 30 for mask in truth])
            empty = np.array([not mask.any() for mask in masks])
            lost[number] += (empty & visible).sum()
            missed[number] += (~empty & ~visible).sum()
            shown[number] += visible.sum()
        if folder is not None:
            draw_sheet(frames, tracks, folder / f"clip-{seed:02d}.png")
            print(
                seed, clip.names, [tuple(round(v, 2) for v in scores[n][-1][:2]) for n in range(3)]
            )
    print("object           J     F    J&F   still J&F   lost while visible   seen while hidden")
    for number, role in enumerate((*ROLES, "all")):
        rows = scores[number] if number < 3 else [row for part in scores for row in part]
        j, f, still_j, still_f = np.mean(rows, axis=0)
        part = slice(number, number + 1) if number < 3 else slice(None)
        share = lost[part].sum() / shown[part].sum()
        print(f"{role:14} {j:.3f} {f:.3f} {(j + f) / 2:.3f}   {(still_j + still_f) / 2:.3f}"
              f"       {share:.1%}                {int(missed[part].sum())}")  # fmt: skip
    print(f"{n_clips} clips, 3 objects each; {n_frames / seconds:.1f} frames a second")


def track_clip(
    tracker: BoxTracker, pictures: list[np.ndarray], labels: np.ndarray
) -> list[list[np.ndarray]]:
    """Follow every object of the first frame, from its true box; masks (H, W) bool by object."""
    frame = tracker.look(Image(pictures[0]))
    boxes = [box for number in range(3) if (box := Mask(labels == number).box) is not None]
    masks = frame.view.mask(boxes=boxes)
    followers = [tracker.start(frame, mask) for mask in masks]
    tracks = [[mask.array] for mask in masks]
    for pixels in pictures[1:]:
        frame = tracker.look(Image(pixels))
        for track, follower in zip(tracks, followers):
            mask = follower.advance(frame).mask
            track.append(np.zeros(pixels.shape[:2], bool) if mask is None else mask.array)
    return tracks


def draw_sheet(frames: list, tracks: list[list[np.ndarray]], file: Path) -> None:
    """Write eight frames of a clip with its masks."""
    cells = []
    for number in np.linspace(0, len(frames) - 1, 8).astype(int):
        pixels = frames[number][0].astype(float)
        for track, colour in zip(tracks, ((255, 0, 0), (0, 255, 0), (0, 0, 255))):
            pixels[track[number]] = 0.5 * pixels[track[number]] + 0.5 * np.array(colour)
        cells.append(pixels.astype(np.uint8))
    sheet = np.vstack([np.hstack(cells[:4]), np.hstack(cells[4:])])
    file.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(sheet).save(file)


if __name__ == "__main__":
    print(heading())
    words = sys.argv[1:]
    drawn = Path(words[words.index("--drawn") + 1]) if "--drawn" in words else None
    count = int(words[0]) if words and words[0].isdigit() else 20
    main(count, drawn)
