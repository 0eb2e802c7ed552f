"""What a person may call the 96 nouns, and the tokenizer that reads it.

Training captions are written from here: the noun, its plural, other names, an article or an
adjective before it, or the Chinese name. The tokenizer is an ordinary `BertTokenizer` whose
vocabulary keeps every word of these phrases whole, Chinese words included
(`tokenize_chinese_chars` is off), and spells anything else letter by letter.
"""

from functools import cache

import numpy as np
from transformers import BertTokenizer

from lab.scenes.vocabulary import Noun, by_name, nouns

# Grounding DINO's code has these ids built in, so a small vocabulary must keep them.
FIXED_IDS = {
    "[PAD]": 0,
    "[UNK]": 100,
    "[CLS]": 101,
    "[SEP]": 102,
    "[MASK]": 103,
    ".": 1012,
    "?": 1029,
}

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "dog": ("puppy", "小狗", "狗狗"),
    "cat": ("kitten", "kitty", "小猫", "猫咪"),
    "cow": ("cattle", "奶牛"),
    "pig": ("piglet", "小猪"),
    "sheep": ("lamb", "绵羊"),
    "rabbit": ("bunny", "小兔子", "兔"),
    "chicken": ("hen", "rooster", "公鸡", "母鸡"),
    "duck": ("duckling", "鸭"),
    "bird": ("小鸟",),
    "fish": ("小鱼",),
    "whale": ("鲸",),
    "turtle": ("tortoise", "海龟"),
    "frog": ("toad", "青蛙"),
    "bee": ("honeybee", "小蜜蜂"),
    "car": ("automobile", "auto", "轿车", "小汽车"),
    "taxi": ("cab", "的士"),
    "bus": ("coach", "巴士", "公共汽车"),
    "truck": ("lorry", "货车"),
    "train": ("locomotive", "列车"),
    "bicycle": ("bike", "单车"),
    "motorcycle": ("motorbike", "摩托"),
    "airplane": ("plane", "aeroplane", "jet", "aircraft"),
    "helicopter": ("chopper", "直升飞机"),
    "rocket": ("spaceship",),
    "ship": ("ocean liner", "vessel", "船"),
    "sailboat": ("sailing boat", "yacht"),
    "fire engine": ("fire truck", "firetruck"),
    "strawberry": ("草莓",),
    "corn": ("maize",),
    "hamburger": ("burger",),
    "ice cream": ("icecream", "雪糕"),
    "doughnut": ("donut",),
    "bread": ("loaf",),
    "cup": ("mug", "杯"),
    "couch": ("sofa",),
    "clock": ("alarm clock", "时钟"),
    "phone": ("cellphone", "telephone", "smartphone", "mobile phone", "电话"),
    "laptop": ("computer", "notebook computer", "电脑", "笔记本"),
    "television": ("tv", "tv set", "电视机"),
    "book": ("书本",),
    "umbrella": ("parasol", "伞"),
    "hammer": ("锤",),
    "light bulb": ("bulb", "lightbulb", "电灯泡"),
    "soccer ball": ("football", "soccer"),
    "gift": ("present", "gift box", "礼盒"),
    "hat": ("帽",),
    "shoe": ("sneaker", "鞋"),
    "glasses": ("eyeglasses", "spectacles"),
    "backpack": ("rucksack", "schoolbag", "书包"),
    "tree": ("大树",),
    "flower": ("blossom", "花朵"),
    "mushroom": ("toadstool",),
    "moon": ("月",),
    "house": ("home", "cottage", "房屋"),
}

ARTICLES = ("a", "the", "an", "this", "that", "one", "my")
ADJECTIVES = (
    "red", "blue", "green", "yellow", "white", "black", "brown", "pink", "purple", "grey", "gray",
    "big", "small", "little", "large", "left", "right", "cute", "old", "new",
)  # fmt: skip
CHINESE_BEFORE = (
    "红色的",
    "蓝色的",
    "绿色的",
    "黄色的",
    "白色的",
    "黑色的",
    "大",
    "小",
    "这",
    "那",
)
GENERAL_WORDS = (
    "of",
    "in",
    "on",
    "and",
    "with",
    "picture",
    "image",
    "photo",
    "object",
    "all",
    "every",
    "it",
    "there",
)


