"""The embedded chat model's vocabulary, as byte-pair ranks for the native Qwen-VL tokenizer.

What matters is that a noun is one and the same token wherever it stands: after a space, at the
start of `<ref>`, after the `>` of `<gsam>`, before a plural "s", inside a Chinese sentence. The
tokenizer's split glues one leading non-letter to a word (" dog", ">dog"), so no merge may begin
with such a character, except a few function words taken whole. Merges of nouns come first, so
nothing learned later can cut through them.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import regex

from lab.language.dialogues import KINDS, TAG_KINDS, Narrator
from lab.language.follow_ups import wordings
from lab.language.phrasing import lower_first
from lab.language.questions import CHINESE, ENGLISH, ENGLISH_TAILS
from lab.language.small_talk import all_texts
from lab.language.turn import Thing
from lab.scenes import backgrounds
from lab.scenes.vocabulary import nouns
from segue.models.qwen_vl.tokenizer import SPLIT, QwenVLTokenizer

Ranks = dict[bytes, int]
Word = tuple[bytes, ...]
Pair = tuple[bytes, bytes]

_WHOLE_WORDS = (
    " the| picture| image| shows| there| background| left| right| middle| bottom| many| Picture"
    "| are| and| all| box| boxes| objects| location| mask| bounding| around| with| pair| bunch| is"
    "| of| at| two| three| four| five| helpful| assistant| Can| you| this| what| there"
)
"""Words taken whole with the space before them."""
_TAG_PIECES = ("<gsam", "</")
_PIECES = regex.compile(SPLIT)
_TAGS = regex.compile(r"</?(?:ref|box)>")


def build_ranks(size: int = 1700, seed: int = 0, leave_out: Collection[str] = ()) -> Ranks:
    """Make the vocabulary: about `size` entries, the same for the same seed.

    Turns of the kinds in `leave_out` are not read for it; without the turns that have the tag,
    the tag has no entry of its own.
    """
    ranks: Ranks = {bytes([value]): value for value in range(256)}
    kinds = [kind for kind in KINDS if kind not in leave_out]
    corpus = _corpus(seed, kinds)
    tag_pieces = _TAG_PIECES if any(kind in TAG_KINDS for kind in kinds) else ()
    _add_characters(ranks, corpus)
    _add_nouns(ranks)
    fixed = set(noun_tokens(ranks))
    _add_frequent(ranks, corpus, size - len(_WHOLE_WORDS.split("|")) - len(tag_pieces), fixed)
    for piece in [*_last_words(), *_place_words(), *_WHOLE_WORDS.split("|"), *tag_pieces]:
        ranks.setdefault(piece.encode(), len(ranks))
    for piece in _words_hiding_nouns(ranks):
        ranks.setdefault(piece.encode(), len(ranks))
    return ranks


def _words_hiding_nouns(ranks: Ranks) -> list[str]:
    """Return words of the questions that would be cut so that a noun shows ("W-hat")."""
    names = {name for noun in nouns() for name in (noun.english, noun.plural, noun.chinese)}
    texts = [text for group in (*ENGLISH.values(), *CHINESE.values()) for text in group]
    texts += [*wordings(), *all_texts(), *ENGLISH_TAILS]
    texts += [lower_first(text) for text in texts]
    texts += [*backgrounds.ENGLISH.values(), *backgrounds.CHINESE.values()]
    noun_pieces, words = set(noun_tokens(ranks)), set()
    for text in texts:
        for piece in _PIECES.findall(regex.sub(r"{\w+}", " ", text)):
            word = piece.strip()
            hides = any(token in noun_pieces for token in encode(word.encode(), ranks))
            if hides and word not in names:
                words |= {word, f" {word}"} if word.isascii() else {word}
    return sorted(words)


def noun_tokens(ranks: Ranks) -> dict[bytes, int]:
    """Map the token that stands for each noun to the noun's index.

    Of an English noun of two words it is the last one, with its space; irregular plurals have
    tokens of their own.
    """
    table: dict[bytes, int] = {}
    for noun in nouns():
        names = [noun.english, noun.chinese]
        if not noun.plural.startswith(noun.english):
            names.append(noun.plural)
        for name in names:
            first, *last_words = name.split(" ")
            table[(f" {last_words[-1]}" if last_words else first).encode()] = noun.index
        if " " in noun.plural:
            table[f" {noun.plural.split(' ')[-1]}".encode()] = noun.index
    return table


def noun_ids(tokenizer: QwenVLTokenizer) -> dict[int, int]:
    """Map token ids to noun indices; see `noun_tokens`."""
    return {tokenizer.ranks[token]: noun for token, noun in noun_tokens(tokenizer.ranks).items()}


def _last_words() -> list[str]:
    """Return the second words of two-word nouns, with their space, singular and plural."""
    names = [name for noun in nouns() for name in (noun.english, noun.plural) if " " in name]
    return sorted({f" {name.split(' ')[-1]}" for name in names})


def _place_words() -> list[str]:
    """Return the longer words that name a background, with their space."""
    words = {word for text in backgrounds.ENGLISH.values() for word in text.split(" ")}
    names = {name for noun in nouns() for name in (noun.english, noun.plural)}
    return sorted(f" {word}" for word in words - names if len(word) > 4)


def _corpus(seed: int, kinds: Sequence[str]) -> Counter[str]:
    """Count the pieces of many made-up dialogues."""
    rng = np.random.default_rng(seed)
    pieces: Counter[str] = Counter()
    frame = _PIECES.findall(
        "<|im_start|> system\nYou are a helpful assistant. user\nPicture 1: assistant\n"
    )
    for number in range(6000):
        values = rng.integers(0, 1000, (int(rng.integers(1, 6)), 4))
        things = [
            Thing(int(rng.integers(len(nouns()))), (int(a), int(b), int(c), int(d)), row, row)
            for row, (a, b, c, d) in enumerate(values)
        ]
        background = backgrounds.NAMES[rng.integers(len(backgrounds.NAMES))]
        narrator = Narrator(things, background, rng)
        turn = narrator.ask(kinds[number % len(kinds)], bool(rng.random() < 0.5))
        if turn is not None:
            pieces.update(_PIECES.findall(turn.question))
            text = _TAGS.sub(" | ", turn.answer)
            pieces.update(piece for piece in _PIECES.findall(text) if "|" not in piece)
        pieces.update(frame)
    return pieces


def _add_characters(ranks: Ranks, corpus: Counter[str]) -> None:
    """Add one token for each character that takes several bytes."""
    text = "".join(noun.chinese + noun.measure for noun in nouns()) + "".join(corpus)
    characters = sorted({character.encode() for character in text if ord(character) > 127})
    for length in (2, 3, 4):
        for character in characters:
            if len(character) >= length:
                ranks.setdefault(character[:length], len(ranks))


def _add_nouns(ranks: Ranks) -> None:
    """Add merges until every noun is one token, never across the border to its plural."""
    words: list[tuple[str, int]] = []
    for noun in nouns():
        for name in (noun.english, noun.plural):
            first = name.split(" ")[0]
            stem = noun.english.split(" ")[0]
            words.append((first, len(stem) if first.startswith(stem) else len(first)))
        words.append((noun.chinese, len(noun.chinese)))
    parts = {(word, border): encode(word.encode(), ranks) for word, border in words}
    while True:
        pair = _safe_pair(parts)
        if pair is None:
            return
        ranks.setdefault(pair[0] + pair[1], len(ranks))
        parts = {key: merge(word, pair) for key, word in parts.items()}


def _safe_pair(parts: dict[tuple[str, int], Word]) -> Pair | None:
    """Return the most frequent pair inside noun stems that crosses no stem's end."""
    counts: Counter[Pair] = Counter()
    forbidden: set[Pair] = set()
    for (word, border), tokens in parts.items():
        stem, at = len(word[:border].encode()), 0
        for left, right in itertools.pairwise(tokens):
            at += len(left)
            if at + len(right) <= stem:
                counts[left, right] += 1
            else:
                forbidden.add((left, right))
    allowed = [(count, pair) for pair, count in counts.items() if pair not in forbidden]
    return max(allowed)[1] if allowed else None


