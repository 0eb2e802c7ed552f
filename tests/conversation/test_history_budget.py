"""What of a long talk is sent: whole turns, the newest; always the system message and pictures."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import segue
from segue.chat.scripted import Scripted
from segue.conversation.history_budget import HistoryBudget, HistoryPlan
from segue.errors import ContextOverflow
from segue.segment.box_fill import BoxFill
from segue.values.message import Message, Sampling


class Recorder(Scripted):
    """Remembers what it was sent; its context holds so many tokens of four characters."""

    def __init__(self, context_limit=None, refuses_over=None):
        super().__init__(["yes"] * 99)
        self.context_limit = context_limit
        self.refuses_over = refuses_over
        self.prompts = []

    def _reply(self, messages):
        return "yes, as ever"

    def stream(self, messages, sampling):
        self.prompts.append(list(messages))
        if self.refuses_over is not None and len(messages) > self.refuses_over:
            raise ContextOverflow("The conversation is too long.")
        return super().stream(messages, sampling)


def image(shade=0):
    return segue.Image.open(np.full((20, 30, 3), shade, np.uint8))


def talk(chat, n_turns, *images, **options):
    assistant = segue.Assistant(chat, None, BoxFill(), **options)
    conversation = assistant.open(*(images or [image()]))
    return conversation, [conversation.ask(f"question number {n}") for n in range(n_turns)]


def questions(prompt):
    return [message.text for message in prompt if message.role == "user"]


def test_without_a_limit_everything_is_sent():
    chat = Recorder()
    talk(chat, 12)
    assert len(questions(chat.prompts[-1])) == 12


def test_the_oldest_turns_go_in_blocks_and_that_is_said_once():
    chat = Recorder(context_limit=60)
    _, answers = talk(chat, 12)
    sent = [len(questions(prompt)) - 1 for prompt in chat.prompts]
    assert max(sent) < 8
    drops = [n for n in range(1, 12) if sent[n] <= sent[n - 1]]
    assert all(later - earlier >= 2 for earlier, later in pairwise(drops))
    told = [n for n, answer in enumerate(answers) if answer.notices]
    assert told == drops
    assert answers[drops[0]].notices[0].startswith(("The first turn is", "The first "))


def test_a_number_of_turns_can_be_set():
    chat = Recorder()
    talk(chat, 9, history=4)
    assert max(len(questions(prompt)) - 1 for prompt in chat.prompts) == 4
    assert {prompt[-1].text for prompt in chat.prompts} == {
        f"question number {n}" for n in range(9)
    }


def test_all_pictures_are_sent_in_order_whatever_is_left_out():
    chat = Recorder()
    assistant = segue.Assistant(chat, None, BoxFill(), history=2)
    conversation = assistant.open(image(1))
    for shade in range(2, 7):
        conversation.ask(f"about {shade}")
        conversation.add_images(image(shade))
    conversation.ask("at last")
    shown = [picture for message in chat.prompts[-1] for picture in message.images]
    assert shown == list(conversation.images)
    assert chat.prompts[-1][0].images[:2] == conversation.images[:2]


def test_an_endpoint_that_says_too_long_is_asked_with_fewer_turns():
    chat = Recorder(refuses_over=5)
    _, answers = talk(chat, 6)
    assert [answer.text for answer in answers] == ["yes, as ever"] * 6
    assert any("no longer sent" in notice for answer in answers for notice in answer.notices)
    assert len(chat.prompts[-1]) <= 5


def test_a_question_that_alone_is_too_long_is_an_error_and_loses_nothing():
    conversation, _ = talk(Recorder(), 2)
    conversation.pipeline.chat = Recorder(refuses_over=0)
    with pytest.raises(segue.ModelError, match="too long"):
        conversation.ask("once more")
    assert len(conversation.turns) == 2


def test_forgetting_can_be_undone():
    chat = Recorder()
    conversation, _ = talk(chat, 5)
    assert conversation.forget(3) == 2
    conversation.ask("next")
    assert questions(chat.prompts[-1]) == ["question number 3", "question number 4", "next"]
    assert conversation.forget() == 0
    conversation.ask("fresh")
    assert questions(chat.prompts[-1]) == ["fresh"]
    assert chat.prompts[-1][0].images == conversation.images
    for _ in range(4):
        conversation.undo()
    conversation.ask("as before")
    assert len(questions(chat.prompts[-1])) == 6


@pytest.mark.parametrize("count", [0, -1, 6])
def test_only_turns_that_are_sent_can_be_forgotten(count):
    conversation, _ = talk(Recorder(), 5)
    with pytest.raises(segue.InputError, match="5 are sent"):
        conversation.forget(count)


def test_a_session_goes_on_where_it_was(tmp_path):
    chat = Recorder()
    conversation, _ = talk(chat, 4)
    conversation.forget(3)
    conversation.save(tmp_path / "talk")
    resumed = segue.resume(tmp_path / "talk", segue.Assistant(chat, None, BoxFill()))
    assert resumed.history_start == 3
    resumed.ask("next")
    assert questions(chat.prompts[-1]) == ["question number 3", "next"]


@pytest.mark.parametrize("history", ["some", -2, "1.5"])
def test_a_history_that_is_no_number_is_refused(history):
    with pytest.raises(segue.InputError, match="a number of turns, 'auto' or 'all'"):
        segue.Assistant(history=history)


texts = st.text(min_size=1, max_size=30)


@given(
    st.lists(st.tuples(texts, texts, st.integers(0, 2)), max_size=12),
    st.integers(1, 200) | st.none(),
    st.integers(0, 12) | st.none(),
    st.booleans(),
)
def test_what_is_sent_is_always_whole(turns, tokens, max_turns, has_system):
    pictures = iter([image(n) for n in range(40)])
    history = [
        (n, (Message("user", q, tuple(next(pictures) for _ in range(k))), Message("assistant", a)))
        for n, (q, a, k) in enumerate(turns)
    ]
    system = [Message("system", "be brief")] if has_system else []
    user = Message("user", "and now?", (next(pictures),))
    plan = HistoryPlan(system, history, user)
    plan.fit(HistoryBudget(tokens=tokens, turns=max_turns), Scripted(["x"]))
    sent = plan.messages
    assert sent[: len(system)] == system
    rest = sent[len(system) :]
    assert [message.role for message in rest] == ["user", "assistant"] * (len(rest) // 2) + ["user"]
    assert rest[-1].text == "and now?"
    kept = [(u.text, a.text) for u, a in zip(rest[:-1:2], rest[1::2])]
    assert kept == [(q, a) for q, a, _ in turns][len(turns) - len(kept) :]
    assert [i for m in rest for i in m.images] == [
        i for _, (u, _) in history for i in u.images
    ] + list(user.images)
    if max_turns is not None:
        assert len(kept) <= max_turns


def test_a_budget_leaves_room_for_the_reply():
    chat = Recorder(context_limit=1000)
    assert HistoryBudget.of(chat, Sampling(max_new_tokens=100), "auto").tokens == 900
    assert HistoryBudget.of(chat, Sampling(), "auto").tokens == 834
    assert HistoryBudget.of(chat, Sampling(max_new_tokens=5000), "auto").tokens == 500
    assert HistoryBudget.of(chat, Sampling(), "all").tokens is None
    assert HistoryBudget.of(chat, Sampling(), 3).turns == 3
