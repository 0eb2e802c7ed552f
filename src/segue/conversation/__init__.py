"""A conversation about pictures: questions in, events and answers out.

What the user changes afterwards (`editing.py`) belongs to it too, and every change can be undone
(`history.py`).
"""

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from segue.conversation.editing import EditableConversation
from segue.conversation.session.write import save
from segue.deprecated import renamed
from segue.errors import InputError
from segue.pipeline.answer import Answer, Done, Event
from segue.pipeline.answer_builder import AnswerBuilder
from segue.pipeline.pipeline import Pipeline
from segue.pipeline.routing import Route, RouteDecision, choose_route, tag_reply
from segue.prompting.grounding_prompts import TAG_PROMPTS, grounding_question
from segue.prompting.intent import is_chinese
from segue.values.message import Message, Sampling


class Conversation(EditableConversation):
    """The turns so far, and the way to the next one. Begun by `Assistant.open`."""

    def __init__(self, pipeline: Pipeline, *, system: str | None = None) -> None:
        """
        Args:
            pipeline: answers the questions; an `Assistant` is one.
            system: the system message; None: what the chat model was trained with.
        """
        super().__init__(pipeline.grounder)
        self.pipeline = pipeline
        self.system = system

    @property
    def messages(self) -> list[Message]:
        """The turns so far, as a chat model sees them."""
        return self._messages_before("")

    def _messages_before(self, question: str) -> list[Message]:
        first_question = self.turns[0][0].text if self.turns else question
        parts = [self.system] if self.system is not None else []
        if self.pipeline.teach_tag:
            parts.append(TAG_PROMPTS["zh" if is_chinese(first_question) else "en"])
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

    def choose_route(self, question: str, route: Route | None = None) -> RouteDecision:
        """Say which route a question takes, and why.

        Args:
            question: what the user typed.
            route: one of `segue.pipeline.routing.ROUTES`; None: the assistant's.

        Raises:
            InputError: there is no such route, or it cannot be taken.
        """
        return choose_route(
            question,
            route or self.pipeline.route,
            policy=self.pipeline.policy,
            chat=self.pipeline.chat is not None,
            detector=self.pipeline.detector is not None,
        )

    def cross_check(self, answer: Answer) -> Answer:
        """Return the answer with how far the other route agrees with each of its regions.

        See `segue.pipeline.cross_check`; nothing of the conversation changes.
        """
        return replace(answer, regions=self.pipeline.cross_check(answer.regions, self.images))

    def stream(
        self,
        question: str,
        sampling: Sampling | None = None,
        *,
        ground: bool = False,
        route: Route | None = None,
    ) -> Generator[Event, None, None]:
        """Ask, and get the answer while it is being written.

        Closing the stream early keeps what was said so far as a turn with finish "cancelled".
        A failing model leaves the conversation as it was.

        Args:
            question: what the user typed; markup in it is only text.
            sampling: how the model samples its words; None: as its weights say.
            ground: ask in the form that makes the chat model's family point at things.
            route: "reply", "auto", "box" or "tag", see `segue.pipeline.routing`; None: the
                assistant's. On the route "tag" the chat model is not asked.

        Yields:
            Events in the order in which they become known; the last is `Done`.

        Raises:
            InputError: at once, not when the first event is asked for: the question is empty, the
                assistant has no chat model, or the route cannot be taken.
            ModelError: from the stream: a model failed.
        """
        if not question.strip():
            raise InputError("The question is empty. Ask about the picture in Chinese or English.")
        decision = self.choose_route(question, route)
        if decision.route != "tag" and self.pipeline.chat is None:
            raise InputError(
                "This assistant has no chat model, so it cannot be asked. Load one with "
                "segue.load(chat=…), or use Assistant.segment for phrases, boxes and points."
            )
        return self._stream(question, sampling or Sampling(), decision, ground)

    def _stream(
        self, question: str, sampling: Sampling, decision: RouteDecision, ground: bool
    ) -> Generator[Event, None, None]:
        images = self.images
        phrases = decision.intent.phrases
        builder = AnswerBuilder(question)
        dialect = None
        if decision.route == "tag":
            user = Message("user", question, self._new_images)
            chunks: Iterator[str] = iter([tag_reply(phrases)])
            dialect = "gsam"
        else:
            user = self._user_message(question, decision, ground)
            chunks = self._reply(user, question, sampling)
        try:
            for event in self.pipeline.process_reply(
                builder.tee(chunks),
                images,
                self._ids(),
                dialect,
                grounded=decision.route == "box" or ground or bool(phrases),
                phrases=phrases,
            ):
                builder.add(event)
                yield event
        except GeneratorExit:
            builder.finish = "cancelled"
            if builder.raw:
                self._push_turn(user, builder.answer(images))
            raise
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        if notice := builder.final_notice():
            builder.add(notice)
            yield notice
        answer = builder.answer(images)
        self._push_turn(user, answer)
        yield Done(answer)

    def _user_message(self, question: str, decision: RouteDecision, ground: bool) -> Message:
        """Return the user's message, as the chat model shall see it."""
        if ground or decision.route == "box":
            question = grounding_question(question, self.pipeline.dialect_name, decision.intent)
        return Message("user", question, self._new_images)

    def _reply(self, user: Message, question: str, sampling: Sampling) -> Iterator[str]:
        assert self.pipeline.chat is not None  # `stream` has made sure of it
        history = self._messages_before(question)
        return iter(self.pipeline.chat.stream([*history, user], sampling))

    def save(self, folder: str | Path) -> Path:
        """Write the conversation to a folder: `session.json` and the pictures. See `session`."""
        return save(self, self.pipeline, folder, system=self.system)

    choose = renamed("Conversation.choose", choose_route)
    checked = renamed("Conversation.checked", cross_check)

    @property
    def assistant(self) -> Pipeline:
        """What answers the questions; the old name of `pipeline`."""
        return self.pipeline
