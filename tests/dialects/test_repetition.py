"""A place that is given twice counts once; a reply in circles is not read to its end."""

from dialect_replies import read
from segue.dialects import DIALECTS, BoxMention, PointMention, Remark
from segue.dialects.parsing.repetition import LOOP

BOX = '{"bbox_2d": [600, 500, 800, 900], "label": "dog"}'


def places(dialect: str, reply: str) -> list[object]:
    return [
        event for event in read(dialect, [reply]) if isinstance(event, BoxMention | PointMention)
    ]


def remarks(dialect: str, reply: str) -> list[str]:
    return [event.text for event in read(dialect, [reply]) if isinstance(event, Remark)]


def test_equal_places_are_one_and_it_is_said() -> None:
    assert len(places("qwen3_vl", f"[{BOX}, {BOX}, {BOX}]")) == 1
    assert remarks("qwen3_vl", f"[{BOX}, {BOX}, {BOX}]") == [
        "2 places were given more than once and counted once"
    ]


def test_other_names_and_other_pictures_are_other_places() -> None:
    assert len(places("qwen3_vl", f"[{BOX}, {BOX.replace('dog', 'cat')}]")) == 2
    named = "Picture 1: <ref>dog</ref><box>(1,2),(30,40)</box>\n"
    assert len(places("qwen_vl", named + named.replace("1:", "2:"))) == 2


def test_neighbours_that_overlap_much_stay_two() -> None:
    assert len(places("qwen3_vl", f"[{BOX}, {BOX.replace('800', '790')}]")) == 2


def test_a_loop_stops_the_reading() -> None:
    asked = 0

    def endless():
        nonlocal asked
        while True:
            asked += 1
            assert asked < 10 * LOOP
            yield BOX + ", "

    events = list(DIALECTS.load("qwen3_vl").read(endless()))
    assert sum(isinstance(event, BoxMention) for event in events) == 1
    assert isinstance(events[-1], Remark)
    assert "goes in circles" in events[-1].text


def test_a_long_list_of_different_places_is_no_loop() -> None:
    items = [
        f'{{"bbox_2d": [{n}, {n}, {n + 40}, {n + 60}], "label": "dog"}}' for n in range(0, 900, 9)
    ]
    assert len(places("qwen3_vl", "[" + ", ".join(items) + "]")) == len(items)
