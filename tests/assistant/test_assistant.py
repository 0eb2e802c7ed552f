import numpy as np
import pytest

import segue
from concepts import FixedConcepts
from segue.assistant import Assistant
from segue.assistant.loading import load_stage
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.edit import Edit
from segue.errors import InputError, MissingWeights, ModelError, UnknownName
from segue.pipeline.answer import Done, MaskReady, NotFound, RegionFound, TextAdded, ThoughtEnded
from segue.pipeline.presets import CARDS, PRESETS, STAGES
from segue.runtime.catalog import Catalog, Entry
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from tiny_models import tiny_sam3

PICTURE = np.zeros((100, 200, 3), np.uint8)
PLANE = Box(20, 10, 60, 30)
BOX_REPLY = "Here: <ref>飞机</ref><box>(100,100),(300,300)</box>, done."
TAG_REPLY = "Sure. <gsam>airplane</gsam> it is."


def an_assistant(*replies):
    return Assistant(Scripted(list(replies)), Fixed({"airplane": [PLANE]}), BoxFill())


def kinds(events):
    return [type(event).__name__ for event in events]


def test_box_route_gives_phrase_box_span_and_mask():
    answer = an_assistant(BOX_REPLY).open(PICTURE).ask("框出飞机")
    (region,) = answer.regions
    assert answer.text == "Here: 飞机, done."
    assert answer.raw == BOX_REPLY
    assert (region.id, region.phrase, region.found_by) == ("r1", "飞机", "chat")
    assert region.box == Box(20, 10, 60, 30)
    assert answer.text[slice(*region.span)] == "飞机"
    assert region.mask.area == 40 * 20


def test_tag_route_asks_the_detector_and_keeps_the_span():
    answer = an_assistant(TAG_REPLY).open(PICTURE).ask("Can you segement the airplane?")
    (region,) = answer.regions
    assert answer.text == "Sure. airplane it is."
    assert (region.phrase, region.found_by, region.box) == ("airplane", "detector", PLANE)
    assert answer.text[slice(*region.span)] == "airplane"


def test_the_mask_comes_before_the_reply_has_ended():
    written = []

    def slowly():
        for piece in ["<gsam>airplane</gs", "am>", " and more", " to come"]:
            written.append(piece)
            yield piece

    for event in an_assistant().process_reply(slowly(), [segue.Image.open(PICTURE)]):
        if isinstance(event, MaskReady):
            break
    assert written == ["<gsam>airplane</gs", "am>"]


@pytest.mark.parametrize("reply", [BOX_REPLY, TAG_REPLY, TAG_REPLY + BOX_REPLY])
def test_the_order_of_events_does_not_depend_on_how_the_reply_is_cut(reply):
    images = [segue.Image.open(PICTURE)]

    def events(step):
        pieces = [reply[i : i + step] for i in range(0, len(reply), step)]
        joined = []
        for event in an_assistant().process_reply(pieces, images):
            if isinstance(event, TextAdded) and joined and isinstance(joined[-1], TextAdded):
                event = TextAdded(joined.pop().text + event.text)
            joined.append(event)
        return joined

    for step in range(1, len(reply) + 1):
        assert events(step) == events(len(reply))


def test_what_is_not_there_is_an_answer():
    answer = an_assistant("<gsam>dog</gsam>").open(PICTURE).ask("segment the dog")
    assert answer.regions == ()
    assert answer.not_found == ("dog",)


def test_a_tag_without_a_detector_says_so():
    assistant = Assistant(Scripted([TAG_REPLY]), None, BoxFill())
    events = list(assistant.open(PICTURE).stream("segment it"))
    (missing,) = [event for event in events if isinstance(event, NotFound)]
    assert missing.reason == "there is no detector"


def test_without_a_segmenter_regions_have_no_mask():
    assistant = Assistant(Scripted([BOX_REPLY]))
    (region,) = assistant.open(PICTURE).ask("where?").regions
    assert region.mask is None


def test_a_reply_about_no_picture_loses_nothing():
    answer = an_assistant(BOX_REPLY).open().ask("hello")
    assert answer.not_found == ("飞机",)
    assert answer.text == "Here: 飞机, done."