def names_of(noun: Noun) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all names of a noun, English and Chinese.

    The usual one comes first, the English plural second.
    """
    synonyms = OTHER_NAMES.get(noun.english, ())
    english = (noun.english, noun.plural, *(n for n in synonyms if n.isascii()))
    return english, (noun.chinese, *(n for n in synonyms if not n.isascii()))


@cache
def noun_called(phrase: str) -> int | None:
    """Return the index of the noun that goes by exactly this name, or None."""
    noun = by_name().get(phrase.lower())
    if noun is not None:
        return noun.index
    for noun in nouns():
        if any(phrase in names for names in names_of(noun)):
            return noun.index
    return None


def write_phrase(rng: np.random.Generator, noun: Noun, chinese: bool) -> str:
    """Write a phrase that asks for a noun, lower case, without a full stop."""
    english_names, chinese_names = names_of(noun)
    if chinese:
        name = _mostly_first(rng, chinese_names, 0.7)
        kind = rng.random()
        if kind < 0.12:
            return f"一{noun.measure}{name}"
        return CHINESE_BEFORE[int(rng.integers(len(CHINESE_BEFORE)))] + name if kind < 0.2 else name
    name = _mostly_first(rng, english_names, 0.6)
    if rng.random() < 0.15:
        name = f"{ADJECTIVES[int(rng.integers(len(ADJECTIVES)))]} {name}"
    if rng.random() < 0.25:
        name = f"{ARTICLES[int(rng.integers(len(ARTICLES)))]} {name}"
    return name


def _mostly_first(rng: np.random.Generator, names: tuple[str, ...], share: float) -> str:
    if len(names) == 1 or rng.random() < share:
        return names[0]
    return names[1 + int(rng.integers(len(names) - 1))]


@cache
def vocabulary_tokens() -> tuple[str, ...]:
    """Return the tokens in the order of their ids.

    The fixed ones keep their places; then come whole words, then letters and characters.
    """
    english: set[str] = {*ARTICLES, *ADJECTIVES, *GENERAL_WORDS}
    chinese: set[str] = set(CHINESE_BEFORE)
    for noun in nouns():
        names, foreign = names_of(noun)
        english.update(word for name in names for word in name.split())
        chinese.update((*foreign, f"一{noun.measure}", noun.measure))
    characters = sorted({c for word in chinese for c in word})
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789", *characters]
    words = [*sorted(english), *sorted(chinese), *letters, *",!-'，。？"]
    # a noun may stand at the end of an unbroken Chinese phrase
    inner = [f"##{w}" for w in (*sorted(chinese), *letters, "s", "es")]
    free = iter(dict.fromkeys(w for w in (*words, *inner) if w not in FIXED_IDS))
    places = {number: token for token, number in FIXED_IDS.items()}
    tokens: list[str] = []
    for number in range(max(FIXED_IDS.values()) + 1):
        if number in places:
            tokens.append(places[number])
        elif number < 104:
            tokens.append(f"[unused{number}]")
        else:
            tokens.append(next(free, f"[unused{number}]"))
    return (*tokens, *free)


@cache
def nouns_of_tokens() -> dict[int, int]:
    """Map token ids to the noun they stand for.

    Whole names come first, then words of longer names that occur in no other noun's.
    """
    numbers = {token: number for number, token in enumerate(vocabulary_tokens())}
    owned: dict[int, int] = {}
    parts: dict[int, set[int]] = {}
    for noun in nouns():
        english, chinese = names_of(noun)
        owned.update({numbers[f"##{name}"]: noun.index for name in chinese})
        for name in (*english, *chinese):
            ids = phrase_ids(name)
            if len(ids) == 1:
                owned[ids[0]] = noun.index
            for token in ids:
                parts.setdefault(token, set()).add(noun.index)
    single = {token: min(noun_set) for token, noun_set in parts.items() if len(noun_set) == 1}
    return {**single, **owned}


@cache
def detector_tokenizer() -> BertTokenizer:
    """Return the tokenizer that is trained with and shipped."""
    table = {token: number for number, token in enumerate(vocabulary_tokens())}
    return BertTokenizer(vocab=table, tokenize_chinese_chars=False, model_max_length=96)


@cache
def phrase_ids(phrase: str) -> tuple[int, ...]:
    """Return the token ids of one phrase, without those around a caption."""
    ids = detector_tokenizer()(phrase, add_special_tokens=False)["input_ids"]
    return tuple(int(i) for i in ids)
