"""What a conversation holds: pictures, turns, regions, edits, and every step that led to them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from segue.conversation.history import History, Snapshot, Step
from segue.edit import Edit
from segue.errors import UnknownName
from segue.pipeline.answer import Answer
from segue.values.image import Image
from segue.values.message import Message
from segue.values.region import Region


class State:
    """Pictures shown, and the history of everything else."""

    def __init__(self) -> None:
        self.history = History()
        """The changes so far; pictures shown are not among them."""
        self._images: tuple[Image, ...] = ()
        self._next_id = 1

    def show(self, *images: Any, allow_urls: bool = False) -> Self:
        """Add pictures; they go with the next question. The newest is the one talked about.

        Args:
            images: anything `Image.open` takes.
            allow_urls: let http(s) addresses be fetched.

        Raises:
            InputError: something is not a picture; then none of them is added.
        """
        self._images += tuple(Image.open(image, allow_urls=allow_urls) for image in images)
        return self

    @property
    def images(self) -> tuple[Image, ...]:
        """All pictures shown so far; `Region.image` counts in here."""
        return self._images

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions that exist now: of all answers and by hand, with all corrections."""
        return self.history.now.regions

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What came back, as it was given; later corrections are in `regions`."""
        return self.history.now.answers

    @property
    def turns(self) -> tuple[tuple[Message, Message], ...]:
        """(user, assistant) messages, one pair an answer."""
        return self.history.now.turns

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What to do to the pictures, in order; they themselves stay as they are."""
        return self.history.now.edits

    @property
    def backgrounds(self) -> Mapping[str, Image]:
        """Pictures that edits name."""
        return self.history.now.backgrounds

    def undo(self) -> Step | None:
        """Take the last change back, and return it; None when there is none.

        Pictures that came with a question wait for the next one.
        """
        return self.history.undo()

    def redo(self) -> Step | None:
        """Do again what was taken back last; None when there is none."""
        return self.history.redo()

    def region(self, id: str) -> Region:
        """The region of that name.

        Raises:
            UnknownName: there is none.
        """
        for region in self.regions:
            if region.id == id:
                return region
        known = ", ".join(region.id for region in self.regions) or "none"
        raise UnknownName(f"There is no region {id!r}. Known: {known}.")

    def _ids(self) -> Iterator[str]:
        """Names for regions, counted on whoever makes them."""
        while True:
            self._next_id += 1
            yield f"r{self._next_id - 1}"

    def restore(
        self, images: Sequence[Image], steps: Sequence[tuple[Step | None, Snapshot]], at: int
    ) -> Self:
        """Take over what was had before (used to open what was saved).

        Args:
            images: all pictures, in the order they were shown.
            steps: every snapshot with the step that led to it.
            at: index of the present one.
        """
        self._images = tuple(images)
        self.history.restore(steps, at)
        used = [r.id for _, shot in steps for answer in shot.answers for r in answer.regions]
        used += [region.id for _, shot in steps for region in shot.regions]
        numbers = [int(id[1:]) for id in used if id[:1] == "r" and id[1:].isdecimal()]
        self._next_id = max(numbers, default=0) + 1
        return self

    def adopt(self, question: str, answer: Answer, images: tuple[Image, ...]) -> None:
        """Take over one turn that was had before.

        Args:
            question: what was asked.
            answer: what came back.
            images: the pictures shown with that question.
        """
        self._images += images
        shown = Message("user", question, images)
        self._keep(shown, replace(answer, images=self._images))
        self._next_id += len(answer.regions)

    def _keep(self, user: Message, answer: Answer) -> None:
        now = self.history.now
        self.history.take(
            Step("ask", answer.question),
            turns=(*now.turns, (user, Message("assistant", answer.raw))),
            answers=(*now.answers, answer),
            regions=(*now.regions, *answer.regions),
        )

    @property
    def _waiting(self) -> tuple[Image, ...]:
        """Pictures that go with the next question."""
        asked = sum(len(user.images) for user, _ in self.turns)
        return self._images[asked:]
