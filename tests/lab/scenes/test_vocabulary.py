"""The vocabulary of the embedded models."""

from lab.scenes.vocabulary import by_name, nouns


def test_there_are_96_nouns_and_no_name_is_used_twice() -> None:
    assert len(nouns()) == 96
    assert len({noun.english for noun in nouns()}) == 96
    assert len({noun.chinese for noun in nouns()}) == 96


def test_every_drawing_has_a_code_point_and_a_name() -> None:
    assert all(len(noun.codepoints) == len(noun.names) >= 1 for noun in nouns())


def test_a_noun_is_found_by_any_of_its_names() -> None:
    airplane = by_name()["airplane"]
    assert airplane is by_name()["airplanes"] is by_name()["飞机"]
    assert airplane.measure == "架"
