"""Reads Chinese referring expressions."""

import re
from dataclasses import replace

from segue.conversation.references.expressions import (
    LAST,
    Among,
    Description,
    Exclusion,
    Expression,
    Numbers,
    Others,
    Pronoun,
    Side,
    Size,
    Union,
)

COLOURS = {
    "红": "red", "橙": "orange", "黄": "yellow", "绿": "green", "蓝": "blue", "紫": "purple",
    "粉": "pink", "粉红": "pink", "棕": "brown", "褐": "brown", "咖啡": "brown", "黑": "black",
    "白": "white", "灰": "grey", "银": "grey",
}  # fmt: skip
_DIGITS = {digit: number for number, digit in enumerate("零一二三四五六七八九十")} | {
    "两": 2,
    "俩": 2,
}
_NUMBER = r"(?:\d{1,3}|[一二两俩三四五六七八九十])"
_M = r"(?:个|只|辆|架|艘|匹|头|条|张|位|棵|朵|座|把|台|件|支|根|块|片|杯|碗|本|顶|双|群)"
_SIDE = (
    r"靠?(?:最?底下|最?顶上|(?:左|右|上|下|中|顶|底|最左|最右|最上|最下|正中|最顶|最底)"
    r"(?:边|侧|面|方|间|部|端|头|手边|手侧)?)"
)
_SIDES: dict[str, Side] = {
    "左": "left", "右": "right", "上": "top", "顶": "top", "下": "bottom", "底": "bottom",
    "中": "middle",
}  # fmt: skip
_COLOUR = "(?:粉红|" + "|".join(COLOURS) + ")"
_SINGULAR = re.compile(rf"^(?:它|他|她|(?:这|那)(?:一)?{_M}|这|那)$")
_PLURAL = re.compile(
    rf"^(?:它们俩?|他们俩?|她们俩?|它俩|(?:这|那)些|(?:这|那)(?:({_NUMBER}){_M}|俩))$"
)
_NUMBERED = re.compile(rf"^(?:编号|号码|#|r|第)?\s*({_NUMBER})\s*号?$")
_GENERIC = frozenset(["", "东西", "物体", "目标", "区域", "对象"])
_EXCLUSION = (
    re.compile(
        r"^除了?(?P<excluded>.+?)(?:以外|之外|外)?(?:的)?(?:其他|其它|其余)?(?:的)?"
        r"(?:(?:全部|所有|全|都|一切|东西)+(?:的)?)?$"
    ),
    re.compile(
        r"^除了?(?P<excluded>.+?)(?:以外|之外)的?(?:其他|其余|所有)?的?(?P<noun>.+?)(?:都)?$"
    ),
    re.compile(
        r"^(?P<excluded>.+?)(?:以外|之外)的?(?:所有|全部|其他|其余)?的?(?P<noun>.*?)(?:都)?$"
    ),
)
_SIZE = rf"(?:最|较|比较)?[大小](?:一点|一些|点)?的|(?:最|较|比较)[大小](?={_M}|$)"
_SINGLE = re.compile(rf"{_M}|这|那|左|右|上|下|中|最|大|小|第|顶|底")
_CORRECTION = re.compile(
    r"^(?:(?:不对?|不是|错了)[,，、]+)?(?:(?:我(?:是说|说的是|指的是)|是)[,，]?)?(?=.)"
)
_PART_OF = re.compile(r"^(?P<whole>.+?)(?:里面?|当中|之中|中(?!间))的?(?P<part>.+)$")
_PARTS = re.compile(r"和|与|跟|以及|、|，")


def read_chinese(text: str) -> Expression | None:
    """Read a referring expression; None when it is not one that the rules know."""
    text = re.sub(r"\s+", "", text).strip("。！？!?，,.；;：")
    text = _CORRECTION.sub("", re.sub(r"^(?:请|只|就)+", "", text))
    if not text:
        return None
    return _read_exclusion(text) or _read_among(text) or _read_union(text) or _read_simple(text)


def _read_exclusion(text: str) -> Expression | None:
    if not (text.startswith("除") or "以外" in text or "之外" in text):
        return None
    for pattern in _EXCLUSION:
        match = pattern.match(text)
        if match is None:
            continue
        excluded_text = match.group("excluded").removesuffix("的") or match.group("excluded")
        excluded = _read_union(excluded_text) or _read_simple(excluded_text)
        if isinstance(excluded, Description) and not _SINGLE.search(excluded_text):
            # Without a classifier a noun is a plural as well.
            excluded = replace(excluded, plural=True)
        noun = (match.groupdict().get("noun") or "").removesuffix("都")
        if excluded is not None and "以外" not in excluded_text:
            name = None if noun in _GENERIC else noun
            return Exclusion(Description(name, plural=True, every=True), excluded)
    return None


def _read_among(text: str) -> Expression | None:
    """Read "狗和猫里大的那个"."""
    match = _PART_OF.match(text)
    if match is None:
        return None
    part, whole = _read_description(match.group("part")), _read_union(match.group("whole"))
    if part is None or part.noun or not isinstance(whole, Union):
        return None
    return Among(whole, part)


