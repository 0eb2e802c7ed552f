"""How replies are judged."""

from segue.embedded.chat_evaluation import (
    Asked,
    Tally,
    boxes_in,
    held_out_scenes,
    listed,
    matched,
    overlap,
    questions_about,
    score,
)
from segue.embedded.sprites import shipped_bank
from segue.embedded.turn import Thing, Turn
from segue.embedded.vocabulary import by_name

DOG, CAT = by_name()["dog"].index, by_name()["cat"].index
THINGS = (Thing(DOG, (100, 100, 300, 300), 0), Thing(CAT, (600, 600, 800, 800), 1))


def judged(kind, said, *, answer="", noun=-1, present=True, chinese=False):
    tally = Tally()
    score(Asked(0, Turn(kind, "?", answer, chinese, noun, present), THINGS), said, tally)
    return {name: value for name, (value, _) in tally.means().items()}


def test_a_description_counts_only_when_the_whole_set_is_right() -> None:
    right = "The picture shows a dog and a cat. The background is white."
    assert judged("describe", right)["describe: exact set, 1-3 objects"] == 1
    wrong = "The picture shows a dog and two cats. The background is white."
    assert judged("describe", wrong)["describe: exact set, 1-3 objects"] == 0
    assert judged("describe", wrong)["describe: recall of nouns"] == 1
    twice = "The picture shows a dog, a cat and a dog. The background is white."
    assert judged("describe", twice)["describe: exact set, 1-3 objects"] == 0


def test_a_slip_of_grammar_is_not_a_wrong_set() -> None:
    airplane = by_name()["airplane"].index
    assert listed("The picture shows a airplane and an dog. The") == [(airplane, 1), (DOG, 1)]


def test_chinese_descriptions_are_understood_too() -> None:
    assert listed("图片里有一只狗、两只猫和一架飞机，背景是白色的。") == [
        (DOG, 1),
        (CAT, 2),
        (by_name()["airplane"].index, 1),
    ]
    assert listed("胡说") == [None]


def test_a_box_is_judged_by_its_overlap() -> None:
    near = "<ref>dog</ref><box>(100,100),(300,290)</box>"
    assert judged("ground", near, noun=DOG)["ground one: Acc@0.75"] == 1
    far = "<ref>dog</ref><box>(500,500),(700,700)</box>"
    assert judged("ground", far, noun=DOG)["ground one: Acc@0.5"] == 0
    none = "There is no dog in the picture."
    assert judged("ground", none, noun=DOG)["ground one: wrongly denied"] == 1


def test_denial_must_be_said_for_what_is_absent() -> None:
    answer = "There is no bus in the picture."
    asked = {"answer": answer, "noun": 35, "present": False}
    assert judged("ground", answer, **asked)["absent: says so"] == 1
    assert judged("ground", "<box>(1,1),(2,2)</box>", **asked)["absent: says so"] == 0


def test_boxes_are_matched_one_to_one_and_odd_ones_overlap_nothing() -> None:
    assert boxes_in("<box>(1,2),(3,4)</box> and <box>(1,2)</box>") == [(1, 2, 3, 4)]
    assert overlap((5, 5, 1, 1), (0, 0, 10, 10)) == 0
    assert matched([(0, 0, 10, 10)], [(0, 0, 10, 10), (0, 0, 10, 9)]) == [1.0, 0.0]


def test_small_talk_is_judged_by_whether_it_stays_small_talk() -> None:
    name = "small talk, trained wordings"
    right = judged("talk", "Hello!", answer="Hello!")
    assert right[f"{name}: no tag, box or description"] == 1
    assert right[f"{name}: the right answer, en"] == 1
    other = judged("talk", "Sorry.", answer="Hello!")
    assert other[f"{name}: no tag, box or description"] == 1
    assert other[f"{name}: the right answer, en"] == 0
    shown = judged("talk", "The picture shows a dog. The background is white.", answer="Hello!")
    assert shown[f"{name}: no tag, box or description"] == 0


def test_a_follow_up_must_do_the_same_with_the_right_noun() -> None:
    before = Turn("segment", "?", "<gsam>cat</gsam>", False, CAT)

    def followed(kind: str, answer: str, said: str) -> float:
        tally = Tally()
        score(Asked(0, Turn(kind, "?", answer, False, DOG), THINGS, before), said, tally)
        return tally.means()[kind][0]

    box = "<ref>dog</ref><box>(100,100),(300,300)</box>"
    assert followed("ground_again", box, "<ref>dog</ref><box>(110,100),(300,300)</box>") == 1
    assert followed("ground_again", box, "<ref>cat</ref><box>(110,100),(300,300)</box>") == 0
    assert followed("ground_again", box, "There is no dog in the picture.") == 0
    assert followed("segment_again", "<gsam>dog</gsam>", box) == 0
    assert followed("segment_again", "<gsam>dog</gsam>", "<gsam>dog</gsam>") == 1


def test_follow_ups_and_words_after_a_request_are_asked_about_every_scene() -> None:
    scenes = held_out_scenes(shipped_bank(), 6, 1)
    asked = questions_about(scenes, 1)
    kinds = {one.turn.kind for one in asked}
    assert {"ground_again", "segment_again", "segment_tail", "segment_new_tail"} <= kinds
    assert {"talk", "talk_held_out"} <= kinds
    second = {"second picture: frame", "second picture: absent"}
    back = {f"picture before, {which} wordings" for which in ("trained", "new")}
    assert second | back <= kinds
    for one in asked:
        on = one.turn.kind.endswith(("_again", "_other"))
        assert (one.before is not None) == (on or one.turn.kind in second | back)
        assert one.earlier == (one.scene - 1 if one.turn.kind in second | back else None)
