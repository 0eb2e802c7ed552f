"""A conversation about pictures: questions in, events and answers out.

What the user changes afterwards (`editing.py`) belongs to it too, and every change can be undone
(`history.py`).
"""

import warnings
from collections.abc import Generator, Iterator
from dataclasses import replace
from html import escape
from pathlib import Path

from segue.chat import max_pictures
from segue.conversation.history_budget import (
    HistoryBudget,
    HistoryPlan,
    stream_within_context,
)
from segue.conversation.object_requests import ReferringConversation, RequestPlan
from segue.conversation.picture_focus import turns_about
from segue.conversation.register import ObjectRegister
from segue.conversation.session.write import save
from segue.deprecated import renamed
from segue.draw.rich_display import figure_html, not_found_html, picture_html, words_html
from segue.errors import InputError
from segue.files.counts import count_noun
from segue.pipeline.answer import Answer, Done, Event, Notice, ThoughtEnded
from segue.pipeline.answer_builder import AnswerBuilder
from segue.pipeline.photographs import PhotographWarning
from segue.pipeline.pipeline import Pipeline
from segue.pipeline.routing import Route, RouteDecision, choose_route, tag_reply
from segue.prompting.grounding_prompts import TAG_PROMPTS, grounding_question
from segue.prompting.intent import is_chinese, parse_intent
from segue.prompting.picture_reference import PictureReference
from segue.values.message import Message, Sampling


