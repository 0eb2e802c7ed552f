"""Both routes end to end: a question about a held-out scene, and the pixels that come back.

Each scene is asked four times through the product's own conversation, languages alternating: to
segment something that is there and something that is not (the tag route), and to frame something
that is there and something that is not (the box route). All masks of an answer together are
compared with all pixels of the noun that was asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from lab.chat.evaluate import held_out_scenes, things_of
from lab.language.dialogues import Narrator
from lab.language.turn import Turn
from lab.scenes.held_out import held_out_worlds
from lab.scenes.scene import Scene
from segue.assistant import Assistant, load
from segue.draw import draw_regions
from segue.draw.lettering import font_for
from segue.errors import ModelError
from segue.evaluate.metrics import MaskScores
from segue.pipeline.answer import Answer

SEED = 940_001
"""Scenes that neither training nor any choice of thresholds has seen."""

ROUTES = {"segment": "tag route", "ground": "box route"}
"""The kind of question that leads to each route."""


@dataclass(frozen=True)
class RouteAnswer:
    """A question about a scene, and what came back."""

    scene: Scene
    turn: Turn
    answer: Answer

    @property
    def predicted_mask(self) -> NDArray[np.bool_]:
        """All masks of the answer together, (H, W); empty where there are none."""
        masks = [r.mask.array for r in self.answer.regions if r.mask is not None]
        return np.logical_or.reduce([np.zeros(self.scene.image.shape[:2], bool), *masks])

    @property
    def true_mask(self) -> NDArray[np.bool_]:
        """All visible pixels of the noun that was asked for, (H, W)."""
        objects = zip(self.scene.objects, self.scene.masks, strict=True)
        masks = [mask for item, mask in objects if item.noun == self.turn.noun]
        return np.logical_or.reduce([np.zeros(self.scene.image.shape[:2], bool), *masks])


def ask_about(assistant: Assistant, scenes: Sequence[Scene], seed: int) -> Iterator[RouteAnswer]:
    """Ask the four questions about every scene."""
    rng = np.random.default_rng(seed)
    for number, scene in enumerate(scenes):
        narrator = Narrator(things_of(scene), scene.background, rng)
        for kind in ROUTES:
            for noun in (narrator.present(), narrator.absent()):
                turn = narrator.ask(kind, number % 2 == 1, noun)
                assert turn is not None, "every scene allows these questions"
                yield RouteAnswer(scene, turn, assistant.open(scene.image).ask(turn.question))


def score_routes(answers: Sequence[RouteAnswer]) -> dict[str, MaskScores]:
    """Add up mask scores by route."""
    scores = {route: MaskScores() for route in ROUTES.values()}
    for route_answer in answers:
        scores[ROUTES[route_answer.turn.kind]].add(
            route_answer.predicted_mask, route_answer.true_mask
        )
    return scores


def figures(scores: MaskScores) -> dict[str, float]:
    """Return the figures that are printed: those of present things, then of absent ones."""
    present = scores.true_positives + scores.false_negatives
    absent = scores.true_negatives + scores.false_positives
    present_sum = scores.iou_sum - scores.true_negatives  # a right "there is none" has IoU 1
    return {
        "mask IoU of what is there": round(present_sum / max(1, present), 4),
        "P@0.5": round(scores.precision_at(0.5) or 0.0, 4),
        "T-acc": round(scores.t_acc or 0.0, 4),
        "N-acc": round(scores.n_acc or 0.0, 4),
        "cIoU": round(scores.ciou or 0.0, 4),
        "questions": present + absent,
    }


def evaluate_routes(
    weights: str | Path | None = None, *, scenes: int = 300, seed: int = SEED
) -> dict[str, dict[str, float]]:
    """Measure both routes on held-out scenes.

    Args:
        weights: a folder with `chat`, `detector` and `segmenter`; None: the bundled ones.
        scenes: how many of each kind; four questions are asked about each.
        seed: of the scenes and questions.

    Returns:
        A row for each kind of scenes and route.

    Raises:
        ModelError: the folder lacks one of the three.
    """
    assistant = _assistant(weights)
    table = {}
    for row, (name, world) in enumerate(held_out_worlds().items()):
        scenes_drawn = held_out_scenes(world.bank, scenes, seed + row, draw=world.draw)
        scores = score_routes(list(ask_about(assistant, scenes_drawn, seed + row)))
        table.update(
            {f"{name}, {route}": figures(route_answer) for route, route_answer in scores.items()}
        )
    return table


def _assistant(weights: str | Path | None) -> Assistant:
    if weights is None:
        return load("embedded", device="cpu")
    folder = Path(weights)
    parts = {part: folder / part for part in ("chat", "detector", "segmenter")}
    missing = [part for part, path in parts.items() if not (path / "config.json").is_file()]
    if missing:
        raise ModelError(
            f"{folder} lacks {', '.join(missing)}. Give a folder with the folders chat, detector "
            "and segmenter, each with its weights."
        )
    return load(
        chat=parts["chat"], detect=parts["detector"], segment=parts["segmenter"], device="cpu"
    )


def result_sheet(
    answerer: Assistant | str | Path | None = None,
    *,
    scenes: int = 3,
    seed: int = SEED,
    side: int = 256,
) -> PIL.Image.Image:
    """Draw unselected results: four questions a scene, a scene a row.

    Args:
        answerer: who answers, or weights as for `evaluate_routes`.
        scenes: rows of each of the `held_out_worlds`.
        seed: of the scenes.
        side: of each picture, in pixels.
    """
    assistant = answerer if isinstance(answerer, Assistant) else _assistant(answerer)
    scenes_drawn = [
        scene
        for row, world in enumerate(held_out_worlds().values())
        for scene in held_out_scenes(world.bank, scenes, seed + row, draw=world.draw)
    ]
    cells = [_cell(route_answer, side) for route_answer in ask_about(assistant, scenes_drawn, seed)]
    across = 2 * len(ROUTES)
    width, height = cells[0].size
    sheet = PIL.Image.new("RGB", (across * width, -(-len(cells) // across) * height), "white")
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % across * width, number // across * height))
    return sheet


def _cell(route_answer: RouteAnswer, side: int) -> PIL.Image.Image:
    """Draw the image with what was found on it, above the question and the mask's IoU."""
    from PIL import ImageDraw

    from segue.values.image import Image

    picture = draw_regions(
        Image.open(route_answer.scene.image), route_answer.answer.regions
    ).resize((side, side))
    cell = PIL.Image.new("RGB", (side + 8, side + 44), "white")
    cell.paste(picture, (4, 4))
    union = np.count_nonzero(route_answer.predicted_mask | route_answer.true_mask)
    iou = (
        np.count_nonzero(route_answer.predicted_mask & route_answer.true_mask) / union
        if union
        else 1.0
    )
    verdict = (
        f"IoU {iou:.2f}"
        if route_answer.turn.present
        else ("none, right" if not union else "invented")
    )
    draw = ImageDraw.Draw(cell)
    for line, text in enumerate((route_answer.turn.question, verdict)):
        font = font_for(text, 13)
        while draw.textlength(text, font) > side and len(text) > 4:
            text = text[:-2].rstrip(" …") + "…"
        draw.text((5, side + 7 + 17 * line), text, "black", font)
    return cell
