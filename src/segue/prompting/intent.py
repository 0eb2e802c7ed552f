"""What a question asks to be pointed at: "Segment all the dogs, please." -> every "dogs".

Rules over words, in English and Chinese; no model. They look for a verb of pointing (find, segment,
框出 …), take what follows as phrases, and notice whether every instance is meant and whether a
relation says which one. Questions they do not understand ask for nothing, and whoever uses a
request then does what it would do without one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from segue.deprecated import warn
from segue.prompting.word_questions import find_mentioned

_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Intent:
    """What a question asks for."""

    phrases: tuple[str, ...] = ()
    """What to point at, without articles; () when the question asks for no place."""
    all_instances: bool = False
    """Every instance is meant: "all", "each", or a plural."""
    relational: bool = False
    """Which one is meant follows from a relation, an order or a reason: "left of the bus"."""
    chinese: bool = False
    """The question is in Chinese."""
    wants_words: bool = False
    """It wants a sentence, though it asks for a place: "where is …?"."""
    mentioned: tuple[str, ...] = ()
    """What it speaks of without asking for a place: "is there a dog?", "how many dogs?"."""

    @property
    def every(self) -> bool:
        """The old name of `all_instances`."""
        warn("Intent.every", "all_instances")
        return self.all_instances


def strip_article(phrase: str, more: Sequence[str] = ()) -> str:
    """Take an English article off the beginning of a phrase.

    Args:
        phrase: any words.
        more: further words that count as one, such as "some".

    >>> strip_article("The red car"), strip_article("an owl"), strip_article("some milk", ["some"])
    ('red car', 'owl', 'milk')
    >>> strip_article("another dog")
    'another dog'
    """
    articles = "|".join(map(re.escape, ("the", "an", "a", *more)))
    return re.sub(rf"^(?:{articles})\s+", "", phrase, flags=re.IGNORECASE)


def is_chinese(text: str) -> bool:
    """Whether a text holds Chinese characters."""
    return _HAN.search(text) is not None


def parse_intent(question: str) -> Intent:
    """Return what a question asks to be pointed at.

    >>> intent = parse_intent("Can you segment all the dogs in this image?")
    >>> intent.phrases, intent.all_instances
    (('dogs',), True)
    >>> parse_intent("框出图片中飞机的位置").phrases
    ('飞机',)
    >>> parse_intent("How many dogs are there?").phrases
    ()
    """
    text = " ".join(question.split()).strip(" .。!！?？,，;；")
    intent = _chinese(text) if is_chinese(text) else _english(text)
    return intent if intent.phrases else replace(intent, mentioned=find_mentioned(question))


def without_picture(text: str) -> str:
    """Take out the words that only say that something is in the picture.

    >>> without_picture("blur the dog in the picture"), without_picture("把图片中的狗擦掉")
    ('blur the dog', '把狗擦掉')
    """
    if is_chinese(text):
        return _IN_PICTURE.sub("", text)
    return _IN_PICTURE_END.sub("", _LEAD.sub("", text))


def requested_words(question: str) -> str:
    """Return the words after the verb of a question that asks to be pointed at something.

    They stand as they were typed, pronouns and articles included; "" where there is no such verb.

    >>> requested_words("Segment the other two, please."), requested_words("它在哪里?")
    ('the other two', '它')
    >>> requested_words("What is it?")
    ''
    """
    text = " ".join(question.split()).strip(" .。!！?？,，;；")
    if is_chinese(text):
        match = _match_chinese(text)
        return _IN_PICTURE.sub("", match.group("what")).strip() if match else ""
    return _requested_english(text)[1]


# English

_POLITE = re.compile(
    r"^(?:please|pls|kindly|hey|hi|hello|ok(?:ay)?|now|then|(?:can|could|would|will) you|"
    r"help me(?: to)?|i(?:'d like| want| need| would like)(?: you)?(?: to)?|let's|just|try to)"
    r"[ ,]+",
    re.IGNORECASE,
)
_THING = (
    r"(?:(?:segmentation|pixel|bounding|binary)[ -]?)?"
    r"(?:masks?|boxe?s?|bbox(?:es)?|pixels|outlines?|locations?|positions?|coordinates|contours?)"
)
_ASKING = re.compile(
    r"^(?:"
    rf"(?:(?:give|show|tell|send)(?: me)?|output|generate|create|make|draw|predict|return|provide|"
    rf"need|want|place|put|get)?\s?(?:me )?(?:the |a |an )?{_THING} (?:of|for|around|on|over) |"
    r"(?:find and |detect and )?(?:segm\w*|segem\w*|find|locate|detect|frame(?: out)?|box|mask|"
    r"outline|cut ?out|extract|mark|highlight|select|circle|ground|isolate|separate|"
    r"point (?:to|at|out)|look for|am looking for|i am looking for|i'm looking for|trace) |"
    r"show me (?:where )?|tell me where |where(?:'s| is| are) "
    r")(?:out |where |(?:the |a )?(?:exact )?"
    r"(?:location|position|bounding box|mask|pixels)s? of )?",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:[ ,]+(?:please|pls|for me|out|is|are|with (?:a |the )?(?:box|mask)(?:es|s)?|"
    r"(?:in|on|from|of) (?:the|this|that|these|my|an?) "
    r"(?:whole )?(?:image|picture|photo|photograph|scene|frame|background|shot)s?|here))+$",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:in|on|from|of|for) (?:the|this|that|these|my) "
    r"(?:image|picture|photo|photograph|scene)s?\s*[,:]?\s+",
    re.IGNORECASE,
)
_IN_PICTURE_END = re.compile(
    r"[ ,]+(?:in|on|from) (?:the|this|that|these|my) "
    r"(?:image|picture|photo|photograph|scene)s?$",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.?!;]\s")
_EVERY = re.compile(
    r"^(?:every(?: single)?|each(?: and every)?(?: of)?|all(?: of)?|any|instances? of|"
    r"(?:every|each|all) instances? of(?: the)?)\b\s*",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|an?|some|this|that|these|those|its|their|my)\s+", re.IGNORECASE)
_RELATION = re.compile(
    r"\b(?:that|which|who|whose|whom|where|left|right|leftmost|rightmost|topmost|middle|cent(?:re|er)|"
    r"behind|beside|besides|near|nearest|closest|next to|adjacent|between|in front of|front|above|"
    r"below|under|underneath|beneath|on top of|on|inside|outside|in|at|by|along|across|against|"
    r"around|"
    r"holding|wearing|carrying|riding|sitting|standing|looking|facing|eating|using|playing|lying|"
    r"running|walking|with|without|except|but|not|other than|another|other|first|second|third|"
    r"fourth|last|most|least|more|less|"
    r"(?:larg|bigg|small|tall|short|long|high|low|near|clos|farth|furth|old|young|dark|bright|"
    r"light|heavi|thick|thinn|wid)est|"
    r"something|someone|anything|what|whatever|things? to|objects? (?:to|for|used)|used (?:to|for)|"
    r"suitable|able to|could|should|would)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"^(?:it|them|him|her|this|that|these|those|one|everything|objects?|things?)$"
)
_JOIN = re.compile(r"\s*(?:,|;|&| and |，|、)\s*(?:and )?", re.IGNORECASE)
_PLURALS = frozenset(
    [
        "people",
        "men",
        "women",
        "children",
        "sheep",
        "geese",
        "mice",
        "feet",
        "teeth",
        "fish",
        "deer",
        "cattle",
        "oxen",
    ]
)
_NOT_PLURALS = re.compile(r"(?:ss|us|is|[aeiou]{2}s|lens|gas|jeans|glasses|scissors|trousers)$")


def without_politeness(text: str) -> str:
    """Take the polite words off the beginning of an English request.

    >>> without_politeness("Please, could you blur it")
    'blur it'
    """
    while match := _POLITE.match(text):
        text = text[match.end() :]
    return text


def _requested_english(text: str) -> tuple[re.Match[str] | None, str]:
    """Return the verb of pointing and the words after it."""
    text = _LEAD.sub("", _SENTENCE.split(text, maxsplit=1)[0].strip(" .?!,;"))
    text = without_politeness(text)
    asking = _ASKING.match(text)
    requested = text[asking.end() :].strip() if asking else ""
    while (shorter := _TAIL.sub("", requested)) != requested:
        requested = shorter
    return asking, requested


def _english(text: str) -> Intent:
    asking, requested = _requested_english(text)
    if asking is None:
        return Intent()
    relational = False
    all_instances = False
    phrases: list[str] = []
    for part in _JOIN.split(requested):
        part, all_of_it = _strip_quantifier(part)
        if not part or _PRONOUN.match(part.lower()):
            continue
        relational = relational or _RELATION.search(part) is not None
        all_instances = all_instances or all_of_it or _is_plural(part)
        phrases.append(part)
    if relational:
        phrase, _ = _strip_quantifier(requested)
        phrases = [phrase] if phrase else []
    wants_words = asking.group().lower().startswith(("where", "tell me where"))
    return Intent(
        tuple(phrases), all_instances, relational and bool(phrases), wants_words=wants_words
    )


def _strip_quantifier(part: str) -> tuple[str, bool]:
    """Return a phrase without articles, and whether it began with "all" or "every"."""
    all_instances = False
    while True:
        part = part.strip()
        if match := _EVERY.match(part):
            all_instances, part = True, part[match.end() :]
        elif match := _ARTICLE.match(part):
            part = part[match.end() :]
        else:
            return part, all_instances


def _is_plural(phrase: str) -> bool:
    """Whether the last word before a relation is a plural, as far as its ending tells."""
    relation = _RELATION.search(phrase)
    head = phrase[: relation.start()] if relation else phrase
    words = re.findall(r"[a-z]+", head.lower())
    if not words:
        return False
    last = words[-1]
    return last in _PLURALS or (
        len(last) > 3 and last.endswith("s") and not _NOT_PLURALS.search(last)
    )


# Chinese

_VERB = (
    r"(?:框选出|框选|框出来|框出|框|找出来|找出|找到|找一下|找找|找|检测出|检测|识别出|标出来|标出|标记出|标记|"
    r"标注出|标注|圈出来|圈出|圈|定位|分割出来|分割出|分割一下|分割|抠出来|抠出|抠|勾勒出|勾勒|指出|画出|描出)"
)
_PLACE = r"(?:位置|掩码|掩膜|检测框|边界框|框|轮廓|分割结果|分割图|像素|坐标|区域)"
_IN_PICTURE = re.compile(
    r"(?:这|该|本)?(?:张|幅)?(?:图片|图像|照片|画面|图)(?:中|里面|里|上|内)?(?:面)?的?"
)
_ASK_ZH = re.compile(
    r"^(?:请问|请你|请|麻烦你?|帮我|帮忙|你能不能|你能|能不能|能否|能|可以|给我|我想要|我想|我需要|我要|"
    r"需要|现在|再|并|找出并|一下)+"
)
_PATTERNS_ZH = (
    re.compile(
        rf"^(?:用.{{0,6}}?框)?(?:把|将)(?P<what>.+?)(?:都|全|全部)?(?:用框)?{_VERB}(?:出来|一下)?$"
    ),
    re.compile(r"^对(?P<what>.+?)(?:做|进行)?(?:像素级|实例|语义)?分割$"),
    re.compile(
        rf"^(?:用.{{0,6}}?框)?{_VERB}(?:并{_VERB})?(?P<what>.+?)(?:的{_PLACE})?(?:和{_PLACE})?(?:吗|吧)?$"
    ),
    re.compile(
        rf"^(?:给出|输出|返回|生成|画出)?(?P<what>.+?)的{_PLACE}(?:是什么|在哪里?)?(?:吗|吧)?$"
    ),
    re.compile(
        r"^(?P<what>.+?)(?:都)?在(?:图.{0,3}?的?)?(?:哪里|哪儿|哪|什么(?:地方|位置)|何处).*$"
    ),
)
_WHERE_ZH = _PATTERNS_ZH[-1]
_EVERY_ZH = re.compile(r"(?:所有|全部|每一?(?:个|只|辆|架|艘|匹|头|条|张|位|棵|朵)?|各个|任何)的?")
_RELATION_ZH = re.compile(
    r"左|右|前面|前方|后面|背后|身后|旁|边上|上方|下方|上面|下面|底下|之间|中间|最|第[一二三四五六七八九十\d]|"
    r"穿|戴|拿|骑|坐|站|躺|正在|在.+(?:的|上|下|里)|可以|能够|能|用来|用于|适合|谁|哪|除了|不是|没有|另|靠近|附近|"
    r"对面|带着|比"
)
_PRONOUN_ZH = re.compile(
    r"^(?:它|它们|这|这是|那|他|她|他们|这个|那个|这些|那些|物体|东西|目标|所有|一切)$"
)
_JOIN_ZH = re.compile(r"\s*(?:以及|和|与|跟|、|，|,)\s*")


def _match_chinese(text: str) -> re.Match[str] | None:
    """Match a request; the match has a group "what"."""
    text = re.split(r"[。；？！?!;]", text, maxsplit=1)[0].strip(" ，,")
    text = _ASK_ZH.sub("", text)
    return next((match for pattern in _PATTERNS_ZH if (match := pattern.match(text))), None)


def _chinese(text: str) -> Intent:
    match = _match_chinese(text)
    if match is None:
        return Intent(chinese=True)
    what = _IN_PICTURE.sub("", match.group("what")).strip()
    all_instances = _EVERY_ZH.search(what) is not None or "都" in text
    what = _EVERY_ZH.sub("", what)
    relational = _RELATION_ZH.search(what) is not None
    parts = [what] if relational else _JOIN_ZH.split(what)
    phrases = [part.strip("的 出") for part in parts]
    phrases = [part for part in phrases if part and not _PRONOUN_ZH.match(part)]
    return Intent(
        tuple(phrases),
        all_instances,
        relational and bool(phrases),
        chinese=True,
        wants_words=match.re is _WHERE_ZH,
    )
