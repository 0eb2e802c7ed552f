"""Time to the first word: a second turn with the cache, against re-reading everything."""

from collections.abc import Sequence

from benchmarks.timing import Ratio, median_after
from segue.assistant.loading import load_stage
from segue.embedded.samples import samples
from segue.values.message import Message, Sampling

QUESTIONS = ("What is in the picture?", "框出图片中飞机的位置")
GREEDY = Sampling(temperature=0)
ROUNDS = 15


def main() -> None:
    """Print both ratios."""
    chat = load_stage("chat", "embedded-chat")
    image = samples()[0].image
    first = [Message("user", QUESTIONS[0], (image,))]
    reply = "".join(chat.stream(first, GREEDY))
    second = [*first, Message("assistant", reply), Message("user", QUESTIONS[1])]

    def first_word(messages: Sequence[Message]) -> None:
        stream = chat.stream(messages, GREEDY)
        next(stream)
        stream.close()

    def after_turn_one() -> None:
        chat.forget()
        "".join(chat.stream(first, GREEDY))

    cached = median_after(after_turn_one, lambda: first_word(second), ROUNDS)
    reread = median_after(chat.forget, lambda: first_word(second), ROUNDS)
    turn_one = median_after(chat.forget, lambda: first_word(first), ROUNDS)
    print(Ratio("first word of turn 2", "cached", "re-reading everything", cached, reread))
    print(Ratio("first word", "turn 2, cached", "turn 1", cached, turn_one))
