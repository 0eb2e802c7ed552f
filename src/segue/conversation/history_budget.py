"""How much of a long talk the chat model is sent.

A chat model bears a prompt of so many tokens (`SupportsContextLimit`); the user may set how many
turns are sent. When the talk is longer, the oldest turns are left out: whole turns, never the
system message or a picture. They go in blocks, down to `BLOCK` of what fits, so that the beginning
of the prompt stays the same for several turns and what the model has read of it is kept.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from segue.chat import ChatModel, context_limit, token_counts
from segue.errors import ContextOverflow
from segue.values.image import Image
from segue.values.message import Message, Sampling

Turn = tuple[Message, Message]

BLOCK = 0.75
"""The share of what fits that is sent after turns were left out."""
REPLY_SHARE = 6
"""One in so many tokens of the context is for the reply, unless the sampling says how many."""
PICTURE_TOKENS = 4096
"""No picture takes more, as a rule; only used to see that a prompt need not be counted."""
TURN_CHARACTERS = 16
"""For the tokens around a message."""
MAX_REPLY_TOKENS = 1024
"""More are not set aside for a reply whose length nobody limited."""


class HistoryBudget:
    """What a prompt may hold. None: any number."""

    def __init__(self, *, tokens: int | None = None, turns: int | None = None) -> None:
        """
        Args:
            tokens: of the prompt, pictures included.
            turns: of the history.
        """
        self.tokens, self.turns = tokens, turns

    @classmethod
    def of(cls, chat: object, sampling: Sampling, history: int | str) -> "HistoryBudget":
        """Return the budget of a chat model.

        Args:
            chat: the model.
            sampling: says how long the reply may be.
            history: a number of turns, "auto", or "all" for no limit.
        """
        if history == "all":
            return cls()
        limit = context_limit(chat)
        tokens = None
        if limit is not None:
            usual = min(limit // REPLY_SHARE, MAX_REPLY_TOKENS)
            tokens = max(limit - min(sampling.max_new_tokens or usual, limit // 2), 1)
        return cls(tokens=tokens, turns=None if isinstance(history, str) else history)


class HistoryPlan:
    """Which turns go into one prompt."""

    def __init__(
        self, system: Sequence[Message], turns: Sequence[tuple[int, Turn]], user: Message
    ) -> None:
        """
        Args:
            system: the system messages.
            turns: those that may be sent, each with its index in the conversation.
            user: the question.
        """
        self._system, self._turns, self._user = list(system), turns, user
        self.n_dropped = 0
        """How many of the turns are left out, the oldest first."""

    @property
    def messages(self) -> list[Message]:
        """The prompt. Pictures of turns that are left out come with the first that stays."""
        dropped = self._turns[: self.n_dropped]
        kept = [message for _, turn in self._turns[self.n_dropped :] for message in turn]
        users = [*kept, self._user]
        pictures: tuple[Image, ...] = tuple(
            image for _, (user, _) in dropped for image in user.images
        )
        users[0] = replace(users[0], images=(*pictures, *users[0].images))
        return [*self._system, *users]

    @property
    def history_start(self) -> int | None:
        """Index of the first turn that is sent; None: there is none."""
        kept = self._turns[self.n_dropped :]
        return kept[0][0] if kept else None

    @property
    def can_shorten(self) -> bool:
        """Whether there is a turn to leave out."""
        return self.n_dropped < len(self._turns)

    def drop_before(self, index: int) -> None:
        """Leave out the turns before an index of the conversation."""
        self.n_dropped = sum(number < index for number, _ in self._turns)

    def fit(self, budget: HistoryBudget, chat: object) -> None:
        """Leave out the oldest turns when the prompt is over a budget.

        Where not even the question alone is within it, that is for the model to say.
        """
        n_turns = len(self._turns)
        n_kept = n_turns - self.n_dropped
        tokens_of = self._token_estimate(budget, chat)
        if self._is_within(budget, n_kept, tokens_of, 1.0):
            return
        self.n_dropped = next(
            n_turns - kept
            for kept in range(max(n_kept - 1, 0), -1, -1)
            if kept == 0 or self._is_within(budget, kept, tokens_of, BLOCK)
        )

    def _is_within(
        self,
        budget: HistoryBudget,
        n_kept: int,
        tokens_of: Callable[[int], float] | None,
        share: float,
    ) -> bool:
        if budget.turns is not None and n_kept > budget.turns * share:
            return False
        return (
            budget.tokens is None or tokens_of is None or tokens_of(n_kept) <= budget.tokens * share
        )

    def _token_estimate(self, budget: HistoryBudget, chat: object) -> Callable[[int], float] | None:
        """Return how many turns -> tokens of the prompt; None: nothing needs to be left out.

        The whole prompt and the one without history are counted, if it can be close at all; turns
        between the two have their share of the difference by their characters.
        """
        kept_turns = self._turns[self.n_dropped :]
        lengths = [sum(len(message.text) for message in turn) for _, turn in kept_turns]
        if budget.tokens is None or not kept_turns or self._is_surely_short(budget.tokens):
            return None
        whole = token_counts(chat, self.messages, "")
        bare_plan = HistoryPlan(self._system, self._turns, self._user)
        bare_plan.n_dropped = len(self._turns)
        bare = token_counts(chat, bare_plan.messages, "")
        if whole is None or bare is None:
            return None
        per_character = (whole[0] - bare[0]) / max(sum(lengths), 1)
        return lambda kept: bare[0] + per_character * sum(lengths[len(lengths) - kept :])

    def _is_surely_short(self, tokens: int) -> bool:
        """Whether the prompt is so short that it need not be counted."""
        messages = self.messages
        n_pictures = sum(len(message.images) for message in messages)
        n_characters = sum(len(message.text) + TURN_CHARACTERS for message in messages)
        return n_pictures * PICTURE_TOKENS + n_characters <= tokens

    def shorten(self) -> None:
        """Leave out half of the turns that are still sent."""
        self.n_dropped += max((len(self._turns) - self.n_dropped + 1) // 2, 1)


def stream_within_context(
    chat: ChatModel, plan: HistoryPlan, sampling: Sampling
) -> Generator[str, None, str]:
    """Ask a chat model; when it says that the prompt is too long, ask again with fewer turns.

    Args:
        chat: the model.
        plan: the prompt; turns that had to be left out are left out of it afterwards.
        sampling: how the model samples its words.

    Yields:
        Pieces of the reply. The return value says why it ended.

    Raises:
        ContextOverflow: the question alone is too long.
        ModelError: the model failed.
    """
    while True:
        is_begun = False
        chunks: Iterator[str] = iter(())
        try:
            chunks = iter(chat.stream(plan.messages, sampling))
            while True:
                try:
                    chunk = next(chunks)
                except StopIteration as end:
                    return end.value or "stop"
                is_begun = True
                yield chunk
        except ContextOverflow:
            if is_begun or not plan.can_shorten:
                raise
            plan.shorten()
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
