"""Reads requests about objects in English."""

import re

from PIL import ImageColor

from segue.conversation.references.expressions import Numbers
from segue.conversation.references.object_request import (
    ObjectRequest,
    all_objects,
    colour_in,
    edit_request,
    target_in,
)
from segue.conversation.references.resolution import read_expression
from segue.prompting.intent import without_politeness

_TAIL = re.compile(
    r"(?:[ ,]+(?:please|pls|for me|thanks|thank you|now|again|too|a (?:little|bit)|"
    r"strongly|slightly|"
    r"(?:from|in|on) (?:the|this|that) (?:image|picture|photo|photograph|scene)))+$",
    re.IGNORECASE,
)
_UNDO = re.compile(
    r"^(?:undo|revert|take back)(?: (?:that|this|it|the last (?:one|edit|change|step|thing)))?$|"
    r"^(?:take|put) (?:that|this|it) back$|^undo the (?:edit|change)$",
    re.IGNORECASE,
)
_REDO = re.compile(
    r"^redo(?: (?:that|this|it|the last (?:one|edit|change|step)))?$|"
    r"^do (?:that|it) again after all$",
    re.IGNORECASE,
)
_BLUR = re.compile(r"^(?:blur|defocus|obscure|pixelate)(?: out)? (?P<target>.+)$", re.IGNORECASE)
_ERASE = re.compile(
    r"^(?:erase|remove|delete|get rid of|take away|take out|wipe out) (?P<target>.+)$",
    re.IGNORECASE,
)
_REMOVE_BACKGROUND = re.compile(
    r"^(?:remove|delete|erase|drop) the background(?: (?:of|behind|from|around) (?P<target>.+))?$|"
    r"^make the background (?:of (?P<other>.+) )?transparent$",
    re.IGNORECASE,
)
_CUT_OUT = re.compile(
    r"^(?:cut ?out (?P<target>.+)|cut (?P<other>.+) out(?: of .+)?)$", re.IGNORECASE
)
_RECOLOUR = re.compile(
    r"^(?:make|turn|colou?r|paint|recolou?r|dye|tint) (?P<target>.+?)(?: (?:to|in|into))? "
    r"(?P<colour>(?:(?:light|dark|bright|deep|pale|hot) )?[a-z]+|#[0-9a-f]{3,6}|"
    r"black and white|black-and-white)$|"
    r"^change (?:the colou?r of )?(?P<other>.+?)(?:'s colou?r)? (?:to|into) "
    r"(?P<other_colour>(?:(?:light|dark|bright|deep|pale|hot) )?[a-z]+|#[0-9a-f]{3,6})$",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(
    r"^(?:make|turn|colou?r|paint|set|change|replace) the background(?: of (?P<target>.+?))? ?"
    r"(?:to|with|in|by|into)? (?:plain |a )?(?P<colour>(?:(?:light|dark|bright|deep|pale) )?[a-z]+|"
    r"#[0-9a-f]{3,6})$|"
    r"^(?:put|place|set|show) (?P<other>.+?) (?:on|before|in front of|against|onto) "
    r"(?:a |an )?(?:plain )?(?P<other_colour>(?:(?:light|dark|bright|deep|pale) )?[a-z]+) "
    r"background$",
    re.IGNORECASE,
)
_DELETE = re.compile(
    r"^(?:delete|remove|drop|discard|forget) (?:the )?(?:masks?|regions?|objects?|boxe?s?|"
    r"markings?|marks?) (?:of |for |on )?(?P<target>.+)$|"
    r"^(?:unmark|deselect|unselect) (?P<other>.+)$",
    re.IGNORECASE,
)
_MERGE = re.compile(r"^(?:merge|combine|join|unite) (?P<target>.+)$", re.IGNORECASE)
_RENAME = re.compile(
    r"^(?:rename (?P<target>.+?) (?:to|as|into) (?P<name>[^ ].*)|"
    r"(?:call (?P<other>(?:the|this|that|number) .+|it|this|that|r\d+)|"
    r"name (?P<third>it|this|that|r\d+)) "
    r"(?P<single>[^ ]+|[\"'“‘].+[\"'”’]))$",
    re.IGNORECASE,
)


def read_english_request(text: str) -> ObjectRequest | None:
    text = _TAIL.sub("", without_politeness(text))
    if _UNDO.match(text):
        return ObjectRequest("undo")
    if _REDO.match(text):
        return ObjectRequest("redo")
    if match := _DELETE.match(text):
        target = target_in(match)
        numbers = f"number {target}" if target.isdecimal() else target
        return ObjectRequest("delete", numbers)
    if match := _REMOVE_BACKGROUND.match(text):
        return edit_request("cut_out", target_in(match) or all_objects(text))
    if (match := _BACKGROUND.match(text)) and (colour := english_colour(colour_in(match))):
        return edit_request("background", target_in(match) or all_objects(text), colour=colour)
    if match := _BLUR.match(text):
        return edit_request("blur", target_in(match))
    if match := _ERASE.match(text):
        # "Delete number 3" speaks of the list of objects, "remove the dog" of the picture.
        is_listed = isinstance(read_expression(target_in(match)), Numbers)
        if is_listed and text.lower().startswith("delete"):
            return ObjectRequest("delete", target_in(match))
        return edit_request("erase", target_in(match))
    if match := _CUT_OUT.match(text):
        return edit_request("cut_out", target_in(match))
    if match := _RECOLOUR.match(text):
        words = colour_in(match)
        if words.lower() in _COLOURLESS:
            return edit_request("recolour", target_in(match))
        is_thing = words.lower() in _THINGS and _CHANGE.match(text)
        if not is_thing and (colour := english_colour(words)):
            return edit_request("recolour", target_in(match), colour=colour)
    if match := _MERGE.match(text):
        return ObjectRequest("merge", target_in(match))
    if match := _RENAME.match(text):
        name = (match.group("name") or match.group("single")).strip("\"'“”‘’ ")
        is_idiom = match.group("name") is None and _is_idiom(target_in(match), name)
        is_readable = name and not is_idiom and read_expression(target_in(match)) is not None
        return ObjectRequest("rename", target_in(match), name=name) if is_readable else None
    return None


def _is_idiom(target: str, name: str) -> bool:
    """Whether "call it off" or "name this animal" was said, which name nothing."""
    is_noun = target.lower() in ("this", "that") and name.islower()
    return is_noun or name.lower() in _PARTICLES


_PARTICLES = frozenset(
    ["off", "quits", "out", "up", "in", "back", "over", "home", "down", "again", "later", "now",
     "here", "what", "something"]
)  # fmt: skip
_CHANGE = re.compile(r"^(?:make|turn|change)\b", re.IGNORECASE)
_THINGS = frozenset(["snow", "peru", "tomato", "chocolate", "wheat", "linen", "salmon", "plum"])
"""Colours only where it is painted: "make it snow" is about the weather."""
_COLOURLESS = frozenset(["grey", "gray", "black and white", "black-and-white", "colourless"])


def english_colour(words: str) -> str | None:
    """Return a colour as Pillow knows it; None: the words are none."""
    name = words.lower()
    for candidate in (name.replace(" ", ""), name.split()[-1]):
        try:
            ImageColor.getrgb(candidate)
        except ValueError:
            continue
        return candidate
    return None
