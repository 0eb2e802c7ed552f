"""Which route a question takes, and how far two routes agree."""

import numpy as np
import pytest

import segue
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.conversation.session.read import resume
from segue.detect.fixed import Fixed
from segue.dialects import DIALECTS
from segue.errors import InputError, UnknownName
from segue.pipeline.routing import RouteDecision, choose_route
from segue.prompting.grounding_prompts import (
    GROUNDINGS,
    TAG_PROMPTS,
    grounding_prompt,
    grounding_question,
)
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.message import Message, Sampling

PICTURE = np.zeros((100, 200, 3), np.uint8)
DOG = Box(20, 10, 60, 30)
OTHER = Box(100, 10, 160, 90)


class Listening(Scripted):
    """A scripted model that remembers what it was asked."""

    def __init__(self, replies) -> None:
        super().__init__(replies)
        self.heard: list[list[Message]] = []

    def stream(self, messages, sampling: Sampling):
        self.heard.append(list(messages))
        return super().stream(messages, sampling)


def an_assistant(*replies: str, **fields) -> Assistant:
    chat = Listening(list(replies))
    return Assistant(chat, Fixed({"dog": [DOG, OTHER], "dogs": [DOG]}), BoxFill(), **fields)


@pytest.mark.parametrize(
    ("question", "route"),
    [
        ("Segment the dog.", "tag"),
        ("Find all dogs", "tag"),
        ("框出所有的狗", "tag"),
        ("Segment the dog left of the bus", "box"),
        ("分割左边的狗", "box"),
        ("What is this?", "reply"),
        ("这是什么?", "reply"),
    ],
)
def test_the_policy_goes_by_what_is_asked(question: str, route: str) -> None:
    chosen = choose_route(question)
    assert chosen.route == route
    assert chosen.reason


def test_a_missing_stage_changes_the_choice() -> None:
    assert choose_route("Segment the dog.", detector=False).route == "box"
    assert choose_route("Segment the dog on the left.", chat=False).route == "tag"
    with pytest.raises(InputError, match="needs a detector"):
        choose_route("Segment the dog.", "tag", detector=False)
    with pytest.raises(InputError, match="names nothing to look for"):
        choose_route("What is this?", "tag")
    with pytest.raises(InputError, match="reply, auto, box, tag"):
        choose_route("Segment the dog.", "both")


def test_by_default_the_reply_decides() -> None:
    assistant = an_assistant("<ref>dog</ref><box>(0,0),(500,500)</box>")
    (region,) = assistant.open(PICTURE).ask("Segment all the dogs").regions
    assert region.found_by == "chat"
    assert assistant.chat.heard[0][-1].text == "Segment all the dogs"


def test_the_tag_route_asks_the_detector_and_not_the_chat_model() -> None:
    assistant = an_assistant(route="auto")
    answer = assistant.open(PICTURE).ask("Segment the dog.")
    assert [region.box for region in answer.regions] == [DOG, OTHER]
    assert {region.found_by for region in answer.regions} == {"detector"}
    assert (answer.text, answer.raw) == ("dog", "<gsam>dog</gsam>")
    assert assistant.chat.heard == []


def test_the_tag_route_works_without_a_chat_model() -> None:
    assistant = Assistant(None, Fixed({"dog": [DOG]}), BoxFill(), route="auto")
    assert assistant.open(PICTURE).ask("Segment the dog.").regions[0].box == DOG
    with pytest.raises(InputError, match="no chat model"):
        assistant.open(PICTURE).ask("What is this?")


def test_the_box_route_asks_in_the_form_of_the_family(tmp_path) -> None:
    assistant = an_assistant("<ref>dog</ref><box>(0,0),(500,500)</box>", "ok")
    conversation = assistant.open(PICTURE)
    answer = conversation.ask("Segment the dog left of the bus", route="box")
    asked = "Find the dog left of the bus in the picture."
    assert assistant.chat.heard[0][-1].text == asked
    assert answer.question == "Segment the dog left of the bus"
    assert answer.regions[0].found_by == "chat"
    conversation.save(tmp_path)
    again = resume(tmp_path, assistant)
    assert again.turns[0][0].text == asked
    assert again.answers[0].question == answer.question


def test_grounding_is_added_only_when_asked_for() -> None:
    assistant = an_assistant("x", "x")
    assistant.open(PICTURE).ask("Is the dog asleep?")
    assistant.open(PICTURE).ask("Is the dog asleep?", ground=True)
    first, second = (heard[-1].text for heard in assistant.chat.heard)
    assert first == "Is the dog asleep?"
    assert second == "Is the dog asleep? Frame it in the picture."


