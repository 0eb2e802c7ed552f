"""Whether words of a reply say that something is in the picture, or is not: English or Chinese."""

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
_ARTICLE = r"(?:an?|one|two|three|four|five|several|some|many)"
_STATEMENT = (
    r"(?:there (?:is|are|was|were)|there's|i (?:can (?:also )?)?see|"
    r"(?:it|picture|image|photo|photograph|scene) (?:shows|contains|depicts|includes|has)|yes|"
    rf"you can see|(?:^|[.!?\n]\s*){_ARTICLE}\b)"
)
_HEDGE = re.compile(
    r"\b(?:if|whether|might|may|perhaps|maybe|possibly|could|cannot|unsure|not|no|never|without)\b"
    r"|n't\b|\?|是否|可能|也许|如果|不|没|未|无|？|吗",
    re.IGNORECASE,
)
_SENTENCES = re.compile(r"[^.!?。！？\n]+[.!?。！？]?")
_YES = re.compile(
    r"^\W*(?:(?:yes|yeah|yep|sure|indeed)\b|是的|对|在的|有(?:的|[，,。!！]|$))", re.I
)
_NO = re.compile(r"^\W*(?:(?:no|nope)\b|没有|没|不在|不是)", re.IGNORECASE)


def says_present(text: str, phrase: str) -> bool:
    """Return whether a text says that what a phrase names is there.

    Only plain statements count: a sentence that denies or doubts anything says nothing here.

    Args:
        text: the clean words of a reply.
        phrase: what was asked for, in the language of the reply.

    >>> says_present("Yes, there is a cat on the sofa.", "cats")
    True
    >>> says_present("图片里有一只猫。", "猫"), says_present("I can look for the cat.", "cat")
    (True, False)
    """
    name = _name_pattern(phrase)
    if name is None or says_absent(text, phrase):
        return False
    if phrase.isascii():
        before = rf"{_STATEMENT}{_BETWEEN}{{0,60}}?\b{name}\b"
        after = rf"\b{name}\b (?:is|are|sits|stands|lies)\b"
    else:
        before = rf"(?:有|看到|看见|显示|包含){_BETWEEN}{{0,16}}?{name}"
        after = rf"{name}{_BETWEEN}{{0,6}}?(?:在|位于)"
    return any(
        _HEDGE.search(sentence) is None and re.search(f"{before}|{after}", sentence, re.IGNORECASE)
        for sentence in _SENTENCES.findall(text)
    )


def says_yes_or_no(text: str) -> bool | None:
    """Return whether a reply begins with yes or with no; None: it does neither.

    >>> says_yes_or_no("No."), says_yes_or_no("是的,有。"), says_yes_or_no("Nothing is there.")
    (False, True, None)
    """
    if _NO.match(text):
        return False
    return True if _YES.match(text) else None


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