def test_a_point_becomes_a_mask_and_the_mask_gives_the_box():
    class Pointing(Scripted):
        dialect = "molmo"

    reply = 'Here: <point x="25.0" y="50.0" alt="dog">the dog</point>'
    assistant = Assistant(Pointing([reply]), None, BoxFill())
    events = list(assistant.open(PICTURE).stream("point"))
    found = next(event.region for event in events if isinstance(event, RegionFound))
    assert (found.point, found.box) == ((50, 50), Box(50, 50, 50, 50))
    (region,) = events[-1].answer.regions
    assert region.mask is not None
    assert region.box == (region.mask.box or found.box)
    assert (region.phrase, region.found_by, region.point) == ("the dog", "chat", (50, 50))
    events[-1].answer.draw()


def test_a_reply_that_ended_inside_its_markup_says_so():
    assert an_assistant(BOX_REPLY + "<box>(1,2").open(PICTURE).ask("where?").cut
    assert not an_assistant(BOX_REPLY).open(PICTURE).ask("where?").cut


def test_broken_markup_is_kept_and_the_rest_is_used():
    answer = an_assistant("<box>(1,2</box> " + BOX_REPLY).open(PICTURE).ask("where?")
    assert answer.broken == ("<box>(1,2</box>",)
    assert len(answer.regions) == 1


def test_a_thought_that_only_ends_takes_its_words_and_regions_back():
    reply = f"Maybe {BOX_REPLY}? No.\n</think>\n\nIt is {BOX_REPLY}."
    events = list(an_assistant(reply).open(PICTURE).stream("where?"))
    (withdrawal,) = [event for event in events if isinstance(event, ThoughtEnded)]
    assert withdrawal.retracts
    assert withdrawal.regions == ("r1",)
    answer = events[-1].answer
    assert [region.id for region in answer.regions] == ["r2"]
    assert answer.text.startswith("It is ")
    assert answer.raw == reply
    assert answer.thought == len(reply.partition("</think>")[0])


@pytest.mark.parametrize(
    "answer", ["A dog.", "<ref>dog</ref><box>[0,0,0,0]</box>", "<box>(1,2</box>"], ids=str
)
def test_a_model_that_said_anything_did_not_only_think(answer):
    chat = Scripted([f"<think>a dog?</think>{answer}"])
    told = Assistant(chat).open(PICTURE).ask("Where is the dog?")
    assert told.thought == len("a dog?")
    assert told.finish == "stop"
    assert not any("only thought" in notice for notice in told.notices)


def test_a_model_that_only_thought_is_told_so():
    answer = an_assistant("<think>A dog, or a cat, or").open(PICTURE).ask("where?")
    (notice,) = answer.notices
    assert "only thought, 19 characters" in notice
    assert "--max-new-tokens" in notice


def test_nothing_found_without_a_name_is_what_was_asked_for():
    class Json(Scripted):
        dialect = "qwen3_vl"

    answer = Assistant(Json(["[]"])).open(PICTURE).ask("Find the dog and the cat")
    assert answer.not_found == ("dog", "cat")
    assert answer.text == ""


def test_a_box_outside_the_picture_is_no_region():
    class Pixels(Scripted):
        dialect = "qwen2_5_vl"

    reply = '[{"bbox_2d": [500, 500, 700, 700], "label": "dog"}]'
    events = list(Assistant(Pixels([reply])).open(PICTURE).stream("where?"))
    (missing,) = [event for event in events if isinstance(event, NotFound)]
    assert "outside the picture" in missing.reason
    assert events[-1].answer.regions == ()


def test_later_turns_count_regions_on_and_speak_of_the_newest_picture():
    conversation = an_assistant(BOX_REPLY, TAG_REPLY).open(PICTURE)
    conversation.ask("one")
    conversation.add_images(np.full((50, 50, 3), 9, np.uint8))
    (region,) = conversation.ask("two").regions
    assert (region.id, region.image) == ("r2", 1)
    assert len(conversation.images) == 2


def test_undo_takes_the_turn_back_and_keeps_its_picture():
    conversation = an_assistant(BOX_REPLY, TAG_REPLY).open(PICTURE)
    conversation.ask("one")
    assert conversation.undo().name == "one"
    assert conversation.undo() is None
    assert conversation.ask("two").images == conversation.images
    assert len(conversation.images) == 1


