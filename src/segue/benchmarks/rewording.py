"""Other wordings of a referring expression, by rule, that mean the same.

The rules know English. They are fixed, so that a sweep can be repeated; what they cannot change
stays as it is.
"""

import re

SYNONYMS = {
    "airplane": "aeroplane",
    "behind": "in back of",
    "beside": "next to",
    "big": "large",
    "bike": "bicycle",
    "boy": "young lad",
    "car": "automobile",
    "couch": "sofa",
    "cup": "mug",
    "girl": "young lass",
    "guy": "man",
    "kid": "child",
    "lady": "woman",
    "large": "big",
    "leftmost": "farthest left",
    "little": "small",
    "man": "guy",
    "motorbike": "motorcycle",
    "near": "close to",
    "person": "individual",
    "phone": "telephone",
    "plane": "airplane",
    "rightmost": "farthest right",
    "small": "little",
    "sofa": "couch",
    "tv": "television",
    "woman": "lady",
}
"""A word -> another one for the same thing."""

_ARTICLE = re.compile(r"^(?:the|an?) ", re.IGNORECASE)
_PLACE = re.compile(
    r"(?<=\w) (?=(?:in|on|at|near|behind|beside|under|above|wearing|holding|next to)\b)"
)
_WORD = re.compile(r"[A-Za-z]+")


def reword(phrase: str, level: int) -> str:
    """Word a phrase differently.

    Args:
        phrase: a referring expression.
        level: 1: the article is dropped, or put where there is none; 2: what tells the object from
            others becomes a clause, too; 3: words are replaced by `SYNONYMS`, too.

    Returns:
        The new wording; the phrase itself where it is not English.

    >>> [reword("man in a red car", level) for level in (1, 2, 3)]
    ['the man in a red car', 'the man that is in a red car', 'the guy that is in a red automobile']
    >>> reword("The leftmost cup", 1), reword("左边的杯子", 3)
    ('leftmost cup', '左边的杯子')
    """
    if not phrase.isascii() or not _WORD.search(phrase):
        return phrase
    bare = _ARTICLE.sub("", phrase)
    phrase = bare if bare != phrase else f"the {phrase}"
    if level >= 2 and " is " not in phrase:
        phrase = _PLACE.sub(" that is ", phrase, count=1)
    if level >= 3:
        phrase = _WORD.sub(lambda word: SYNONYMS.get(word[0].lower(), word[0]), phrase)
    return phrase