def _read_union(text: str) -> Expression | None:
    texts = _PARTS.split(text)
    if len(texts) < 2:
        return None
    parts = [_read_simple(part) for part in texts]
    if any(part is None for part in parts):
        return None
    return Union(tuple(part for part in parts if part is not None))


def _read_simple(text: str) -> Expression | None:
    if text.endswith("都") and len(text) > 1:
        expression = _read_simple(text.removesuffix("都"))
        return (
            replace(expression, plural=True) if isinstance(expression, Description) else expression
        )
    if _SINGULAR.match(text):
        return Pronoun()
    if match := _PLURAL.match(text):
        count = match.group(1) or ("两" if text.endswith("俩") else None)
        return Pronoun(plural=count not in ("一", "1"), count=_number(count) if count else None)
    if (match := _NUMBERED.match(text)) and (text.endswith("号") or text[0] in "#r编"):
        return Numbers((_number(match.group(1)),))
    if text in ("全部", "所有", "全", "一切", "所有的", "全部的"):
        return Description(plural=True, every=True)
    if text in ("俩", "两者"):
        return Description(plural=True, count=2)
    return _read_others(text) or _read_part(text) or _read_description(text)


def _read_part(text: str) -> Expression | None:
    """Read "两只狗里大的那只": the noun stands in the whole."""
    match = _PART_OF.match(text)
    if match is None:
        return None
    whole, part = _read_description(match.group("whole")), _read_description(match.group("part"))
    if whole is None or part is None or whole.noun is None or whole.count is None or part.noun:
        return None
    if whole.side or whole.size or whole.ordinal:
        return None
    return replace(part, noun=whole.noun, colours=part.colours | whole.colours)


def _read_others(text: str) -> Expression | None:
    if match := re.match(r"^(?:其他|其它|其余|剩下|别)的?(?P<rest>.*)$", text):
        rest = match.group("rest")
        inner = Description(plural=True, every=True) if not rest else _read_description(rest)
        if isinstance(inner, Description):
            return Others(
                Description(inner.noun, True, None, inner.colours, inner.side, None, None, True)
            )
    if match := re.match(rf"^另外?(?:那|这)?(?P<count>{_NUMBER})?{_M}(?P<rest>.*)$", text):
        count = _number(match.group("count")) if match.group("count") else 1
        rest = match.group("rest").removeprefix("的")
        inner = Description() if not rest else _read_description(rest)
        if isinstance(inner, Description):
            is_single = count == 1
            return Others(
                Description(inner.noun, not is_single, None if is_single else count, inner.colours)
            )
    return None


def _read_description(text: str) -> Description | None:
    """Read places, properties and a noun, in the orders that are usual."""
    side: Side | None = None
    ordinal: int | None = None
    count: int | None = None
    size: Size | None = None
    every = False
    colours: set[str] = set()
    seen = False

    def take(pattern: str) -> re.Match[str] | None:
        nonlocal text, seen
        match = re.match(pattern, text)
        if match is None or not match.group():
            return None
        text, seen = text[match.end() :], True
        return match

    for _ in range(8):
        before = text
        if side is None and (match := take(rf"(?:从|由)?({_SIDE})(?:起|数起|往.数|数)?的?(?!手)")):
            side = _SIDES[match.group(1).lstrip("靠最正")[0]]
        elif ordinal is None and (match := take(rf"(?:的)?第({_NUMBER})(?:{_M}|(?=大|小))?的?")):
            ordinal = _number(match.group(1))
        elif ordinal is None and (match := take(rf"倒数第({_NUMBER})(?:{_M})?的?")):
            ordinal = -_number(match.group(1))
        elif count is None and (match := take(rf"(前|最?后|最前)(?:面|边)?的?({_NUMBER}){_M}的?")):
            ordinal = 1 if "前" in match.group(1) else LAST
            count = _number(match.group(2))
        elif ordinal is None and take(rf"最后(?:一)?(?:{_M})?的?"):
            ordinal = LAST
        elif size is None and take(r"(?:个头|个子|体型|块头|面积|尺寸)(?=最|较|比较|大|小)"):
            pass
        elif size is None and (match := take(_SIZE)):
            size = "big" if "大" in match.group() else "small"
        elif match := take(rf"({_COLOUR})(?:颜?色)?的?"):
            colours.add(COLOURS[match.group(1)])
        elif take(r"(?:所有|全部|一切|每(?:一)?" + _M + r")的?"):
            every = True
        elif count is None and (match := take(rf"(?:这|那)?({_NUMBER}){_M}的?")):
            count = _number(match.group(1))
        elif take(rf"(?:这|那)(?:一)?{_M}"):
            pass
        if text == before:
            break
    noun = text.removesuffix("们").removeprefix("的")
    if count == 1:
        count = None
    if not seen and not noun:
        return None
    if re.search(r"[的在是了吗呢什么谁哪怎]", noun) or len(noun) > 8:
        return None
    name = None if noun in _GENERIC else noun
    plural = every or count is not None
    return Description(name, plural, count, frozenset(colours), side, ordinal, size, every)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else _DIGITS[text]
