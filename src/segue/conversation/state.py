"""What a conversation holds: pictures, turns, regions, edits, and every step that led to them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Self

from segue.conversation.history import History, Snapshot, Step
from segue.conversation.register import update_regions
from segue.deprecated import renamed
from segue.edit import Edit
from segue.errors import InputError, UnknownName
from segue.pipeline.answer import Answer
from segue.values.image import Image, ImageSource
from segue.values.message import Message
from segue.values.region import Region


class ConversationState:
    """The pictures, and the history of everything else."""

    def __init__(self) -> None:
        self.history = History()
        """The changes so far; pictures are not among them."""
        self._images: tuple[Image, ...] = ()
        self._shown_again: int | None = None
        """Index of an earlier picture that was added again: the next question is about it."""
        self._next_id = 1

    def add_images(
        self, *images: ImageSource, allow_urls: bool = False, again: bool = False
    ) -> Self:
        """Add pictures, which go with the next question. Questions are about the newest.

        What was added before is not added again, whatever it is called now: the next question is
        about that picture.

        Args:
            images: anything `Image.open` takes.
            allow_urls: let http(s) addresses be fetched.
            again: add what was added before once more, as a picture of its own.

        Raises:
            InputError: something is not a picture; then none of them is added.
        """
        known_images = self._images
        for image in [Image.open(image, allow_urls=allow_urls) for image in images]:
            self._shown_again = None if again else _index_of(image, known_images)
            if self._shown_again is None:
                self._images += (image,)
        if self._shown_again == len(self._images) - 1:
            self._shown_again = None  # the newest is what questions are about anyhow
        return self

    @property
    def images(self) -> tuple[Image, ...]:
        """All pictures so far; `Region.image` counts in here."""
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

    @property
    def history_start(self) -> int:
        """Index of the first turn that the chat model is still sent; all before are forgotten."""
        return self.history.now.history_start

    def forget(self, count: int | None = None) -> int:
        """Let the chat model forget the oldest turns: they are no longer sent.

        Pictures, regions and the turns themselves stay, and undoing brings the turns back.

        Args:
            count: how many of those that it is still sent; None: all.

        Returns:
            How many it is still sent.

        Raises:
            InputError: there are not so many.
        """
        n_sent = len(self.turns) - self.history_start
        count = n_sent if count is None else count
        if not 0 < count <= n_sent:
            raise InputError(f"Cannot forget {count} turns: {n_sent} are sent to the chat model.")
        self.history.push(
            Step("forget", f"{count} turn{'' if count == 1 else 's'}"),
            history_start=self.history_start + count,
        )
        return n_sent - count

    def undo(self) -> Step | None:
        """Undo the last change and return it; None when there is none.

        Pictures that came with a question wait for the next one.
        """
        return self.history.undo()

    def redo(self) -> Step | None:
        """Redo what was undone last; None when there is none."""
        return self.history.redo()

    def region(self, id: str) -> Region:
        """Return the region of that id.

        Raises:
            UnknownName: there is none.
        """
        for region in self.regions:
            if region.id == id:
                return region
        known_ids = ", ".join(region.id for region in self.regions) or "none"
        raise UnknownName(f"There is no region {id!r}. Known: {known_ids}.")

    def new_ids(self) -> Iterator[str]:
        """Yield ids for new regions: "r1", "r2", …"""
        while True:
            self._next_id += 1
            yield f"r{self._next_id - 1}"

    def restore(
        self, images: Sequence[Image], steps: Sequence[tuple[Step | None, Snapshot]], at: int
    ) -> Self:
        """Restore a conversation that was saved.

        Args:
            images: all pictures, in the order they were added.
            steps: every snapshot with the step that led to it.
            at: index of the present one.
        """
        self._images = tuple(images)
        self.history.restore(steps, at)
        snapshots = [snapshot for _, snapshot in steps]
        answers = [answer for snapshot in snapshots for answer in snapshot.answers]
        ids = [region.id for answer in answers for region in answer.regions]
        ids += [region.id for snapshot in snapshots for region in snapshot.regions]
        self._next_id = _next_number(ids)
        return self

    def append_turn(self, question: str, answer: Answer, images: tuple[Image, ...]) -> None:
        """Append a turn that was answered elsewhere.

        Args:
            question: of the user.
            answer: to it.
            images: the pictures that came with the question.
        """
        self._images += images
        user = Message("user", question, images)
        self._push_turn(user, replace(answer, images=self._images))
        self._next_id = max(self._next_id, _next_number(region.id for region in answer.regions))

    def _push_turn(
        self,
        user: Message,
        answer: Answer,
        history_start: int | None = None,
        *,
        regions: tuple[Region, ...] | None = None,
        edits: tuple[Edit, ...] | None = None,
        step: Step | None = None,
    ) -> None:
        """Append a turn as one step, with what it changed besides; None: nothing."""
        self._shown_again = None
        snapshot = self.history.now
        earlier = snapshot.regions if regions is None else regions
        start = snapshot.history_start if history_start is None else history_start
        self.history.push(
            step or Step("ask", answer.question),
            turns=(*snapshot.turns, (user, Message("assistant", answer.raw))),
            answers=(*snapshot.answers, answer),
            regions=tuple(update_regions(earlier, answer.regions)),
            edits=snapshot.edits if edits is None else edits,
            history_start=start,
        )

    @property
    def _new_images(self) -> tuple[Image, ...]:
        """Pictures that go with the next question."""
        n_asked = sum(len(user.images) for user, _ in self.turns)
        return self._images[n_asked:]

    show = renamed("Conversation.show", add_images)
    adopt = renamed("Conversation.adopt", append_turn)


def _index_of(image: Image, images: Sequence[Image]) -> int | None:
    """Return where a picture of the same content is; None: nowhere."""
    for index, known in enumerate(images):
        if known.size == image.size and known.digest == image.digest:
            return index
    return None


def _next_number(ids: Iterable[str]) -> int:
    """Return the number after the highest of ids such as "r3"."""
    numbers = [int(id[1:]) for id in ids if id[:1] == "r" and id[1:].isdecimal()]
    return max(numbers, default=0) + 1
