"""When two phrases mean one thing."""

import json

import pytest

from segue.errors import InputError
from segue.prompting.synonyms import Synonyms, singularise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("airplane", "The Aeroplanes"), ("airplane", "飞机"), ("couch", "a sofa"),
        ("tv", "television"), ("people", "person"), ("red cars", "red car"),
        ("stoplights", "traffic light"), ("traffic-light", "红绿灯"), ("boxes", "box"),
        ("berries", "berry"), ("buses", "bus"), ("horses", "horse"), ("glasses", "eyeglasses"),
        ("vases", "vase"), ("dishes", "dish"), ("sizes", "size"), ("shoes", "shoe"),
            ("tomatoes", "tomato"), ("houses", "house"), ("knives", "knife"),
    ],
)  # fmt: skip
def test_these_mean_the_same(one, other):
    words = Synonyms()
    assert words.canonical(one) == words.canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("red car", "car"), ("dog", "cat"), ("man", "woman"), ("bus", "bu"), ("", "a")],
)
def test_these_do_not(one, other):
    words = Synonyms()
    assert words.canonical(one) != words.canonical(other) or one == ""


@pytest.mark.parametrize("word", ["bus", "glass", "scissors", "gas", "tennis", "女孩", "cactus"])
def test_what_is_no_plural_stays(word):
    assert singularise(word) == word


def test_groups_can_be_added(tmp_path):
    file = tmp_path / "words.json"
    file.write_text(json.dumps([["tram", "streetcar", "有轨电车"], ["plane", "jumbo"]]))
    words = Synonyms.read(file)
    assert words.canonical("Streetcars") == words.canonical("有轨电车")
    assert words.canonical("jumbo") == words.canonical("飞机")


@pytest.mark.parametrize("text", ["words", "{}", '["a"]', "[[1]]"])
def test_files_of_another_form_are_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError):
        Synonyms.read(tmp_path / "x.json")
