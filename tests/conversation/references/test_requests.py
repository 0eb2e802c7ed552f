"""What requests about objects ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.conversation.references.requests import read_request
from segue.edit import Edit


@pytest.mark.parametrize(
    ("text", "action", "operation", "target", "parameters"),
    [
        ("segment the left one", "point", "", "the left one", {}),
        ("Can you show me both?", "point", "", "both", {}),
        ("it在哪里", "point", "", "it", {}),
        ("blur all but the dog", "edit", "blur", "all but the dog", {"where": "rest"}),
        ("blur all dogs but the left one", "edit", "blur", "all dogs but the left one", {}),
        ("please make it dark blue", "edit", "recolour", "it", {"colour": "darkblue"}),
        ("turn the car black and white", "edit", "recolour", "the car", {}),
        ("colour it #ff0000", "edit", "recolour", "it", {"colour": "#ff0000"}),
        ("remove the dog from the picture", "edit", "erase", "the dog", {}),
        ("in the picture, blur the left one", "edit", "blur", "the left one", {}),
        ("the left one in the picture", "point", "", "the left one", {}),
        ("图片里左边那个", "point", "", "左边那个", {}),
        ("把图片中的狗擦掉", "edit", "erase", "狗", {}),
        ("remove the background", "edit", "cut_out", "everything", {}),
        ("put the dog on a white background", "edit", "background", "the dog",
         {"colour": "white"}),
        ("delete number 3", "delete", "", "number 3", {}),
        ("delete the mask of the dog", "delete", "", "the dog", {}),
        ("merge r1 and r2", "merge", "", "r1 and r2", {}),
        ("undo that", "undo", "", "", {}),
        ("把狗去掉", "edit", "erase", "狗", {}),
        ("把背景换成白色", "edit", "background", "全部", {"colour": "white"}),
        ("把左边那辆车涂成深蓝色", "edit", "recolour", "左边那辆车", {"colour": "darkblue"}),
        ("把它变成黑白", "edit", "recolour", "它", {}),
        ("删除狗的掩码", "delete", "", "狗", {}),
        ("合并两只狗", "merge", "", "两只狗", {}),
        ("撤销刚才的操作", "undo", "", "", {}),
        ("恢复", "redo", "", "", {}),
        ("删除3号", "delete", "", "3号", {}),
        ("把狗删掉", "edit", "erase", "狗", {}),
        ("把the left one模糊", "edit", "blur", "the left one", {}),
        ("把 the left dog 变成红色", "edit", "recolour", "the left dog", {"colour": "red"}),
        ("blur the background", "edit", "blur", "everything", {"where": "rest"}),
        ("make the background grey", "edit", "background", "everything", {"colour": "grey"}),
        ("which one is on the left?", "point", "", "the leftmost one", {}),
        ("Which of them is bigger?", "point", "", "the bigger one of them", {}),
        ("which is larger, the dog or the cat", "point", "",
         "the larger one among the dog and the cat", {}),
        ("which dog is further to the right", "point", "", "the rightmost dog", {}),
        ("哪个更大?", "point", "", "最大的那个", {}),
        ("哪只狗在左边", "point", "", "最左边的那只狗", {}),
        ("狗和猫哪个大一点", "point", "", "狗和猫里最大的那个", {}),
        ("两只狗里哪只更小", "point", "", "两只狗里最小的那只", {}),
        ("paint it salmon", "edit", "recolour", "it", {"colour": "salmon"}),
    ],
)  # fmt: skip
def test_requests_are_read(text, action, operation, target, parameters):
    request = read_request(text)
    assert (request.action, request.operation) == (action, operation)
    assert (request.target, dict(request.parameters)) == (target, parameters)


def test_a_new_name_is_read():
    assert read_request("call the left dog Rex").name == "Rex"
    assert read_request('rename it to "the boss"').name == "the boss"
    assert read_request("把左边那个改名为小黑").name == "小黑"


@pytest.mark.parametrize(
    "text",
    [
        "What colour is the left one?", "make it bigger", "make a wish", "call me a taxi",
        "Describe the dog. Then blur it.", "turn left", "这是什么?", "name the animals",
        "How do I remove a background?", "make it snow", "change the subject to tomato",
        "call it off", "Call it quits.", "call this number", "name this animal",
        "call the dog back",
        "把狗叫做什么", "把左边那个改名为什么?", "all right", "All good!", "Right.", "中", "最后",
        "Which one is asleep?", "Which car is red?", "哪个是红的?", "哪个大学最好?",
        "Who is it?", "", "   ", "???",
    ],
)  # fmt: skip
def test_questions_are_no_requests(text):
    assert read_request(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "erase the dog and describe the cat", "blur the dog and make the cat red",
        "remove the dog and its shadow", "remove the dog, then the cat", "blur nothing",
        "remove is a verb", "make the left one red and the right one blue",
        "remove the first picture",
    ],
)  # fmt: skip
def test_targets_of_two_requests_name_no_object(text):
    assert read_request(text).expression is None


@given(st.text(max_size=60) | st.from_regex(r"(blur|make|remove|把|将|合并)[ a-z一-龥]{0,20}"))
def test_any_text_is_read_without_an_error_and_makes_a_lawful_edit(text):
    request = read_request(text)
    if request is not None and request.action == "edit":
        Edit(request.operation, ["r1"], request.parameters)