def test_closing_the_stream_early_keeps_what_was_said():
    conversation = an_assistant(BOX_REPLY, TAG_REPLY).open(PICTURE)
    stream = conversation.stream("one")
    while not isinstance(next(stream), RegionFound):
        pass
    stream.close()
    assert conversation.answers[0].finish == "cancelled"
    assert conversation.ask("two").regions


def test_a_failing_model_leaves_the_conversation_as_it_was():
    class Failing:
        name, dialect = "failing", "qwen_vl"

        def stream(self, messages, sampling):
            yield "so far"
            raise ModelError("out of memory")

    conversation = Assistant(Failing()).open(PICTURE)
    with pytest.raises(ModelError):
        conversation.ask("one")
    assert conversation.answers == ()
    assert len(conversation.images) == 1


def test_the_last_event_is_done_with_everything():
    events = list(an_assistant(TAG_REPLY + BOX_REPLY).open(PICTURE).stream("all"))
    assert isinstance(events[-1], Done)
    assert kinds(events).count("Done") == 1
    assert [r.phrase for r in events[-1].answer.regions] == ["airplane", "飞机"]


def test_asking_needs_a_chat_model_and_a_question():
    with pytest.raises(InputError, match="no chat model"):
        Assistant().open(PICTURE).ask("what?")
    with pytest.raises(InputError, match="empty"):
        an_assistant("x").open(PICTURE).ask("  ")


def test_segment_by_phrase_box_and_points():
    assistant = an_assistant()
    by_phrase = assistant.segment(PICTURE, ["airplane", "dog"])
    by_box = assistant.segment(PICTURE, boxes=[Box(0, 0, 10, 10), PLANE])
    assert [(r.phrase, r.found_by, r.mask.area) for r in by_phrase] == [
        ("airplane", "detector", 800)
    ]
    assert [(r.id, r.found_by, r.mask.area) for r in by_box] == [
        ("r1", "user", 100), ("r2", "user", 800)
    ]  # fmt: skip
    both = assistant.segment(PICTURE, "airplane", boxes=[PLANE])
    assert [r.id for r in both] == ["r1", "r2"]
    with pytest.raises(InputError, match="Nothing to segment"):
        assistant.segment(PICTURE)


def test_a_text_may_hold_several_phrases():
    places = {"airplane": [[10, 20, 50, 40, 0.9]], "box, red": [[0, 0, 10, 10, 0.8]]}
    assistant = Assistant(detector=Fixed(places), segmenter=BoxFill())

    def found(phrases):
        regions = assistant.segment(PICTURE, phrases)
        return [region.phrase for region in regions], list(regions.not_found)

    assert found("airplane, dog") == (["airplane"], ["dog"])
    assert found("飞机、airplane") == (["airplane"], ["飞机"])
    assert found('"box, red"') == (["box, red"], [])
    assert found(["box, red"]) == (["box, red"], [])
    with pytest.raises(InputError, match="A phrase must contain words"):
        assistant.segment(PICTURE, " , ")


def test_a_picture_is_encoded_once():
    class Counting(BoxFill):
        looks = 0

        def look(self, image):
            Counting.looks += 1
            return super().look(image)

    assistant = Assistant(Scripted([BOX_REPLY, BOX_REPLY]), None, Counting())
    conversation = assistant.open(PICTURE)
    conversation.ask("one")
    conversation.ask("two")
    assert Counting.looks == 1


def test_unknown_names_offer_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'embedded'"):
        segue.load("embeded")
    with pytest.raises(UnknownName, match="Did you mean 'sam-vit-huge'"):
        load_stage("segment", "sam-vit-hug")
    with pytest.raises(InputError, match="for the 'segment' stage"):
        load_stage("chat", "sam-vit-huge")


def test_what_has_no_weights_is_asked_for_with_a_colon_and_takes_options(monkeypatch):
    entry = Entry("segue.segment.box_fill:BoxFill", stand_in=True, options=("name",))
    monkeypatch.setitem(STAGES, "segment", Catalog("segmenter", {"plain": entry}))
    assert load_stage("segment", "plain:?name=other").name == "other"
    with pytest.raises(InputError, match=r"'plain:' takes no option 'nam'\. Known: name"):
        load_stage("segment", "plain:?nam=other")
    with pytest.raises(InputError, match="may stand once behind"):
        load_stage("segment", "plain:?name=a&name=b")
    with pytest.raises(UnknownName, match=r"with a colon: 'plain:'"):
        load_stage("segment", "plain")


