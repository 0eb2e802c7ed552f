"""A conversation about pictures: questions in, events and answers out.

What a person changes afterwards (`by_hand.py`) belongs to it too, and every change can be taken
back (`state.py`).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segue.assistant import Assistant
from segue.conversation.editing import ByHand
from segue.errors import InputError
from segue.pipeline.answer import Answer, Done, Event
from segue.pipeline.answer_builder import Collector
from segue.pipeline.routing import Choice, Route, choose, tagged
from segue.prompting.grounding_prompts import TEACH_TAG, grounded
from segue.prompting.intent import is_chinese
from segue.values.message import Message, Sampling


class Conversation(ByHand):
    """Turns so far, and the way to the next one. Begun by `Assistant.open`."""

    def __init__(self, assistant: Assistant, *, system: str | None = None) -> None:
        super().__init__(assistant)
        self.system = system
        """The system message; None: what the chat model was trained with."""

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
            route: one of `segue.pipeline.routing.ROUTES`; None: the assistant's.

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
            route: "reply", "auto", "box" or "tag", see `segue.pipeline.routing`; None: the assistant's. On
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
            grounded = chosen.route == "box" or ground or bool(chosen.request.phrases)
            followed = self.assistant.follow(
                listened,
                images,
                self._ids(),
                dialect,
                grounded=grounded,
                phrases=chosen.request.phrases,
            )
            for event in followed:
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
        if notice := gathered.notice_at_end():
            gathered.add(notice)
            yield notice
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

    def save(self, folder: str | Path) -> Path:
        """Write the conversation to a folder: `session.json` and the pictures. See `session`."""
        from segue.conversation.session import save

        return save(self, folder)
