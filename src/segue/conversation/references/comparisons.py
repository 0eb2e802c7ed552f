"""Reads questions that places and sizes of known objects answer: "which one is bigger?", 哪个更大.

Such a question becomes the referring expression for what it asks: "the bigger one".
"""

import re

from segue.prompting.intent import is_chinese, without_politeness

_ADJECTIVES = (
    r"bigger|biggest|larger|largest|smaller|smallest|"
    r"leftmost|rightmost|topmost|uppermost|highest|bottommost|lowest"
)
_COMPARATIVES = {"higher": "highest", "lower": "lowest"}
_PLACES = {
    "left": "leftmost", "right": "rightmost", "top": "topmost", "bottom": "lowest",
    "middle": "middle", "center": "middle", "centre": "middle",
}  # fmt: skip
_SIDE = r"(?P<side>left|right|top|bottom|middle|cent(?:re|er))"
_ENGLISH = re.compile(
    r"^(?:and |so |then )?(?:which|who)"
    r"(?: one)?(?: of (?P<whole>them|these|those|the (?!picture|image|photo).+?)| (?P<noun>.+?))??"
    r"(?:'s| is| stands| sits| lies| appears| looks)"
    rf"(?: (?:the )?(?P<adjective>{_ADJECTIVES}|higher|lower)(?: up| down)?(?: one)?|"
    r"(?: (?:more|most|further|farther|furthest|farthest|nearer|nearest|closer|closest))*"
    rf"(?: (?:on|at|in|to))?(?: the)?(?: (?:very|far))? {_SIDE}(?: side| one)?)"
    r"(?:[:,]? (?P<parts>.+ or .+))?$",
    re.IGNORECASE,
)
_MEASURE = r"(?:一共|都|是|站|坐|躺|放|看起来|的)*"
_CHINESE = re.compile(
    r"^(?:那么?|请问|所以)?(?:(?P<whole>.*?)(?:里面?|当中|之中|中(?!间))?的?)?[,，]?"
    r"(?:哪(?:一)?(?P<measure>个|只|辆|架|艘|匹|头|条|张|位|棵|朵|座|把|台|件|支|根|块|片|杯|碗|本|顶|双)|谁)"
    rf"(?P<noun>[^大小左右上下中更最在靠比看]*?){_MEASURE}"
    r"(?:(?:更|最|比较|较|要)*(?P<size>大|小)(?:一些|一点儿?|些|点)?|"
    r"(?:在|靠|更|最|比较)+(?P<side>左|右|上|下|中)(?:边|面|侧|方|间)?(?:一些|一点儿?|些|点)?)"
    r"的?(?:呢|啊|呀)?$"
)


def read_comparison(text: str) -> str:
    """Return the referring expression for what a question about places or sizes asks.

    Args:
        text: the question, without the mark at its end.

    Returns:
        The expression, in the language of the question; "" where it is no such question.

    >>> read_comparison("which of the two dogs is on the left")
    'the leftmost one of the two dogs'
    >>> read_comparison("which is bigger, the dog or the cat")
    'the bigger one among the dog and the cat'
    >>> read_comparison("哪只狗在左边")
    '最左边的那只狗'
    >>> read_comparison("which one is asleep")
    ''
    """
    return _read_chinese(text) if is_chinese(text) else _read_english(text)


def _read_english(text: str) -> str:
    match = _ENGLISH.match(without_politeness(text))
    if match is None:
        return ""
    adjective = (match.group("adjective") or _PLACES[(match.group("side") or "").lower()]).lower()
    adjective = _COMPARATIVES.get(adjective, adjective)
    noun, whole, parts = match.group("noun", "whole", "parts")
    if parts:
        named = re.sub(r",? or ", " and ", parts, flags=re.IGNORECASE)
        return f"the {adjective} one among {named}"
    if whole:
        word = "among" if " and " in whole else "of"
        return f"the {adjective} one {word} {whole}"
    return f"the {adjective} {noun or 'one'}"


def _read_chinese(text: str) -> str:
    match = _CHINESE.match(re.sub(r"\s+", "", text))
    if match is None:
        return ""
    size, side = match.group("size", "side")
    place = f"最{size}的" if size else "中间的" if side == "中" else f"最{side}边的"
    noun, whole = match.group("noun"), match.group("whole")
    one = f"那{match.group('measure') or '个'}"
    if whole and noun:
        return ""
    if re.fullmatch(r"它们俩?|他们俩?|她们俩?|(?:这|那)(?:些|两个|两只)|两个|两只", whole or ""):
        whole = ""
    if whole and not re.search("和|与|跟|以及|、|两|[三四五六七八九十]|\\d", whole):
        return f"{place}{one}{whole}"
    return f"{whole}里{place}{one}" if whole else f"{place}{one}{noun}"
