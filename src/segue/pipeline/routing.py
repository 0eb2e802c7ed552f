"""Which route answers a question: the chat model's own boxes, or the detector.

    reply   the chat model's reply decides: a box is segmented, a tag is detected (the default)
    box     the chat model is asked for places in the form of its family (`segue.prompting`)
    tag     the detector looks for the phrase of the question; the chat model is not asked
    auto    the policy below decides; what is about objects that are known is answered from the
            register of the conversation, without a model (`segue.conversation.object_requests`)

The policy. A question that asks for no place: reply. One that wants words about something visible
("where is …?", "is there …?", "how many …?"): reply, and the detector marks what it speaks of,
unless the reply has done so. A relation, an order or a reason ("left of the bus", "the second",
"something to sit on"): box, since a detector looks for nouns and ignores how they stand to one
another. A category, or all of one: tag, since chat models tend to give one box
where many objects are. Without a detector: box; without a chat model: tag.

Another policy is a function of the same form, given to `Assistant.policy`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from segue.deprecated import warn
from segue.errors import InputError
from segue.prompting.intent import Intent, parse_intent

Route = Literal["reply", "auto", "box", "tag"]
ROUTES: tuple[str, ...] = get_args(Route)


@dataclass(frozen=True, slots=True)
class RouteDecision:
    """A route, and why it was chosen."""

    route: Literal["reply", "box", "tag", "register"]
    intent: Intent
    reason: str
    mark: tuple[str, ...] = ()
    """What to mark in addition, when the reply is only words."""

    @property
    def request(self) -> Intent:
        """The old name of `intent`."""
        warn("RouteDecision.request", "intent")
        return self.intent


Policy = Callable[[Intent], RouteDecision]


def default_policy(intent: Intent) -> RouteDecision:
    """Decide as the module's docstring says.

    >>> default_policy(parse_intent("Segment all the dogs.")).route
    'tag'
    >>> default_policy(parse_intent("Segment the dog left of the bus.")).route
    'box'
    """
    if not intent.phrases:
        if intent.mentioned:
            return RouteDecision("reply", intent, "the question wants words", intent.mentioned)
        return RouteDecision("reply", intent, "the question asks for no place")
    if intent.wants_words and not intent.relational:
        return RouteDecision("reply", intent, "the question wants words", intent.phrases)
    phrase_list = ", ".join(intent.phrases)
    if intent.relational:
        return RouteDecision(
            "box", intent, f"{phrase_list!r} is meant by a relation, an order or a reason"
        )
    if intent.all_instances:
        return RouteDecision("tag", intent, f"every instance of {phrase_list!r} is meant")
    return RouteDecision("tag", intent, f"{phrase_list!r} is a category")


def check_route(route: str) -> None:
    """Refuse a name that is no route.

    Raises:
        InputError: there is no such route.
    """
    if route not in ROUTES:
        raise InputError(f"A route must be one of {', '.join(ROUTES)}, got {route!r}.")


def choose_route(
    question: str,
    route: str = "auto",
    *,
    policy: Policy = default_policy,
    chat: bool = True,
    detector: bool = True,
) -> RouteDecision:
    """Choose the route of a question.

    Args:
        question: what the user typed.
        route: one of `ROUTES`; all but "auto" is taken as it is.
        policy: decides "auto".
        chat: whether there is a chat model.
        detector: whether there is a detector.

    Raises:
        InputError: there is no such route, or the stage it needs is missing, or a question for the
            detector holds no phrase.
    """
    check_route(route)
    intent = parse_intent(question)
    if route == "auto":
        decision = policy(intent)
        if decision.route == "reply" and decision.mark and not chat and detector:
            intent = replace(intent, phrases=decision.mark)
            return RouteDecision("tag", intent, "there is no chat model")
        if decision.route == "tag" and not detector:
            return RouteDecision("box", intent, "there is no detector")
        if decision.route == "box" and not chat:
            return RouteDecision("tag", intent, "there is no chat model")
        return decision
    if route == "tag":
        if not detector:
            raise InputError("The tag route needs a detector. Load one: segue.load(detect=…).")
        if not intent.phrases:
            raise InputError(
                f"The question names nothing to look for: {question!r}. Ask as in: segment the dog."
            )
        return RouteDecision("tag", intent, "asked for")
    return RouteDecision("box" if route == "box" else "reply", intent, "asked for")


def tag_reply(phrases: Sequence[str]) -> str:
    """Write the reply of a chat model that asks the detector for phrases.

    >>> tag_reply(["dog", "cat"])
    '<gsam>dog</gsam>, <gsam>cat</gsam>'
    """
    return ", ".join(f"<gsam>{phrase}</gsam>" for phrase in phrases)
