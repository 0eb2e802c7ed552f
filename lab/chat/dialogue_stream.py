"""Batches of dialogues about scenes, for stage two."""

from collections.abc import Callable, Mapping
from multiprocessing import Value
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.chat.data import SceneArrays, SceneStream
from lab.chat.packed_rows import RowArrays, ScoredSpan, row_arrays
from lab.chat.packing import TurnPacker

SAMPLES = {"noun": 16, "box": 16, "list": 16, "carry": 8, "copy": 8, "previous": 8, "boxes": 25}
"""Attention targets of each name, and tokens of boxes, that are learned from, for each row."""


class DialogueBatch(NamedTuple):
    """One training step's input: scenes, one row of dialogues about each, and where answers are."""

    scenes: SceneArrays
    rows: RowArrays[NDArray[Any]]
    spans: list[ScoredSpan]


class DialogueStream:
    """Draws scenes and packs dialogues about them.

    Which kinds of turns there are may depend on the progress of the training, which its process
    sets in `progress` and workers read.
    """

    def __init__(
        self,
        scenes: SceneStream,
        packer: TurnPacker,
        mix: Callable[[float], Mapping[str, float]],
        seed: int,
    ) -> None:
        """Prepare the stream.

        Args:
            scenes: what the dialogues are about.
            packer: packs them.
            mix: the weight of each kind of turn, by the progress of the training.
            seed: of the dialogues.
        """
        self.scenes, self.packer, self.mix, self.seed = scenes, packer, mix, seed
        self.progress = Value("d", 0.0)

    def batch(self, step: int) -> DialogueBatch:
        """Draw batch number `step`."""
        scenes = self.scenes.batch(step)
        rng = self.packer.rng = np.random.default_rng([self.seed, 7, step])
        rows = self.packer.pack(scenes, self.mix(self.progress.value))
        limits = {name: share * len(scenes) for name, share in SAMPLES.items()}
        return DialogueBatch(scenes, row_arrays(rows, rng, limits), rows.scored_spans)

    def branch(self, number: int) -> None:
        """Turn to scenes of its own, as worker `number`."""
        self.scenes.branch(number)

    def state_dict(self) -> int:
        """Return how many scenes have been drawn."""
        return self.scenes.state_dict()

    def load_state_dict(self, state: int) -> None:
        """Draw the scenes again as they were after so many."""
        self.scenes.load_state_dict(state)
