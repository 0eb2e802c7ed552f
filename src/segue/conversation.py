"""A conversation about pictures: questions in, events and answers out.

What a person changes afterwards (regions added, corrected, renamed, merged, deleted; edits of the
pictures) belongs to it too, and every change can be taken back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL.Image

from segue.assistant import Assistant
from segue.box import Box
from segue.collector import Collector
from segue.correction import clicks_of, corrected, merged, pointed_out
from segue.dialects.grounding import TEACH_TAG, grounded
from segue.edit import Edit, apply
from segue.errors import InputError, UnknownName
from segue.history import History, Snapshot, Step
from segue.image import Image
from segue.message import Answer, Done, Event, Message, Sampling
from segue.region import Region
from segue.request import is_chinese
from segue.routes import Choice, Route, choose, tagged

PREVIEW = "preview"
"""The id of a region that is only shown."""


class Conversation:
    """Turns so far, and the way to the next one. Begun by `Assistant.open`."""

    def __init__(self, assistant: Assistant, *, system: str | None = None) -> None:
        self.assistant = assistant
        self.system = system
        """The system message; None: what the chat model was trained with."""
        self.history = History()
        """The changes so far; pictures shown are not among them."""
        self._images: tuple[Image, ...] = ()
        self._next_id = 1

    def show(self, *images: Any, allow_urls: bool = False) -> "Conversation":
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

    @property
    def messages(self) -> list[Message]:
        """The turns so far, as a chat model sees them."""
        return self._messages_before("")

    def _messages_before(self, question: str) -> list[Message]:
        first = self.turns[0][0].text if self.turns else question
        taught = (
            TEACH_TAG["zh" if is_chinese(first) else "en"] if self.assistant.teach_tag else None
        )
        parts = [part for part in (self.system, taught) if part is not None]
        system = [Message("system", "\n\n".join(parts))] if parts else []
        return system + [message for turn in self.turns for message in turn]

    def ask(
        self,
        question: str,
        sampling: Sampling | None = None,
        *,
        ground: bool = False,
        route: Route | None = None,
    ) -> Answer:
        """Ask, wait, and get everything at once. See `stream` for the arguments and errors."""
        for event in self.stream(question, sampling, ground=ground, route=route):
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("a stream ends with Done")

    def choose(self, question: str, route: Route | None = None) -> Choice:
        """Which route a question takes, and why.

        Args:
            question: what a person typed.
            route: one of `segue.routes.ROUTES`; None: the assistant's.

        Raises:
            InputError: there is no such route, or it cannot be taken.
        """
        return choose(
            question,
            route or self.assistant.route,
            policy=self.assistant.policy,
            chat=self.assistant.chat is not None,
            detector=self.assistant.detector is not None,
        )

    def checked(self, answer: Answer) -> Answer:
        """The answer, with how far the other route agrees with each of its regions.

        See `Assistant.checked`; nothing of the conversation changes.
        """
        return replace(answer, regions=self.assistant.checked(answer.regions, self.images))

    def stream(
        self,
        question: str,
        sampling: Sampling | None = None,
        *,
        ground: bool = False,
        route: Route | None = None,
    ) -> Iterator[Event]:
        """Ask, and get the answer while it is being written.

        Closing the stream early keeps what was said so far as a turn with finish "cancelled".
        A failing model leaves the conversation as it was.

        Args:
            question: what a person typed; markup in it is only text.
            sampling: how the model picks its words; None: as its weights say.
            ground: ask in the form that makes the chat model's family point at things.
            route: "reply", "auto", "box" or "tag", see `segue.routes`; None: the assistant's. On
                the route "tag" the chat model is not asked.

        Yields:
            Events in the order in which they become known; the last is `Done`.

        Raises:
            InputError: the question is empty, the assistant has no chat model, or the route cannot
                be taken.
            ModelError: a model failed.
        """
        if not question.strip():
            raise InputError("The question is empty. Ask about the picture in Chinese or English.")
        chosen = self.choose(question, route)
        images = self.images
        gathered = Collector(question)
        dialect = None
        if chosen.route == "tag":
            user = Message("user", question, self._waiting)
            chunks: Iterator[str] = iter([tagged(chosen.request.phrases)])
            dialect = "gsam"
        else:
            user = self._user(question, chosen, ground)
            chunks = self._reply(user, question, sampling)
        try:
            listened = gathered.listen(chunks)
            for event in self.assistant.follow(listened, images, self._ids(), dialect):
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

    def _user(self, question: str, chosen: Choice, ground: bool) -> Message:
        """The user's message, as the chat model shall see it."""
        if ground or chosen.route == "box":
            question = grounded(question, self.assistant.speaks, chosen.request)
        return Message("user", question, self._waiting)

    def _reply(self, user: Message, question: str, sampling: Sampling | None) -> Iterator[str]:
        chat = self.assistant.chat
        if chat is None:
            raise InputError(
                "This assistant has no chat model, so it cannot be asked. Load one with "
                "segue.load(chat=…), or use Assistant.segment for phrases, boxes and points."
            )
        before = self._messages_before(question)
        return iter(chat.stream([*before, user], sampling or Sampling()))

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

    def add(
        self,
        image: int | None = None,
        *,
        box: Box | None = None,
        points: Sequence[Sequence[float]] | None = None,
        labels: Sequence[int] | None = None,
        phrase: str = "",
        preview: bool = False,
    ) -> Region:
        """Make a region by hand.

        Args:
            image: index of the picture; by default the newest.
            box: drawn around the object, in pixels of the upright picture.
            points: clicks, (x, y) each; with or without a box.
            labels: 1 (on the object) or 0 (not on it) for each point; all 1 when left out.
            phrase: what to call it.
            preview: return it without keeping it.

        Raises:
            InputError: there is no such picture or no segmenter, or the box or points do not fit.
        """
        index = len(self._images) - 1 if image is None else image
        if not 0 <= index < len(self._images):
            raise InputError(f"There is no picture {index}; there are {len(self._images)}.")
        region = pointed_out(
            self.assistant,
            self._images[index],
            box,
            clicks_of(points, labels),
            id=PREVIEW if preview else f"r{self._next_id}",
            index=index,
            phrase=phrase,
        )
        if not preview:
            self._next_id += 1
            self.history.take(Step("add", region.id), regions=(*self.regions, region))
        return region

    def change(
        self,
        id: str,
        *,
        phrase: str | None = None,
        box: Box | None = None,
        points: Sequence[Sequence[float]] | None = None,
        labels: Sequence[int] | None = None,
        preview: bool = False,
    ) -> Region:
        """Rename a region, or correct its mask.

        Args:
            id: of the region.
            phrase: its new name; None keeps the old one.
            box: a new box around the object.
            points: all clicks, those made before included; a click on the object outside its box
                widens the box. None keeps the clicks of before.
            labels: as in `add`.
            preview: return it without keeping it.

        Raises:
            UnknownName: there is no such region.
            InputError: nothing is to be changed, or the box or points do not fit.
        """
        before = self.region(id)
        if phrase is None and box is None and points is None:
            raise InputError("Nothing to change: give a phrase, a box or points.")
        after = before if phrase is None else replace(before, phrase=phrase)
        if box is not None or points is not None:
            clicks = before.clicks if points is None else clicks_of(points, labels)
            after = corrected(self.assistant, self._images[after.image], after, box, clicks)
        if not preview:
            self._replace(Step("change", id), {id: after}, self.edits)
        return after

    def delete(self, id: str) -> None:
        """Take a region away, and the edits that name it.

        Raises:
            UnknownName: there is no such region.
        """
        self.region(id)
        kept = tuple(edit for edit in self.edits if id not in edit.regions)
        self._replace(Step("delete", id), {id: None}, kept)

    def merge(self, ids: Sequence[str], phrase: str | None = None) -> Region:
        """Make several regions of a picture one, under the first one's id.

        Args:
            ids: at least two; edits that name one of the others name the first from now on.
            phrase: what to call it; by default as the first.

        Raises:
            UnknownName: there is no such region.
            InputError: they cannot be merged.
        """
        names = list(dict.fromkeys(ids))
        region = merged([self.region(id) for id in names], phrase)
        first, *others = names
        named = [[first if id in others else id for id in edit.regions] for edit in self.edits]
        edits = tuple(
            replace(edit, regions=tuple(dict.fromkeys(now))) for edit, now in zip(self.edits, named)
        )
        gone: dict[str, Region | None] = dict.fromkeys(others)
        self._replace(Step("merge", " ".join(names)), {first: region, **gone}, edits)
        return region

    def _replace(
        self, step: Step, changed: Mapping[str, Region | None], edits: tuple[Edit, ...]
    ) -> None:
        after = [changed.get(region.id, region) for region in self.regions]
        regions = tuple(region for region in after if region is not None)
        self.history.take(step, regions=regions, edits=edits)

    def edit(
        self, edit: Edit, pictures: Mapping[str, Image] | None = None, *, preview: bool = False
    ) -> PIL.Image.Image:
        """Add an edit to the list, and return the picture it changes with all its edits so far.

        Args:
            edit: names regions of this conversation, all on one picture.
            pictures: those that the edit names as backgrounds.
            preview: return the picture without keeping the edit.

        Raises:
            InputError: the edit does not fit; then the list stays as it was.
        """
        backgrounds = {**self.backgrounds, **(pictures or {})}
        result = self._apply((*self.edits, edit), backgrounds, self._picture_of(edit))
        if not preview:
            self.keep_edit(edit, pictures)
        return result

    def keep_edit(self, edit: Edit, pictures: Mapping[str, Image] | None = None) -> None:
        """Add an edit to the list without painting it (somebody did, and saw that it fits).

        Raises:
            InputError: it does not name regions of one picture.
        """
        self._picture_of(edit)
        backgrounds = {**self.backgrounds, **(pictures or {})}
        step = Step("edit", edit.operation)
        self.history.take(step, edits=(*self.edits, edit), backgrounds=backgrounds)

    def _picture_of(self, edit: Edit) -> int:
        on = {region.image for region in self.regions if region.id in edit.regions}
        if len(on) != 1:
            known = ", ".join(region.id for region in self.regions) or "none"
            raise InputError(
                f"An edit must name regions of one picture, got {list(edit.regions)}. "
                f"Known: {known}."
            )
        return on.pop()

    def drop_edit(self, number: int) -> None:
        """Take one edit out of the list, wherever it stands.

        Raises:
            InputError: there is no edit of that index.
        """
        if not 0 <= number < len(self.edits):
            raise InputError(f"There is no edit {number}; there are {len(self.edits)}.")
        edits = self.edits[:number] + self.edits[number + 1 :]
        self.history.take(Step("drop edit", self.edits[number].operation), edits=edits)

    def edited(
        self, image: int | None = None, upto: int | None = None, *, whole: bool = False
    ) -> PIL.Image.Image:
        """A picture with its edits applied.

        Args:
            image: which one; by default the newest.
            upto: only so many of all edits, from the first on; None: all.
            whole: leave crops out, so that the result lies on the picture.
        """
        index = len(self.images) - 1 if image is None else image
        return self._apply(self.edits[:upto], self.backgrounds, index, whole=whole)

    def _apply(
        self,
        edits: Sequence[Edit],
        backgrounds: Mapping[str, Image],
        index: int,
        *,
        whole: bool = False,
    ) -> PIL.Image.Image:
        here = [region for region in self.regions if region.image == index]
        ids = {region.id for region in here}
        mine = [edit for edit in edits if ids.issuperset(edit.regions)]
        return apply(self.images[index], here, mine, pictures=backgrounds, whole=whole)

    def save(self, folder: str | Path) -> Path:
        """Write the conversation to a folder: `session.json` and the pictures. See `session`."""
        from segue.session import save

        return save(self, folder)

    @property
    def _waiting(self) -> tuple[Image, ...]:
        """Pictures that go with the next question."""
        asked = sum(len(user.images) for user, _ in self.turns)
        return self._images[asked:]

    def _ids(self) -> Iterator[str]:
        """Names for regions, counted on whoever makes them."""
        while True:
            self._next_id += 1
            yield f"r{self._next_id - 1}"

    def _keep(self, user: Message, answer: Answer) -> None:
        now = self.history.now
        self.history.take(
            Step("ask", answer.question),
            turns=(*now.turns, (user, Message("assistant", answer.raw))),
            answers=(*now.answers, answer),
            regions=(*now.regions, *answer.regions),
        )

    def restore(
        self, images: Sequence[Image], steps: Sequence[tuple[Step | None, Snapshot]], at: int
    ) -> "Conversation":
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
