"""Small talk: what people say that is not a question about the image.

The answers are short and fixed. They never hold a tag, a box or a description, which is the point
of teaching them. Some wordings are held out of training, to measure with.
"""

from dataclasses import dataclass

import numpy as np


def _lines(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|"))


@dataclass(frozen=True)
class Wordings:
    """One intent in one language: what people say, what is kept for measuring, the answer."""

    trained: tuple[str, ...]
    held_out: tuple[str, ...]
    answer: str


ENGLISH: dict[str, Wordings] = {
    "greeting": Wordings(
        _lines("hello|Hi|Hi!|hey|Hello there|Hi there!|Good morning|Good evening|Hello, assistant")
        + _lines("How are you?|Hi, how are you?|How are you doing?"),
        _lines("hey there|Good afternoon|hello hello|Hello, how are you?"),
        "Hello!",
    ),
    "thanks": Wordings(
        _lines("thanks|Thank you|Thanks a lot|thank you very much|Many thanks!|thx|Thanks!"),
        _lines("thank you so much|ok thanks|cheers, thanks"),
        "You are welcome.",
    ),
    "abilities": Wordings(
        _lines("Who are you?|What are you?|What is your name?|Tell me about yourself|who r u?")
        + _lines("Are you a robot?|Are you a model?|What model are you?|help|Help me|Help!")
        + _lines("What can you do?|How can you help me?|What do you know?|How do you work?")
        + _lines("What are you able to do?|What can I ask you?"),
        _lines("who are you really?|what's your name?|Are you an AI?|What else can you do?")
        + _lines("how can I use you?|what can I ask?"),
        "I can describe, frame and segment.",
    ),
    "praise": Wordings(
        _lines("Good job|good job!|Well done|Great!|Very good|Nice work|Perfect|You are right")
        + _lines("Excellent!|Cool|wow|nice"),
        _lines("Great job|good work!|very nice"),
        "Thank you!",
    ),
    "blame": Wordings(
        _lines("It is wrong|Wrong|No, it is wrong|not right|You are wrong|bad answer|No, it isn't")
        + _lines("It's not correct|This is bad|wrong answer"),
        _lines("this is wrong|No, you are wrong|not correct"),
        "Sorry.",
    ),
    "assent": Wordings(
        _lines("ok|OK|okay|Yes|I see|Alright|sure|no|never mind|fine"),
        _lines("oh ok|okay then|ok, I see"),
        "All right.",
    ),
    "farewell": Wordings(
        _lines("bye|Bye!|Goodbye|Good bye|See you|See you later!|bye bye|Good night"),
        _lines("ok bye|goodbye then|see you soon"),
        "Bye!",
    ),
}

CHINESE: dict[str, Wordings] = {
    "greeting": Wordings(
        _lines("你好|你好！|您好|嗨|哈喽|早上好|晚上好|大家好|你好啊|你好吗？|最近怎么样?"),
        _lines("你好呀|下午好|嗨，你好|你最近好吗？"),
        "你好。",
    ),
    "thanks": Wordings(
        _lines("谢谢|谢谢！|谢谢你|多谢|非常感谢|感谢|太谢谢了|谢谢您"),
        _lines("谢谢啦|好的谢谢|十分感谢"),
        "没什么。",
    ),
    "abilities": Wordings(
        _lines(
            "你是谁？|你是谁|你是什么？|你叫什么名字？|介绍一下你自己|你是机器人吗？|你是模型吗?"
        )
        + _lines("你能做什么？|你能做什么|你会什么？|你会做什么?|怎么用？|帮助|你能帮我做什么？")
        + _lines("我可以问什么？"),
        _lines(
            "请问你是谁？|你叫什么？|你是人工智能吗？|你还能做什么？|你都会什么？|可以问你什么?"
        ),
        "我能描述图片、框出和分割物体。",
    ),
    "praise": Wordings(
        _lines("很好|真棒|太棒了！|做得好|不错|厉害|对的|完美|真厉害"),
        _lines("真不错|你真棒|做得很好"),
        "好的。",
    ),
    "blame": Wordings(
        _lines("不对|错了|你错了|这不对|这是错的|不正确|答错了"),
        _lines("好像不对|你说错了|不是这样"),
        "抱歉。",
    ),
    "assent": Wordings(
        _lines("好的|好|嗯|知道了|是的|明白了|行|可以|没事了"),
        _lines("好吧|嗯嗯|我知道了"),
        "好的。",
    ),
    "farewell": Wordings(
        _lines("再见|再见！|拜拜|回头见|晚安|下次见|再会"),
        _lines("那再见|拜拜啦|明天见"),
        "再见。",
    ),
}

ANSWERS = frozenset(intent.answer for table in (ENGLISH, CHINESE) for intent in table.values())
"""Every answer that small talk can get."""


def all_texts() -> tuple[str, ...]:
    """Return all wordings and answers, in both languages."""
    intents = [intent for table in (ENGLISH, CHINESE) for intent in table.values()]
    return tuple(
        text for intent in intents for text in (*intent.trained, *intent.held_out, intent.answer)
    )


def small_talk(
    rng: np.random.Generator, chinese: bool, *, held_out: bool = False
) -> tuple[str, str]:
    """Choose something people say, and the answer to it.

    `held_out` takes a wording that training never sees, written as it stands.
    """
    table = CHINESE if chinese else ENGLISH
    intent = table[list(table)[rng.integers(len(table))]]
    if held_out:
        return intent.held_out[rng.integers(len(intent.held_out))], intent.answer
    return add_typing_noise(intent.trained[rng.integers(len(intent.trained))], rng), intent.answer


def add_typing_noise(text: str, rng: np.random.Generator) -> str:
    """Write a text as people type it: any case, any end, now and then a slip."""
    share = rng.random()
    if share < 0.2:
        text = text.lower()
    elif share < 0.26:
        text = text.upper()
    elif share < 0.4:
        text = text[:1].upper() + text[1:]
    if rng.random() < 0.35:
        ends = ("", "", ".", "!", "~", "...") if text.isascii() else ("", "", "。", "！", "~", "…")
        text = text.rstrip(".!?！？。") + ends[rng.integers(len(ends))]
    if text.isascii() and len(text) > 4 and rng.random() < 0.12:
        at = int(rng.integers(1, len(text) - 1))
        slips = (
            text[:at] + text[at + 1 :],
            text[: at + 1] + text[at:],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        )
        text = slips[rng.integers(len(slips))]
    return text