def _add_frequent(ranks: Ranks, corpus: Counter[str], size: int, fixed: set[bytes]) -> None:
    """Add ordinary byte-pair merges on the corpus, leaving the noun tokens as they are."""
    parts: Counter[Word] = Counter()
    for piece, count in corpus.items():
        for part in _between(encode(piece.encode(), ranks), fixed):
            parts[part] += count
    tally = _PairTally(fixed)
    for part, count in parts.items():
        if count > 2:
            tally.add(part, count)
    while len(ranks) < size:
        count, best = max(zip(tally.counts.values(), tally.counts), default=(0, (b"", b"")))
        if count < 2:
            return
        ranks[best[0] + best[1]] = len(ranks)
        tally.join(best)


class _PairTally:
    """How often each pair that may be merged stands in some words; kept true while they change."""

    def __init__(self, fixed: set[bytes]) -> None:
        self.fixed = fixed
        self.words: Counter[Word] = Counter()
        self.counts: Counter[Pair] = Counter()
        self.places: defaultdict[Pair, set[Word]] = defaultdict(set)
        """The words that a pair stands in, and perhaps some that are gone."""

    def add(self, word: Word, count: int) -> None:
        """Count a word so many times more; a negative number takes it out."""
        self.words[word] += count
        for pair in itertools.pairwise(word):
            if _may_merge(*pair, self.fixed):
                self.counts[pair] += count
                self.places[pair].add(word)

    def join(self, pair: Pair) -> None:
        """Merge a pair in all words."""
        for word in self.places.pop(pair):
            if count := self.words[word]:
                self.add(word, -count)
                self.add(merge(word, pair), count)
        del self.counts[pair]


