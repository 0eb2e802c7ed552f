"""Which picture a question names, in both languages, and what only looks like a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.prompting.intent import parse_intent
from segue.prompting.picture_reference import find_picture_reference

TWO = ["airport.png", "meadow.png"]
THREE = ["airport.png", "meadow.png", "dog.jpg"]


@pytest.mark.parametrize(
    ("question", "indexes"),
    [
        ("Segment the airplane in picture 1.", (0,)),
        ("Segment the airplane in image 2", (1,)),
        ("segment the airplane in Image-1", (0,)),
        ("in photo #2, frame the dog", (1,)),
        ("What is in picture number two?", (1,)),
        ("Where is the dog in the first photo?", (0,)),
        ("Where is the dog in the 2nd image?", (1,)),
        ("the second picture: what is it?", (1,)),
        ("frame the dog in the last picture", (1,)),
        ("frame the airplane in the previous photo", (0,)),
        ("frame the airplane in the other picture", (0,)),
        ("mask the airplane in the left image", (0,)),
        ("mask the airplane in the left-hand image", (0,)),
        ("mask the dog in the picture on the right", (1,)),
        ("find the dogs in both pictures", (0, 1)),
        ("find the dogs in all the images", (0, 1)),
        ("find the dogs in each picture", (0, 1)),
        ("compare pictures 1 and 2", (0, 1)),
        ("is the dog of picture 1 also in picture 2?", (0, 1)),
        ("frame the airplane in airport.png", (0,)),
        ("frame the dog in the picture 'meadow'", (1,)),
        ("frame the dog in the meadow picture", (1,)),
        ("图1里的飞机", (0,)),
        ("框出图2中的狗", (1,)),
        ("框出图片2中的狗", (1,)),
        ("图二里有什么?", (1,)),
        ("第一张图里的飞机在哪里", (0,)),
        ("第二张里有狗吗", (1,)),
        ("分割第2幅图像中的羊", (1,)),
        ("左边那张里的飞机", (0,)),
        ("右边的照片里有什么", (1,)),
        ("最后一张图里的狗", (1,)),
        ("上一张照片里的飞机", (0,)),
        ("另一张图里的飞机", (0,)),
        ("两张图里的狗", (0, 1)),
        ("分割所有图片中的狗", (0, 1)),
        ("airport.png里的飞机", (0,)),
        ("分割“meadow”里的羊", (1,)),
    ],
)
def test_named_pictures_are_found(question, indexes):
    assert find_picture_reference(question, TWO).indexes == indexes


@pytest.mark.parametrize(
    "question",
    [
        "Segment the airplane in the picture.",
        "Segment the airplane in this image.",
        "Frame the picture on the wall.",
        "Segment the second dog.",
        "the left one",
        "How many pictures are there?",
        "What does the photo show?",
        "segment the dog at the meadow",
        "I took 2 pictures",
        "两只狗在哪里",
        "第二张桌子在哪里",
        "左边那张椅子",
        "框出图片中的两只狗",
        "图片里有三个杯子吗",
        "这张图里有什么",
        "中间的狗",
    ],
)
def test_other_questions_name_none(question):
    reference = find_picture_reference(question, TWO)
    assert reference.indexes == ()
    assert reference.neutral == reference.numbered == question


@pytest.mark.parametrize(
    ("question", "indexes"),
    [
        ("the middle picture", (1,)),
        ("the picture in the middle", (1,)),
        ("中间那张图里的羊", (1,)),
        ("the last image", (2,)),
        ("the previous image", (1,)),
        ("右边那张图", (2,)),
        ("pictures 1, 2 and 3", (0, 1, 2)),
        ("the other picture", ()),
        ("Segment the dog.", ()),
        ("dog.jpg", (2,)),
        ("segment the dog in 'dog'", (2,)),
    ],
)
def test_three_pictures(question, indexes):
    assert find_picture_reference(question, THREE).indexes == indexes


def test_a_single_picture_is_never_named():
    assert find_picture_reference("what is on picture 7?", ["page.png"]).indexes == ()


@pytest.mark.parametrize("question", ["the dog in picture 3", "第三张图里的狗", "图9"])
def test_a_number_that_does_not_exist_is_refused(question):
    with pytest.raises(InputError, match=r"There is no picture \d; the conversation has 2"):
        find_picture_reference(question, TWO)


@pytest.mark.parametrize(
    ("question", "phrases"),
    [
        ("Segment the airplane in picture 1.", ("airplane",)),
        ("In picture 1, segment the airplane.", ("airplane",)),
        ("Can you find all the dogs in both pictures?", ("dogs",)),
        ("Where is the dog in the first photo?", ("dog",)),
        ("frame the airplane in airport.png", ("airplane",)),
        ("mask the dog in the picture on the right", ("dog",)),
        ("框出图1中飞机的位置", ("飞机",)),
        ("框出第二张里的狗", ("狗",)),
        ("第一张图里的飞机在哪里", ("飞机",)),
        ("分割左边那张图里的飞机", ("飞机",)),
        ("图1里的飞机在哪里?", ("飞机",)),
    ],
)
def test_the_neutral_question_names_the_same_things(question, phrases):
    intent = parse_intent(find_picture_reference(question, TWO).neutral)
    assert (intent.phrases, intent.relational) == (phrases, False)


def test_models_are_told_numbers_in_place_of_file_names_and_sides():
    assert find_picture_reference("frame the dog in the left photo", TWO).numbered == (
        "frame the dog in picture 1"
    )
    assert find_picture_reference("分割右边那张里的羊", TWO).numbered == "分割图2里的羊"
    assert find_picture_reference("the dog in the second image", TWO).numbered == (
        "the dog in the second image"
    )


@given(st.text(max_size=80), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_is_read(text, names):
    try:
        reference = find_picture_reference(text, names)
    except InputError:
        return
    assert all(0 <= index < len(names) for index in reference.indexes)
    if not reference.indexes:
        assert reference.neutral == text
