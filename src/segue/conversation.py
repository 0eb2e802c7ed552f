"""A conversation about pictures: questions in, events and answers out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL.Image

from segue.assistant import Assistant, Collector, region_ids
from segue.edit import Edit, apply
from segue.errors import InputError
from segue.image import Image
from segue.message import Answer, Done, Event, Message, Sampling, images_of
from segue.region import Region


class Conversation:
    """Turns so far, and the way to the next one. Begun by `Assistant.open`."""

    def __init__(self, assistant: Assistant, *, system: str | None = None) -> None:
        self.assistant = assistant
        self.system = system
        """The system message; None: what the chat model was trained with."""
        self.answers: list[Answer] = []
        self.edits: list[Edit] = []
        """What to do to the pictures, in order; they themselves stay as they are."""
        self.backgrounds: dict[str, Image] = {}
        """Pictures that edits name."""
        self._turns: list[tuple[Message, Message]] = []
        self._waiting: list[Image] = []
        self._next_id = 1

    def show(self, *images: Any, allow_urls: bool = False) -> "Conversation":
        """Add pictures; they go with the next question. The newest is the one talked about.

        Args:
            images: anything `Image.open` takes.
            allow_urls: let http(s) addresses be fetched.

        Raises:
            InputError: something is not a picture; then none of them is added.
        """
        self._waiting += [Image.open(image, allow_urls=allow_urls) for image in images]
        return self

    @property
    def images(self) -> tuple[Image, ...]:
        """All pictures shown so far; `Region.image` counts in here."""
        return images_of([user for user, _ in self._turns]) + tuple(self._waiting)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions of all answers, in order."""
        return tuple(region for answer in self.answers for region in answer.regions)

    @property
    def turns(self) -> tuple[tuple[Message, Message], ...]:
        """(user, assistant) messages, one pair an answer."""
        return tuple(self._turns)

    @property
    def messages(self) -> list[Message]:
        """The turns so far, as a chat model sees them."""
        system = [Message("system", self.system)] if self.system is not None else []
        return system + [message for turn in self._turns for message in turn]

    def ask(self, question: str, sampling: Sampling | None = None) -> Answer:
        """Ask, wait, and get everything at once. See `stream` for the arguments and errors."""
        for event in self.stream(question, sampling):
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("a stream ends with Done")

    def stream(self, question: str, sampling: Sampling | None = None) -> Iterator[Event]:
        """Ask, and get the answer while it is being written.

        Closing the stream early keeps what was said so far as a turn with finish "cancelled".
        A failing model leaves the conversation as it was.

        Args:
            question: what a person typed; markup in it is only text.
            sampling: how the model picks its words; None: as its weights say.

        Yields:
            Events in the order in which they become known; the last is `Done`.

        Raises:
            InputError: the question is empty, or the assistant has no chat model.
            ModelError: a model failed.
        """
        chat = self.assistant.chat
        if chat is None:
            raise InputError(
                "This assistant has no chat model, so it cannot be asked. Load one with "
                "segue.load(chat=…), or use Assistant.segment for phrases, boxes and points."
            )
        if not question.strip():
            raise InputError("The question is empty. Ask about the picture in Chinese or English.")
        user = Message("user", question, tuple(self._waiting))
        images = self.images
        gathered = Collector(question)
        chunks = iter(chat.stream([*self.messages, user], sampling or Sampling()))
        try:
            ids = region_ids(self._next_id)
            for event in self.assistant.follow(gathered.listen(chunks), images, ids):
                gathered.add(event)
                yield event
        except GeneratorExit:
            gathered.finish = "cancelled"
            if gathered.raw:
                self._keep(user, gathered.answer(images))
            raise
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        answer = gathered.answer(images)
        self._keep(user, answer)
        yield Done(answer)

    def undo(self) -> Answer | None:
        """Take the last turn back, and return it; None when there is none.

        Its pictures wait for the next question; edits of its regions go with it.
        """
        if not self.answers:
            return None
        user, _ = self._turns.pop()
        self._waiting = [*user.images, *self._waiting]
        answer = self.answers.pop()
        gone = {region.id for region in answer.regions}
        self.edits = [edit for edit in self.edits if gone.isdisjoint(edit.regions)]
        return answer

    def edit(self, edit: Edit, pictures: Mapping[str, Image] | None = None) -> PIL.Image.Image:
        """Add an edit to the list, and return the picture it changes with all its edits so far.

        Args:
            edit: names regions of this conversation, all on one picture.
            pictures: those that the edit names as backgrounds.

        Raises:
            InputError: the edit does not fit; then the list stays as it was.
        """
        on = {region.image for region in self.regions if region.id in edit.regions}
        if len(on) != 1:
            known = ", ".join(region.id for region in self.regions) or "none"
            raise InputError(
                f"An edit must name regions of one picture, got {list(edit.regions)}. "
                f"Known: {known}."
            )
        backgrounds = {**self.backgrounds, **(pictures or {})}
        result = self._apply([*self.edits, edit], backgrounds, on.pop())
        self.edits.append(edit)
        self.backgrounds = backgrounds
        return result

    def edited(self, image: int | None = None) -> PIL.Image.Image:
        """A picture with its edits applied; by default the newest."""
        index = len(self.images) - 1 if image is None else image
        return self._apply(self.edits, self.backgrounds, index)

    def _apply(
        self, edits: Sequence[Edit], backgrounds: Mapping[str, Image], index: int
    ) -> PIL.Image.Image:
        here = [region for region in self.regions if region.image == index]
        ids = {region.id for region in here}
        mine = [edit for edit in edits if ids.issuperset(edit.regions)]
        return apply(self.images[index], here, mine, pictures=backgrounds)

    def save(self, folder: str | Path) -> Path:
        """Write the conversation to a folder: `session.json` and the pictures. See `session`."""
        from segue.session import save

        return save(self, folder)

    def _keep(self, user: Message, answer: Answer) -> None:
        self._turns.append((user, Message("assistant", answer.raw)))
        self.answers.append(answer)
        self._waiting = []
        self._next_id += len(answer.regions)

    def adopt(self, question: str, answer: Answer, images: tuple[Image, ...]) -> None:
        """Take over a turn that was had before (used to open a saved session).

        Args:
            question: what was asked.
            answer: what came back.
            images: the pictures shown with that question.
        """
        self._keep(Message("user", question, images), replace(answer, images=self.images + images))