def _between(word: Word, fixed: set[bytes]) -> list[Word]:
    """Return the stretches of a word between noun tokens."""
    stretches: list[list[bytes]] = [[]]
    for token in word:
        if token in fixed:
            stretches.append([])
        else:
            stretches[-1].append(token)
    return [tuple(stretch) for stretch in stretches if len(stretch) > 1]


def _may_merge(left: bytes, right: bytes, fixed: set[bytes]) -> bool:
    if left in fixed or right in fixed or left[:1] in (b" ", b">", b"<"):
        return False
    word = left[-1:].isalpha() or left[-1] > 127
    return word == (right[:1].isalpha() or right[0] > 127)


def encode(piece: bytes, ranks: Ranks) -> Word:
    """Split one piece as the tokenizer does: whole if it is known, else by rank."""
    if piece in ranks:
        return (piece,)
    word: Word = tuple(bytes([value]) for value in piece)
    while len(word) > 1:
        pairs = list(itertools.pairwise(word))
        best = min(pairs, key=lambda pair: ranks.get(pair[0] + pair[1], len(ranks)))
        if best[0] + best[1] not in ranks:
            break
        word = merge(word, best)
    return word


def merge(word: Sequence[bytes], pair: Pair) -> Word:
    """Join every occurrence of `pair`, from the left."""
    joined: list[bytes] = []
    for token in word:
        if joined and (joined[-1], token) == pair:
            joined[-1] += token
        else:
            joined.append(token)
    return tuple(joined)


def check_nouns(tokenizer: QwenVLTokenizer, contexts: Iterable[str] = ()) -> list[str]:
    """Return names of nouns that are not their own token in some context.

    `contexts` are templates with `{}` for the name, beside the built-in ones.
    """
    ids = noun_ids(tokenizer)
    failures = []
    english = ("{}", "the {}", "<gsam>{}</gsam>", "two {}s.", "{}.", "{}?", *contexts)
    chinese = ("{}", "框出图片中{}的位置", "图里有{}吗?", "把{}分割出来", "一只{}和", *contexts)
    for noun in nouns():
        cases = [(noun.english, english), (noun.chinese, chinese), (noun.plural, ("{}", " {}."))]
        for name, templates in cases:
            for template in templates:
                noun_indices = [ids.get(token) for token in tokenizer.encode(template.format(name))]
                if noun.index not in noun_indices:
                    failures.append(template.format(name))
    return failures
