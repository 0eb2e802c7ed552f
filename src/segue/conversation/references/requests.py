"""Reads requests about objects: "blur all but the dog", "make it red", "undo that", "把它擦掉"."""

import re

from segue.conversation.references.chinese_requests import read_chinese_request
from segue.conversation.references.comparisons import read_comparison
from segue.conversation.references.english_requests import read_english_request
from segue.conversation.references.expressions import (
    Among,
    Description,
    Exclusion,
    Expression,
    Numbers,
    Others,
    Pronoun,
    Union,
)
from segue.conversation.references.object_request import ObjectRequest
from segue.conversation.references.resolution import read_expression
from segue.prompting.intent import is_chinese, requested_words, without_picture


def read_request(text: str) -> ObjectRequest | None:
    """Read a request about objects; None: it is a question for the chat model.

    >>> request = read_request("Please make the left one dark blue.")
    >>> request.operation, request.target, dict(request.parameters)
    ('recolour', 'the left one', {'colour': 'darkblue'})
    >>> read_request("把背景虚化").target, read_request("undo that").action
    ('全部', 'undo')
    >>> read_request("Which one is bigger?").target, read_request("狗和猫哪个更大?").target
    ('the bigger one', '狗和猫里最大的那个')
    >>> read_request("What colour is the dog?") is None
    True
    """
    words = without_picture(" ".join(text.split()).strip(" .。!！?？,，;；"))
    if not words or re.search(r"[.。!！?？;；]\s*\S", words):
        return None
    request = read_chinese_request(words) if is_chinese(words) else read_english_request(words)
    if request is not None:
        return request
    if compared := read_comparison(words):
        return ObjectRequest("point", compared, is_comparison=True)
    pointed_at = requested_words(text)
    if pointed_at:
        return ObjectRequest("point", pointed_at) if read_expression(pointed_at) else None
    if words.lower() in _SMALL_TALK:
        return None
    return ObjectRequest("point", words, is_bare=True) if read_expression(words) else None


_SMALL_TALK = frozenset(
    ["right", "one", "any", "all good", "中", "上", "下", "最后", "第一", "另外"]
)
"""They mean an object only where it was asked which one."""


def is_anaphoric(expression: Expression) -> bool:
    """Whether an expression can only be about objects that were spoken of.

    "It", "the left one" and "the other two" are; "the dog" and "everything" may be new.
    """
    match expression:
        case Pronoun() | Others() | Exclusion():
            return True
        case Numbers(noun=noun):
            return noun is None
        case Description(noun=noun, every=every, count=count):
            return noun is None and (not every or count is not None)
        case Union(parts=parts) | Among(whole=Union(parts=parts)):
            return all(map(is_anaphoric, parts))