def test_every_preset_names_cards_of_the_right_stage():
    for preset in PRESETS.values():
        for kind in ("chat", "detect", "segment"):
            nickname = getattr(preset, kind)
            assert nickname is None or CARDS[nickname].kind == kind


def test_an_edit_is_kept_and_the_picture_stays_as_it_is():
    conversation = an_assistant(TAG_REPLY).open(np.full((100, 200, 3), 77, np.uint8))
    conversation.ask("segment the airplane")
    edited = conversation.edit(Edit("recolour", ["r1"], {"colour": "red", "feather": 0}))
    changed = (np.asarray(edited) != 77).any(axis=2)
    assert changed.sum() == 800
    assert (conversation.images[0].array == 77).all()
    assert np.array_equal(np.asarray(conversation.edited_image()), np.asarray(edited))
    conversation.undo()
    assert conversation.edits == ()
    conversation.redo()
    assert np.array_equal(np.asarray(conversation.edited_image()), np.asarray(edited))


def test_an_edit_that_does_not_fit_is_refused_and_forgotten():
    conversation = an_assistant(TAG_REPLY).open(PICTURE)
    conversation.ask("segment the airplane")
    with pytest.raises(InputError, match="Known: r1"):
        conversation.edit(Edit("blur", ["r7"]))
    with pytest.raises(InputError):
        conversation.edit(Edit("blur", ["r1"], {"strength": -3}))
    assert conversation.edits == ()


def test_the_chat_model_can_be_the_detector():
    asked = {"segment it": TAG_REPLY, "Find the airplane in the picture.": BOX_REPLY}
    chat = Scripted(asked)
    assistant = segue.load(chat=chat, detect="chat", segment=BoxFill())
    (region,) = assistant.open(PICTURE).ask("segment it").regions
    assert (region.phrase, region.found_by, region.box) == ("airplane", "detector", PLANE)
    with pytest.raises(InputError, match="needs a chat model"):
        segue.load(chat=None, detect="chat")


def test_for_phrases_alone_a_segmenter_is_loaded_only_where_it_is_needed():
    stages = {"chat": None, "segment": "box_fill:", "phrases_only": True}
    assert segue.load(detect=FixedConcepts({}), **stages).segmenter is None
    assert segue.load(detect=Fixed({}), **stages).segmenter is not None
    assert segue.load(detect=FixedConcepts({}), **stages | {"phrases_only": False}).segmenter


def test_a_segmenter_that_is_not_needed_may_be_missing(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stages = {"chat": None, "segment": "facebook/sam-vit-base"}
    assert segue.load(detect=FixedConcepts({}), **stages, phrases_only=True).segmenter is None
    for options in ({}, {"phrases_only": True}):
        with pytest.raises(MissingWeights, match="facebook/sam-vit-base"):
            segue.load(detect=Fixed({}), **stages, **options)


def test_one_folder_of_sam3_is_a_detector_and_a_segmenter(tmp_path):
    folder = tiny_sam3(tmp_path / "sam3", box_threshold=0.0)
    assistant = segue.load(chat=None, detect=folder, segment=f"sam3:{folder}", device="cpu")
    assert (type(assistant.detector).__name__, type(assistant.segmenter).__name__) == (
        "Sam3",
        "Sam3Tracker",
    )
    regions = assistant.segment(PICTURE, "cat", boxes=[PLANE])
    assert {region.mask.size for region in regions} == {(100, 200)}
    (folder / "config.json").write_text('{"model_type": "sam3"}')
    with pytest.raises(ModelError, match="the 'segment' stage knows"):
        segue.load(chat=None, detect=None, segment=folder)


def test_the_preset_with_sam3_names_its_gated_halves():
    preset = PRESETS["qwen3-vl-4b-sam3"]
    cards = [CARDS[name] for name in (preset.detect, preset.segment)]
    assert [(card.kind, card.source, card.gated) for card in cards] == [
        ("detect", "facebook/sam3", True),
        ("segment", "facebook/sam3", True),
    ]
