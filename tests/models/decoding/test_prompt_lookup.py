from segue.models.decoding.prompt_lookup import PromptLookup

DIGITS = range(10)
OPEN, COMMA, CLOSE, WORD, OTHER = 50, 51, 52, 60, 61


def guesses_along(lookup: PromptLookup, tokens: list[int]) -> list[list[int]]:
    found = []
    for token in tokens:
        lookup.add(token)
        found.append(list(lookup.guess()))
    return found


def test_nothing_is_guessed_from_nothing():
    assert guesses_along(PromptLookup(DIGITS), [WORD, OTHER, 3]) == [[], [], []]


def test_what_stood_behind_the_same_tokens_is_guessed_up_to_a_digit():
    lookup = PromptLookup(DIGITS, [WORD, OTHER, OPEN, 1, 2, COMMA, 3, CLOSE])
    assert guesses_along(lookup, [WORD, OTHER]) == [[], [OPEN]]


def test_a_number_may_end_behind_each_of_its_digits():
    lookup = PromptLookup(DIGITS, [OPEN, 1, COMMA, 2, CLOSE, WORD])
    tokens = [OPEN, 7, 8, 9, COMMA, 4, 5]
    end = [CLOSE, WORD, OPEN]
    assert guesses_along(lookup, tokens) == [[], [COMMA], [COMMA], [COMMA], [], end, end]


def test_the_latest_occurrence_counts_among_equally_long_ones():
    lookup = PromptLookup(DIGITS, [WORD, OPEN, COMMA, WORD, OPEN, CLOSE])
    assert guesses_along(lookup, [WORD, OPEN])[-1][:1] == [CLOSE]


def test_a_longer_occurrence_counts_before_a_later_one():
    lookup = PromptLookup(DIGITS, [OTHER, WORD, OPEN, COMMA, CLOSE, WORD, OPEN, CLOSE])
    assert guesses_along(lookup, [OTHER, WORD, OPEN])[-1][:1] == [COMMA]
