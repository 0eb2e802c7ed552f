"""What a question and its answer speak of, so that it can be marked afterwards."""

import re

from segue.prompting.intent import parse_intent
from segue.prompting.synonyms import known_objects


def spoken_of(question: str, text: str) -> tuple[str, ...]:
    """Return the phrases that a turn speaks of, in the order in which they come.

    Args:
        question: what the user typed; what it asks for goes first.
        text: the clean text of the answer; known objects in it are taken when the question
            names nothing.

    >>> spoken_of("Is there a dog?", "Yes, there is a dog on the grass.")
    ('dog',)
    >>> spoken_of("What is this?", "Two dogs and a red car. 还有一架飞机。")
    ('dogs', 'car', '飞机')
    """
    intent = parse_intent(question)
    if named := intent.phrases or intent.mentioned:
        return named
    objects: dict[str, str] = {}
    for sentence in re.split(r"(?<=[.。!！?？\n])", text):
        for name, phrase in known_objects(sentence):
            objects.setdefault(name, phrase)
    return tuple(objects.values())
