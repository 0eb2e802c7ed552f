"""What a narrator knows of a scene, and how questions about it are phrased."""

from collections.abc import Sequence

import numpy as np

from lab.language.phrasing import box_text, count_one, courteous, vary
from lab.language.questions import CHINESE, ENGLISH
from lab.language.turn import Thing
from lab.scenes.vocabulary import nouns

_POLITE_KINDS = (
    "caption",
    "ground",
    "ground_two",
    "segment",
    "segment_two",
    "segment_it",
    "ground_it",
)
"""What people ask with a "please" before or after."""


class SceneNarrator:
    """The things of one scene in order, and the wording of questions about them."""

    def __init__(self, things: Sequence[Thing], background: str, rng: np.random.Generator) -> None:
        """Put a scene in order.

        Args:
            things: what is in the scene.
            background: one of `backgrounds.NAMES`.
            rng: chooses nouns and phrasings.
        """
        self.things = sorted(things, key=lambda thing: (thing.centre[0], thing.row))
        self.background = background
        self.rng = rng
        self.groups: dict[int, list[Thing]] = {}
        for thing in self.things:
            self.groups.setdefault(thing.noun, []).append(thing)

    def present(self) -> int:
        """Choose a noun of the scene."""
        return int(self.rng.choice(list(self.groups)))

    def absent(self) -> int:
        """Choose a noun that the scene does not have."""
        while (noun := int(self.rng.integers(len(nouns())))) in self.groups:
            pass
        return noun

    def single(self) -> list[int]:
        """Return the nouns that the scene has just once."""
        return [noun for noun, group in self.groups.items() if len(group) == 1]

    def rows(self, noun: int) -> tuple[int, ...]:
        """Return the truth rows of all things of a noun, from left to right."""
        return tuple(thing.row for thing in self.groups.get(noun, ()))

    def question(self, kind: str, chinese: bool, noun: int = -1, second: int = -1) -> str:
        """Word this kind of question about one noun, or two."""
        words = nouns()[noun]
        slots = {"n": words.english, "p": words.plural, "a": count_one(noun), "z": words.chinese}
        slots["m"] = words.measure
        if second >= 0:
            slots.update(n2=nouns()[second].english, z2=nouns()[second].chinese)
        return self.phrase(kind, chinese).format(**slots)

    def phrase(self, kind: str, chinese: bool) -> str:
        """Choose a wording of this kind of question, slots open, now and then with a "please"."""
        choices = (CHINESE if chinese else ENGLISH)[kind]
        template = choices[self.rng.integers(len(choices))]
        if kind in _POLITE_KINDS and self.rng.random() < 0.25:
            template = courteous(template, self.rng, chinese)
        return vary(template, self.rng)

    def reference(self, noun: int, chinese: bool) -> str:
        """Name a noun and write the boxes of all its things, as Qwen-VL does."""
        word = nouns()[noun].chinese if chinese else nouns()[noun].english
        return f"<ref>{word}</ref>" + "".join(box_text(t.box) for t in self.groups[noun])
