"""The parts of a dialogue about a drawn scene: its things, and one question with its answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    It has its noun, its box on the 0..1000 grid, its row in the truth, and its colour (index in
    `colours.NAMES`; -1 where none prevails).
    """

    noun: int
    box: tuple[int, int, int, int]
    row: int
    colour: int = -1

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of the box, on the 0..1000 grid."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def area(self) -> int:
        """Area of the box, in squares of the grid."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


@dataclass(frozen=True)
class Turn:
    """One question and its answer.

    `kind` names what is asked; `noun` is the noun it is about (-1: none, or one outside the
    vocabulary) and `present` whether the scene has it. `boxes` are the truth rows of the boxes in
    the answer, in order; `named_rows` the groups of rows that the answer names, in order.
    """

    kind: str
    question: str
    answer: str
    chinese: bool
    noun: int = -1
    present: bool = True
    boxes: tuple[int, ...] = ()
    named_rows: tuple[tuple[int, ...], ...] = ()