def test_another_policy_can_be_given() -> None:
    def always_box(request) -> RouteDecision:
        return RouteDecision("box", request, "house rule")

    assistant = an_assistant("no", route="auto", policy=always_box)
    assistant.open(PICTURE).ask("Segment all dogs")
    assert len(assistant.chat.heard) == 1


def test_agreement_is_the_overlap_with_the_other_route() -> None:
    reply = "<ref>dog</ref><box>(100,100),(300,300)</box>"
    assistant = an_assistant(reply, "<box>(500,100),(800,900)</box>")
    conversation = assistant.open(PICTURE)
    answer = conversation.ask("Where is the dog?")
    (region,) = conversation.cross_check(answer).regions
    assert region.agreement == 1.0
    assert answer.regions[0].agreement is None
    assert region.score is None


def test_agreement_asks_the_chat_model_about_what_the_detector_found() -> None:
    assistant = an_assistant("<box>(100,100),(300,300)</box>")
    conversation = assistant.open(PICTURE)
    answer = conversation.ask("Segment the dog.", route="tag")
    first, second = conversation.cross_check(answer).regions
    assert (first.agreement, second.agreement) == (1.0, 0.0)
    assert len(assistant.chat.heard) == 1  # once for both


def test_the_tag_is_taught_only_when_asked_for_and_in_the_language_of_the_question() -> None:
    plain, taught = an_assistant("x"), an_assistant("x", "x", teach_tag=True)
    plain.open(PICTURE).ask("hello")
    assert [m.role for m in plain.chat.heard[0]] == ["user"]
    taught.open(PICTURE).ask("hello")
    assert taught.chat.heard[0][0] == Message("system", TAG_PROMPTS["en"])
    conversation = taught.open(PICTURE)
    conversation.system = "Be brief."
    conversation.ask("请分割图中的狗")
    conversation.ask("and now?")
    assert taught.chat.heard[1][0].text == f"Be brief.\n\n{TAG_PROMPTS['zh']}"
    assert taught.chat.heard[2][0] == taught.chat.heard[1][0]  # what was read stays valid


def test_a_taught_reply_takes_the_tag_route() -> None:
    assistant = an_assistant("Sure: <gsam>dogs</gsam>.", teach_tag=True)
    (region,) = assistant.open(PICTURE).ask("Segment the dogs").regions
    assert (region.found_by, region.box) == ("detector", DOG)


def test_the_dialect_of_a_chat_model_can_be_named() -> None:
    reply = '[{"bbox_2d": [100, 100, 300, 300], "label": "dog"}]'
    assistant = segue.load(chat=Scripted([reply]), detect=None, segment=None, dialect="qwen3_vl")
    (region,) = assistant.open(PICTURE).ask("where?").regions
    assert region.box == DOG
    with pytest.raises(UnknownName, match="Did you mean 'qwen3_vl'"):
        segue.load(chat=None, detect=None, segment=None, dialect="qwen3vl")
    with pytest.raises(InputError, match="route must be one of"):
        segue.load(chat=None, detect=None, segment=None, route="both")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_knows_how_to_ask(dialect: str) -> None:
    for phrases in (["dog"], ["狗"], ["red cup", "dog"], ["a {brace}"]):
        for every in (False, True):
            asked = grounding_prompt(dialect, phrases, every)
            assert all(phrase in asked for phrase in phrases)
            assert "{}" not in asked
            assert "{{" not in asked
    question = "Which one is asleep?"
    assert question in grounding_question(question, dialect)
    assert grounding_question("Find all the dogs", dialect) == grounding_prompt(
        dialect, ["dogs"], True
    )


def test_all_is_asked_for_in_other_words_than_one() -> None:
    for dialect, (english, chinese) in GROUNDINGS.items():
        if dialect != "paligemma":  # its one question asks for every instance
            assert english.single != english.all_instances
            assert chinese is None or chinese.single != chinese.all_instances


@pytest.mark.parametrize("text", TAG_PROMPTS.values())
def test_what_is_taught_shows_a_tag_that_can_be_read(text: str) -> None:
    from dialect_replies import read
    from segue.dialects import DetectRequest

    assert any(isinstance(event, DetectRequest) for event in read("gsam", [text]))
