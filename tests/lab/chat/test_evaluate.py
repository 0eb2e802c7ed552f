"""How replies are judged."""

from lab.chat.evaluate import (
    ChatQuestion,
    Tally,
    held_out_scenes,
    match_ious,
    parse_description,
    questions_about,
    reply_boxes,
    score_reply,
)
from lab.language.turn import Thing, Turn
from lab.scenes.sprites import shipped_bank
from lab.scenes.vocabulary import by_name
from segue.values.box import Box

DOG, CAT = by_name()["dog"].index, by_name()["cat"].index
THINGS = (Thing(DOG, (100, 100, 300, 300), 0), Thing(CAT, (600, 600, 800, 800), 1))


def scores_of(kind, reply, *, answer="", noun=-1, present=True, chinese=False):
    tally = Tally()
    score_reply(
        ChatQuestion(0, Turn(kind, "?", answer, chinese, noun, present), THINGS), reply, tally
    )
    return {name: value for name, (value, _) in tally.means().items()}


def test_a_description_counts_only_when_the_whole_set_is_right() -> None:
    right = "The picture shows a dog and a cat. The background is white."
    assert scores_of("describe", right)["describe: exact set, 1-3 objects"] == 1
    wrong = "The picture shows a dog and two cats. The background is white."
    assert scores_of("describe", wrong)["describe: exact set, 1-3 objects"] == 0
    assert scores_of("describe", wrong)["describe: recall of nouns"] == 1
    repeated = "The picture shows a dog, a cat and a dog. The background is white."
    assert scores_of("describe", repeated)["describe: exact set, 1-3 objects"] == 0


def test_a_slip_of_grammar_is_not_a_wrong_set() -> None:
    airplane = by_name()["airplane"].index
    assert parse_description("The picture shows a airplane and an dog. The") == [
        (airplane, 1),
        (DOG, 1),
    ]


def test_chinese_descriptions_are_understood_too() -> None:
    assert parse_description("图片里有一只狗、两只猫和一架飞机，背景是白色的。") == [
        (DOG, 1),
        (CAT, 2),
        (by_name()["airplane"].index, 1),
    ]
    assert parse_description("胡说") == [None]


def test_a_box_is_judged_by_its_overlap() -> None:
    near = "<ref>dog</ref><box>(100,100),(300,290)</box>"
    assert scores_of("ground", near, noun=DOG)["ground one: Acc@0.75"] == 1
    far = "<ref>dog</ref><box>(500,500),(700,700)</box>"
    assert scores_of("ground", far, noun=DOG)["ground one: Acc@0.5"] == 0
    denial = "There is no dog in the picture."
    assert scores_of("ground", denial, noun=DOG)["ground one: wrongly denied"] == 1


def test_denial_must_be_said_for_what_is_absent() -> None:
    answer = "There is no bus in the picture."
    question = {"answer": answer, "noun": 35, "present": False}
    assert scores_of("ground", answer, **question)["absent: says so"] == 1
    assert scores_of("ground", "<box>(1,1),(2,2)</box>", **question)["absent: says so"] == 0


def test_boxes_are_matched_one_to_one() -> None:
    square, shorter = Box(0, 0, 10, 10), Box(0, 0, 10, 9)
    assert match_ious([square], [square, shorter]) == [1.0, 0.0]


def test_boxes_are_read_as_the_product_reads_them() -> None:
    assert reply_boxes("<box>(1,2),(3,4)</box> and <box>(1,2)</box>") == [Box(1, 2, 3, 4)]
    assert reply_boxes("<box>(5,5),(5,5)</box>") == []


def test_small_talk_is_judged_by_whether_it_stays_small_talk() -> None:
    name = "small talk, trained wordings"
    right = scores_of("talk", "Hello!", answer="Hello!")
    assert right[f"{name}: no tag, box or description"] == 1
    assert right[f"{name}: the right answer, en"] == 1
    answer = scores_of("talk", "Sorry.", answer="Hello!")
    assert answer[f"{name}: no tag, box or description"] == 1
    assert answer[f"{name}: the right answer, en"] == 0
    description = scores_of(
        "talk", "The picture shows a dog. The background is white.", answer="Hello!"
    )
    assert description[f"{name}: no tag, box or description"] == 0


def test_a_follow_up_must_do_the_same_with_the_right_noun() -> None:
    previous_turn = Turn("segment", "?", "<gsam>cat</gsam>", False, CAT)

    def follow_up_score(kind: str, answer: str, reply: str) -> float:
        tally = Tally()
        score_reply(
            ChatQuestion(0, Turn(kind, "?", answer, False, DOG), THINGS, previous_turn),
            reply,
            tally,
        )
        return tally.means()[kind][0]

    box = "<ref>dog</ref><box>(100,100),(300,300)</box>"
    assert follow_up_score("ground_again", box, "<ref>dog</ref><box>(110,100),(300,300)</box>") == 1
    assert follow_up_score("ground_again", box, "<ref>cat</ref><box>(110,100),(300,300)</box>") == 0
    assert follow_up_score("ground_again", box, "There is no dog in the picture.") == 0
    assert follow_up_score("segment_again", "<gsam>dog</gsam>", box) == 0
    assert follow_up_score("segment_again", "<gsam>dog</gsam>", "<gsam>dog</gsam>") == 1


def test_follow_ups_and_words_after_a_request_are_asked_about_every_scene() -> None:
    scenes = held_out_scenes(shipped_bank(), 6, 1)
    questions = questions_about(scenes, 1)
    kinds = {question.turn.kind for question in questions}
    assert {"ground_again", "segment_again", "segment_tail", "segment_new_tail"} <= kinds
    assert {"talk", "talk_held_out"} <= kinds
    second = {"second picture: frame", "second picture: absent"}
    back = {f"picture before, {which} wordings" for which in ("trained", "new")}
    assert second | back <= kinds
    for question in questions:
        on = question.turn.kind.endswith(("_again", "_other"))
        assert (question.previous_turn is not None) == (on or question.turn.kind in second | back)
        assert question.earlier_scene == (
            question.scene - 1 if question.turn.kind in second | back else None
        )
