"""Which route answers a question: the chat model's own boxes, or the detector.

    reply   the chat model's reply decides: a box is segmented, a tag is detected (the default)
    box     the chat model is asked for places in the form of its family (see dialects/grounding.py)
    tag     the detector looks for the phrase of the question; the chat model is not asked
    auto    the policy below decides

The policy. A question that asks for no place: reply. A relation, an order or a reason ("left of the
bus", "the second", "something to sit on"): box, since a detector looks for nouns and ignores how
they stand to one another. A category, or all of one: tag, since chat models tend to give one box
where many objects are. Without a detector: box; without a chat model: tag.

Another policy is a function of the same form, given to `Assistant.policy`.

`agreement` says how far the two routes put something in the same place. It is an IoU, no
probability: two models may agree and both be wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from segue.errors import InputError
from segue.prompting.intent import Request, read_request

Route = Literal["reply", "auto", "box", "tag"]
ROUTES: tuple[str, ...] = get_args(Route)


@dataclass(frozen=True, slots=True)
class Choice:
    """A route, and why."""

    route: Literal["reply", "box", "tag"]
    request: Request
    reason: str


Policy = Callable[[Request], Choice]


def policy(request: Request) -> Choice:
    """The policy of the module's docstring.

    >>> policy(read_request("Segment all the dogs.")).route
    'tag'
    >>> policy(read_request("Segment the dog left of the bus.")).route
    'box'
    """
    if not request.phrases:
        return Choice("reply", request, "the question asks for no place")
    named = ", ".join(request.phrases)
    if request.relational:
        return Choice("box", request, f"{named!r} is meant by a relation, an order or a reason")
    if request.every:
        return Choice("tag", request, f"every instance of {named!r} is meant")
    return Choice("tag", request, f"{named!r} is a category")


def check_route(route: str) -> None:
    """
    Raises:
        InputError: there is no such route.
    """
    if route not in ROUTES:
        raise InputError(f"A route must be one of {', '.join(ROUTES)}, got {route!r}.")


def choose(
    question: str,
    route: str = "auto",
    *,
    policy: Policy = policy,
    chat: bool = True,
    detector: bool = True,
) -> Choice:
    """Choose the route of a question.

    Args:
        question: what a person typed.
        route: one of `ROUTES`; all but "auto" is taken as it is.
        policy: decides "auto".
        chat: whether there is a chat model.
        detector: whether there is a detector.

    Raises:
        InputError: there is no such route, or the stage it needs is missing, or a question for the
            detector holds no phrase.
    """
    check_route(route)
    request = read_request(question)
    if route == "auto":
        chosen = policy(request)
        if chosen.route == "tag" and not detector:
            return Choice("box", request, "there is no detector")
        if chosen.route == "box" and not chat:
            return Choice("tag", request, "there is no chat model")
        return chosen
    if route == "tag":
        if not detector:
            raise InputError("The tag route needs a detector. Load one: segue.load(detect=…).")
        if not request.phrases:
            raise InputError(
                f"The question names nothing to look for: {question!r}. Ask as in: segment the dog."
            )
        return Choice("tag", request, "asked for")
    return Choice("box" if route == "box" else "reply", request, "asked for")


def tagged(phrases: Sequence[str]) -> str:
    """The reply of a chat model that asks the detector for phrases.

    >>> tagged(["dog", "cat"])
    '<gsam>dog</gsam>, <gsam>cat</gsam>'
    """
    return ", ".join(f"<gsam>{phrase}</gsam>" for phrase in phrases)
