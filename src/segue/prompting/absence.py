"""Whether the words of a reply say that something is not in the picture, in English or Chinese."""

import re

from segue.prompting.intent import strip_article
from segue.prompting.synonyms import normalise_phrase, singularise

_BETWEEN = r"(?:(?!\bbut\b)[^.,;:!?。，；：！？\n])"
"""What may stand between a denial and the phrase: no end of a clause."""
_SEEING = r"(?:see|find|spot|detect|locate|identify|recogni[sz]e|make out|show|contain|have)"
_NOT_SEEING = (
    r"(?:cannot|can not|can't|could not|couldn't|do not|don't|did not|didn't|does not|doesn't"
    rf"|unable to|failed to) {_SEEING}"
)
_BEFORE = rf"\b(?:no|there (?:is|are|was|were)(?: not|n't)|{_NOT_SEEING})\b"
_AFTER = (
    r"(?:(?:is|are|was|were|do|does|did|can|could) not|(?:is|are|was|were|do|does|did|ca|could)n't"
    r"|cannot|can't)"
)
_PRESENCE = (
    r"(?:in (?:the|this) (?:picture|image|photo|scene)|present|visible|there|here|shown|pictured"
    r"|depicted|appear|exist|seen|found|detected)"
)
_CHINESE_BEFORE = (
    "没有|没见到|没看到|没看见|没发现|没找到|未发现|未见|未找到"
    "|未检测到|找不到|看不到|看不见|不存在|不包含|并无"
)
_CHINESE_AFTER = "不在|不存在|没有出现|没出现|未出现|看不到|找不到|没有找到|未找到|未检测到"


def says_absent(text: str, phrase: str) -> bool:
    """Return whether a text says that what a phrase names is not there.

    Args:
        text: the clean words of a reply.
        phrase: what was asked for, in the language of the reply.

    >>> says_absent("There is no basketball in the picture.", "the basketballs")
    True
    >>> says_absent("图片里没有苹果。", "苹果"), says_absent("I see no dog, but a cat.", "cat")
    (True, False)
    """
    name = _name_pattern(phrase)
    if name is None:
        return False
    if not phrase.isascii():
        denial_before = rf"(?:{_CHINESE_BEFORE}){_BETWEEN}{{0,10}}?{name}"
        denial_after = rf"{name}{_BETWEEN}{{0,6}}?(?:{_CHINESE_AFTER})"
        return re.search(f"{denial_before}|{denial_after}", text) is not None
    text = text.replace("’", "'")
    denial_before = rf"{_BEFORE}{_BETWEEN}{{0,30}}?\b{name}\b"
    denial_after = rf"\b{name}\b{_BETWEEN}{{0,20}}?\b{_AFTER}{_BETWEEN}{{0,20}}?\b{_PRESENCE}\b"
    is_missing = rf"\b{name}\b (?:is|are) (?:absent|missing|nowhere)\b"
    return (
        re.search(f"{denial_before}|{denial_after}|{is_missing}", text, re.IGNORECASE) is not None
    )


def _name_pattern(phrase: str) -> str | None:
    """Return a pattern for a phrase in singular or plural; None: it has no words."""
    name = strip_article(phrase.strip()).rstrip(" .。")
    if not name:
        return None
    if not name.isascii():
        return re.escape(name)
    singular = singularise(normalise_phrase(name))
    forms = {name.lower(), singular, f"{singular}s", f"{singular}es"}
    return f"(?:{'|'.join(re.escape(form) for form in sorted(forms, key=len, reverse=True))})"
