"""Questions that want a sentence and speak of something visible: "Is there a dog?", "有几只狗?".

Rules over words, in English and Chinese; no model. What such a question speaks of can be marked
beside the answer in words.
"""

import re

_PICTURES = r"(?:images?|pictures?|photos?|photographs?|scenes?)"
_ENGLISH = (
    r"(?:is|are|was|were) there (?P<what>.+)",
    r"(?:can|do|did) you (?:also )?(?:see|spot|notice|find) (?P<what>.+)",
    rf"(?:does|do) (?:the|this|that|these) {_PICTURES} "
    r"(?:have|contain|show|include|depict) (?P<what>.+)",
    rf"(?:is|are) (?P<what>(?:a|an|any|some|the) .+?) (?:visible|present|shown|in (?:the|this) "
    rf"{_PICTURES})",
    r"how many (?P<what>.+?)(?: (?:are|is|do|does|can|could)\b.*)?",
    r"(?:what is|count) the number of (?P<what>.+)",
    r"count (?P<what>.+)",
)
_ENGLISH_PATTERNS = tuple(re.compile(rf"^{pattern}$", re.IGNORECASE) for pattern in _ENGLISH)
_QUANTITY = re.compile(
    r"^(?:(?:at least|more than|exactly|only|also|still|just) )*"
    r"(?:(?:a|an|the|any|some|one|two|three|four|five|several|many|other|more|different|all|"
    r"of|\d+) )+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:[ ,]+(?:please|too|as well|at all|anywhere|here|there|visible|present|in total|altogether|"
    rf"(?:in|on|of|from|within) (?:the|this|that|these|it|my)(?: {_PICTURES})?))+$",
    re.IGNORECASE,
)
_JOIN = re.compile(r"\s*(?:,|&| and | or )\s*(?:(?:and|or) )?", re.IGNORECASE)
_NOTHING = re.compile(
    r"^(?:(?:any|some|every|no)(?:thing|one|body)?|it|them|this|that|these|those|things|objects|"
    r"items|stuff)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"\b(?:that|which|who|where|if|whether|because|than|what|how|when|why|doing|going)\b",
    re.IGNORECASE,
)

_PLACE_ZH = (
    r"(?:(?:这|该|那)?(?:张|幅)?(?:图片|图像|照片|画面|图)(?:中|里面|里|上|内)?(?:面)?|"
    r"这里|这儿|里面)?"
)
_CLASSIFIER = "只个辆架艘匹头条张位棵朵座把台件支根块片群名口杯"
_CHINESE = (
    rf"^(?:请问)?{_PLACE_ZH}(?:还|也|是否|都)?有没有(?P<what>.+?)$",
    rf"^(?:请问)?{_PLACE_ZH}是否(?:还|也)?(?:存在|包含|有)(?P<what>.+?)$",
    rf"^(?:请问)?{_PLACE_ZH}(?:还|也|总共|一共|共)?有(?:几|多少)[{_CLASSIFIER}]?(?P<what>.+?)$",
    rf"^(?:请问)?{_PLACE_ZH}(?:还|也)?(?:存在|包含|有)(?P<what>.+?)吗$",
    r"^(?:你)?(?:能)?看(?:得|不)?(?:到|见)(?P<what>.+?)(?:了)?吗$",
    rf"^(?:几|多少)[{_CLASSIFIER}]?(?P<what>.+?)$",
)
_CHINESE_PATTERNS = tuple(re.compile(pattern) for pattern in _CHINESE)
_QUANTITY_ZH = re.compile(
    rf"^(?:[一两二三四五六七八九十几\d]*[{_CLASSIFIER}]|一些|任何|其他|别的)的?"
)
_TAIL_ZH = re.compile(rf"(?:在{_PLACE_ZH}|吗|呢|呀|啊|了)+$")
_JOIN_ZH = re.compile(r"\s*(?:以及|和|与|跟|或者?|还是|、|，|,)\s*")
_NOTHING_ZH = re.compile(r"什么|哪些|东西|物体|谁|它|这个|那个|问题|关系|意思|可能|必要|人说")


def find_mentioned(question: str) -> tuple[str, ...]:
    """Return what a question about presence or number speaks of; () for other questions.

    >>> find_mentioned("Is there a dog or a cat in the picture?")
    ('dog', 'cat')
    >>> find_mentioned("How many sheep are there?"), find_mentioned("图片里有几只狗?")
    (('sheep',), ('狗',))
    >>> find_mentioned("Is there anything unusual?"), find_mentioned("What is in the picture?")
    ((), ())
    """
    text = " ".join(question.split()).strip(" .。!！?？,，;；")
    if re.search(r"[.;!?。；！？]", text):
        return ()
    if any("\u3400" <= character <= "\u9fff" for character in text):
        return _find_chinese(text)
    return _find_english(text)


def _find_english(text: str) -> tuple[str, ...]:
    for pattern in _ENGLISH_PATTERNS:
        if match := pattern.match(text):
            break
    else:
        return ()
    requested = _TAIL.sub("", match.group("what"))
    if _CLAUSE.search(requested):
        return ()
    phrases = [_QUANTITY.sub("", part.strip() + " ").strip() for part in _JOIN.split(requested)]
    if any(_NOTHING.match(phrase) for phrase in phrases):
        return ()
    return tuple(phrase for phrase in phrases if phrase and len(phrase.split()) <= 5)


def _find_chinese(text: str) -> tuple[str, ...]:
    for pattern in _CHINESE_PATTERNS:
        if match := pattern.match(text):
            break
    else:
        return ()
    requested = _TAIL_ZH.sub("", match.group("what"))
    phrases = [_QUANTITY_ZH.sub("", part).strip() for part in _JOIN_ZH.split(requested)]
    if any(_NOTHING_ZH.search(phrase) for phrase in phrases):
        return ()
    return tuple(phrase for phrase in phrases if 0 < len(phrase) <= 12)