class Conversation(ReferringConversation):
    """The turns so far, and the way to the next one. Begun by `Assistant.open`."""

    def __init__(self, pipeline: Pipeline, *, system: str | None = None) -> None:
        """
        Args:
            pipeline: answers the questions; an `Assistant` is one.
            system: the system message; None: what the chat model was trained with.
        """
        super().__init__(pipeline)
        self.system = system

    def __repr__(self) -> str:
        counts = (
            count_noun(len(self.images), "picture"),
            count_noun(len(self.turns), "turn"),
            count_noun(len(self.regions), "region"),
        )
        return f"<Conversation: {', '.join(counts)}>"

    def _repr_html_(self) -> str:
        """Return all questions and answers, then the pictures with all that exists on them."""
        parts = []
        for (user, _), answer in zip(self.turns, self.answers, strict=False):
            question, words = escape(user.text), words_html(answer.text, answer.regions)
            parts.append(f"<p><b>{question}</b><br>{words}</p>")
            parts.append(not_found_html(answer.not_found))
        for number, image in enumerate(self.images):
            parts.append(picture_html(image, [r for r in self.regions if r.image == number]))
        return figure_html(*parts)

    @property
    def messages(self) -> list[Message]:
        """The turns that the chat model is still sent."""
        plan = HistoryPlan(
            self._system_messages(""), list(enumerate(self.turns)), Message("user", "")
        )
        plan.drop_before(self.history_start)
        return plan.messages[:-1]

    def _system_messages(self, question: str) -> list[Message]:
        first_question = self.turns[0][0].text if self.turns else question
        parts = [self.system] if self.system is not None else []
        if self.pipeline.teach_tag:
            parts.append(TAG_PROMPTS["zh" if is_chinese(first_question) else "en"])
        return [Message("system", "\n\n".join(parts))] if parts else []

    def ask(
        self,
        question: str,
        sampling: Sampling | None = None,
        *,
        ground: bool = False,
        route: Route | None = None,
    ) -> Answer:
        """Ask, wait, and get everything at once. See `stream` for the arguments and errors.

        Warns (`PhotographWarning`) where the bundled models are shown a photograph.
        """
        _check_question(question)
        for notice in self._photograph_notices():
            warnings.warn(notice, PhotographWarning, stacklevel=2)
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
            InputError: there is no such route, it cannot be taken, or the question names a picture
                that does not exist.
        """
        _check_question(question)
        reference = self._reference(question)
        if plan := self._plan_for(reference, route):
            return RouteDecision("register", parse_intent(reference.neutral), plan.reason)
        return self._choose_model(reference, route)

    def _choose_model(self, reference: PictureReference, route: Route | None) -> RouteDecision:
        """Say which model answers a question that the register does not."""
        return choose_route(
            reference.neutral,
            route or self.pipeline.route,
            policy=self.pipeline.policy,
            chat=self.pipeline.chat is not None,
            detector=self.pipeline.detector is not None,
        )

    def _plan_for(self, reference: PictureReference, route: Route | None) -> RequestPlan | None:
        """Decide whether a question is answered from the register, on the route "auto" alone."""
        is_auto = (route or self.pipeline.route) == "auto"
        return self._plan_request(reference) if is_auto else None

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
                assistant has no chat model, the route cannot be taken, or the question names a
                picture that does not exist.
            ModelError: from the stream: a model failed.
        """
        _check_question(question)
        if not question.strip():
            raise InputError("The question is empty. Ask about the picture in Chinese or English.")
        reference = self._reference(question)
        if not ground and (plan := self._plan_for(reference, route)):
            return self._stream_request(question, reference, plan)
        decision = self._choose_model(reference, route)
        if decision.route != "tag" and self.pipeline.chat is None:
            raise InputError(
                "This assistant has no chat model, so it cannot be asked. Load one with "
                "segue.load(chat=…), or use Assistant.segment for phrases, boxes and points."
            )
        return self._stream(question, reference, sampling or Sampling(), decision, ground)

    def _stream(
        self,
        question: str,
        reference: PictureReference,
        sampling: Sampling,
        decision: RouteDecision,
        ground: bool,
    ) -> Generator[Event, None, None]:
        images = self.images
        register = ObjectRegister(self.regions, self.new_ids(), len(self.turns))
        phrases = decision.intent.phrases
        builder = AnswerBuilder(question)
        dialect, plan = None, None
        if decision.route == "tag":
            user = Message("user", question, self._new_images)
            chunks: Iterator[str] = iter([tag_reply(phrases)])
            dialect = "gsam"
        else:
            user = self._user_message(reference, decision, ground)
            plan = self._plan_prompt(user, reference, sampling)
            assert self.pipeline.chat is not None  # `stream` has made sure of it
            chunks = stream_within_context(self.pipeline.chat, plan, sampling)
        try:
            for sentence in (*self._photograph_notices(), *self._notices_of_shown_again()):
                builder.add(Notice(sentence))
                yield Notice(sentence)
            if notice := self._notice_of_pictures(reference, decision):
                builder.add(notice)
                yield notice
            for event in self.pipeline.process_reply(
                builder.tee(chunks),
                images,
                dialect=dialect,
                grounded=decision.route == "box" or ground or bool(phrases),
                phrases=phrases,
                pictures=reference.indexes or None,
                identify=register.identify,
            ):
                if isinstance(event, ThoughtEnded) and event.retracts:
                    register.restart()
                builder.add(event)
                yield event
            if decision.mark and not builder.regions and builder.finish == "stop":
                yield from self._mark(builder, decision.mark, images, reference, register)
            index = reference.indexes[-1] if reference.indexes else len(images) - 1
            builder.add_denials(phrases, index, self.pipeline.presence_assessment())
        except GeneratorExit:
            builder.finish = "cancelled"
            if builder.raw:
                self._push_turn(user, builder.answer(images), self._history_start_after(plan))
            raise
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        history_start = self._history_start_after(plan)
        contradictions = [] if decision.route == "tag" else builder.contradictions()
        for notice in (
            *contradictions,
            self._notice_of_same_places(builder),
            self._notice_of_history(history_start),
            builder.final_notice(),
        ):
            if notice is not None:
                builder.add(notice)
                yield notice
        answer = builder.answer(images)
        self._push_turn(user, answer, history_start)
        yield Done(answer)

    def _user_message(
        self, reference: PictureReference, decision: RouteDecision, ground: bool
    ) -> Message:
        """Return the user's message, as the chat model shall see it."""
        question = reference.neutral if self._sees_one_picture else reference.numbered
        if ground or decision.route == "box":
            question = grounding_question(question, self.pipeline.dialect_name, decision.intent)
        return Message("user", question, self._new_images)

    def _plan_prompt(
        self, user: Message, reference: PictureReference, sampling: Sampling
    ) -> HistoryPlan:
        """Decide what of the conversation goes into the prompt."""
        turns = list(enumerate(self.turns))
        if self._sees_one_picture:
            index = reference.indexes[-1] if reference.indexes else len(self.images) - 1
            turns = turns_about(index, self.turns, self.answers, self.images)
            user = replace(user, images=() if turns else (self.images[index],))
        plan = HistoryPlan(self._system_messages(user.text), turns, user)
        plan.drop_before(self.history_start)
        budget = HistoryBudget.of(self.pipeline.chat, sampling, self.pipeline.history)
        plan.fit(budget, self.pipeline.chat)
        return plan

    def _history_start_after(self, plan: HistoryPlan | None) -> int:
        """Return the first turn that is still sent, after a question."""
        if plan is None or not plan.n_dropped:
            return self.history_start
        start = plan.history_start
        return max(self.history_start, len(self.turns) if start is None else start)

    def _notice_of_history(self, history_start: int) -> Notice | None:
        """Say that turns are no longer sent, when that is new."""
        if history_start <= self.history_start:
            return None
        turns = "turn is" if history_start == 1 else f"{history_start} turns are"
        return Notice(
            f"The first {turns} no longer sent to the chat model: the conversation is longer than "
            "it can follow."
        )

    @property
    def _sees_one_picture(self) -> bool:
        """Whether the chat model must be shown a single one of the pictures."""
        limit = max_pictures(self.pipeline.chat)
        return limit is not None and len(self.images) > limit

    def _notice_of_pictures(
        self, reference: PictureReference, decision: RouteDecision
    ) -> Notice | None:
        """Say where an answer is about fewer pictures than the question."""
        if decision.route == "tag" or len(reference.indexes) < 2 or not self._sees_one_picture:
            return None
        return Notice(
            "The chat model looks at one picture at a time; this answer is about picture "
            f"{reference.indexes[-1] + 1}."
        )

    def save(self, folder: str | Path) -> Path:
        """Write the conversation to a folder: `session.json` and the pictures. See `session`."""
        return save(self, self.pipeline, folder, system=self.system)

    choose = renamed("Conversation.choose", choose_route)
    checked = renamed("Conversation.checked", cross_check)

    @property
    def assistant(self) -> Pipeline:
        """What answers the questions; the old name of `pipeline`."""
        return self.pipeline


def _check_question(question: object) -> None:
    if not isinstance(question, str):
        raise InputError(f"A question is a text, got {question!r:.80}.")
