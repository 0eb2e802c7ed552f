"""Words that say that something is not there, and words that only look so."""

import pytest

from segue.prompting.absence import says_absent, says_present, says_yes_or_no

ABSENT = """
basketball | There is no basketball in the picture.
dogs | There's no dog here.
red car | I can't see any red car in this image.
dog | I don't see a dog.
dog | There isn't a dog in the image.
dog | There are no dogs.
dog | There aren't any dogs in the picture.
dog | I couldn’t find a dog.
dog | The dog is not in the picture.
the dog | The dog isn't visible.
unicorn | No unicorn was found.
bus | The image does not contain a bus.
bus | The bus cannot be seen.
bus | A bus does not appear in the picture.
bus | The bus is missing.
airplane | Unable to locate the airplane.
dog | I see one cat, but there is no dog.
苹果 | 图片里没有苹果。
飞机 | 图中未发现飞机
飞机 | 飞机不在图片里。
猫 | 图中有一只狗，没有猫。
汽车 | 我没有看到红色的汽车。
狗 | 抱歉，找不到您说的狗。
"""
NOT_ABSENT = """
cat | I see one cat, but there is no dog.
dog | The dog is not red.
dog | The dog is in the picture.
dog | There is a dog, no doubt.
dog | The dog is not on the sofa but on the chair.
dog | There is no need to worry: the dog is here.
dog | No, the dog is on the left.
dog | It is not a cat but a dog.
dog | There is no cat but a dog.
dog | This is not a dog.
狗 | 图中有一只狗，没有猫。
飞机 | 没有问题，飞机在这里。
飞机 | 这是飞机。
"""


def cases(table):
    return [line.split(" | ") for line in table.strip().splitlines()]


@pytest.mark.parametrize(("phrase", "text"), cases(ABSENT))
def test_a_denial_is_read(phrase, text):
    assert says_absent(text, phrase)


@pytest.mark.parametrize(("phrase", "text"), cases(NOT_ABSENT))
def test_other_words_are_no_denial(phrase, text):
    assert not says_absent(text, phrase)


def test_without_words_there_is_no_denial():
    assert not says_absent("", "dog")
    assert not says_absent("There is none.", " ")
    assert not says_absent("没有。", "。")


PRESENT = """
cat | Yes, there is a cat.
the cat | The cat is on the sofa.
dogs | A cat and a dog on grass.
cat | I can see two cats.
猫 | 图中有一只猫。
猫 | 猫在沙发的左边。
"""
NOT_PRESENT = """
cat | cat, dog
cat | I cannot tell whether there is a cat.
cat | Is there a cat?
cat | There is a dog. I see no cat.
cat | There might be a cat.
猫 | 图片里没有猫。
猫 | 有没有猫不清楚。
狗 | 图中有猫吗？
"""


@pytest.mark.parametrize(("phrase", "text"), cases(PRESENT))
def test_a_statement_is_read(phrase, text):
    assert says_present(text, phrase)


@pytest.mark.parametrize(("phrase", "text"), [*cases(NOT_PRESENT), *cases(ABSENT)])
def test_what_is_denied_doubted_or_asked_is_no_statement(phrase, text):
    assert not says_present(text, phrase)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Yes.", True), ("是的。", True), ("有,在左边。", True), ("No, there is not.", False),
     ("没有。", False), ("Nothing is there.", None), ("有人说没有。", None), ("", None)],
)  # fmt: skip
def test_yes_and_no_are_read_at_the_beginning(text, expected):
    assert says_yes_or_no(text) is expected
