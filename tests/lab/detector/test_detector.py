"""The detector's phrases, network, losses, recipe and evaluation, in miniature."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

from lab.detector.data import (
    LabelledImage,
    LabelledImages,
    make_detector_batch,
    random_caption,
    write_caption,
)
from lab.detector.evaluate import (
    DetectionCase,
    average_precision,
    best_f1,
    calibrate_detector,
    choose_threshold,
    evaluate_detector,
    measure_detections,
    measure_single_nouns,
    single_noun_cases,
)
from lab.detector.losses import (
    Targets,
    corners,
    match_targets,
    naming_loss,
    overlaps,
    stage_loss,
)
from lab.detector.network import (
    DetectorSize,
    new_detector,
    normalised_pixels,
    run_detector,
    token_centres,
)
from lab.detector.recipe import DetectorRecipe
from lab.detector.tokenizer import (
    FIXED_IDS,
    detector_tokenizer,
    names_of,
    noun_called,
    nouns_of_tokens,
    phrase_ids,
    vocabulary_tokens,
    write_phrase,
)
from lab.detector.train import DetectorTraining, train_detector
from lab.scenes.sprites import shipped_bank
from lab.scenes.vocabulary import nouns
from lab.training.feed import to_tensors
from lab.training.precision import CPU
from lab.training.schedules import Budget
from segue.detect import Detection
from segue.detect.grounding_dino import DinoOptions
from segue.errors import ModelError
from segue.values.box import Box

TINY = DetectorSize(
    image=96, patch=8, embed=16, depths=(1, 1, 1), heads=(1, 2, 4), window=6, width=32,
    feed_forward=48, encoder_layers=1, decoder_layers=2, queries=10, text_width=24, text_layers=1,
    text_length=48, vocabulary=len(vocabulary_tokens()),
)  # fmt: skip
RECIPE = DetectorRecipe(size=TINY, batch=3, phrases=4, pool=12, warm_up=5, bfloat16=False)

pytestmark = pytest.mark.xdist_group("detector")
"""One worker has them all, so that the miniature is trained once."""


def test_the_ids_that_grounding_dino_builds_in_are_kept():
    tokens = vocabulary_tokens()
    assert all(tokens[number] == token for token, number in FIXED_IDS.items())
    assert len(set(tokens)) == len(tokens)


def test_every_name_of_every_noun_is_made_of_whole_words():
    unknown = FIXED_IDS["[UNK]"]
    for noun in nouns():
        english, chinese = names_of(noun)
        for name in (*english, *chinese):
            ids = phrase_ids(name)
            assert len(ids) == len(name.split()), name
            assert unknown not in ids, name


def test_other_words_are_spelt_and_chinese_phrases_end_in_their_noun():
    tokens = vocabulary_tokens()
    assert [tokens[i] for i in phrase_ids("wolf")] == ["w", "##o", "##l", "##f"]
    assert [tokens[i] for i in phrase_ids("一架飞机")] == ["一架", "##飞机"]


def test_the_tokenizer_survives_saving(tmp_path):
    detector_tokenizer().save_pretrained(tmp_path)
    restored = type(detector_tokenizer()).from_pretrained(tmp_path)
    text = "a red fire engine. 飞机. wolf."
    assert restored(text)["input_ids"] == detector_tokenizer()(text)["input_ids"]


def test_a_name_belongs_to_one_noun_only():
    for noun in nouns():
        english, chinese = names_of(noun)
        for name in (*english, *chinese):
            assert noun_called(name) == noun.index, name
    assert noun_called("wolf") is None


def test_phrases_always_contain_a_name_of_their_noun():
    rng = np.random.default_rng(0)
    for noun in nouns()[::9]:
        names = [n for some in names_of(noun) for n in some]
        for chinese in (False, True):
            phrase = write_phrase(rng, noun, chinese)
            assert any(name in phrase for name in names)
            assert phrase.isascii() != chinese


def test_captions_equal_those_of_the_processor():
    caption = write_caption(["a dog", "fire engine", "飞机"], [0, 1, 2])
    assert caption.ids == detector_tokenizer()("a dog. fire engine. 飞机.")["input_ids"]
    assert [caption.ids[a:b] for a, b in caption.spans] == [
        list(phrase_ids(p)) for p in ("a dog", "fire engine", "飞机")
    ]


def test_random_captions_fit_and_name_absent_nouns_too():
    absent = 0
    for seed in range(40):
        caption = random_caption(np.random.default_rng(seed), {3, 5}, 20, 40)
        assert len(caption.ids) <= 40
        assert caption.nouns
        absent += any(n not in (3, 5) for n in caption.nouns)
    assert absent > 20


SQUARE = Box(30, 20, 70, 50)


def one_square(noun=7):
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[20:50, 30:70] = 255
    return LabelledImage(picture, (noun,), np.array([[30, 20, 70, 50]], np.float32))


def test_targets_point_at_the_words_of_their_noun():
    caption = write_caption(["cat", "fire engine"], [1, 7])
    batch = make_detector_batch([one_square()], [caption], 96, 96)
    assert np.allclose(batch.boxes, [[[50 / 96, 35 / 96, 40 / 96, 30 / 96]]])
    assert batch.words[0, 0].nonzero()[0].tolist() == [3, 4]
    unasked = make_detector_batch([one_square()], [write_caption(["cat"], [1])], 96, 96)
    assert unasked.nouns.tolist() == [[7]]
    assert not unasked.words.any()


def test_mirrored_pictures_keep_their_boxes():
    images = LabelledImages(shipped_bank(), RECIPE)
    for step in range(3):
        batch = images.batch(step)
        assert (batch.boxes >= 0).all()
        assert (batch.boxes <= 1).all()


def test_overlaps_of_known_boxes():
    a = torch.tensor([[0.0, 0, 2, 2]])
    b = torch.tensor([[1.0, 0, 3, 2]])
    iou, generalised = overlaps(a, b)
    assert iou.item() == pytest.approx(1 / 3, abs=1e-5)
    assert generalised.item() == pytest.approx(1 / 3, abs=1e-5)
    assert overlaps(a, a)[0].item() == pytest.approx(1)
    assert corners(torch.tensor([0.5, 0.5, 0.2, 0.4])).tolist() == pytest.approx(
        [0.4, 0.3, 0.6, 0.7]
    )


def test_phrases_asked_alone_are_one_there_and_one_not():
    case = DetectionCase(one_square(), (1, 7, 9))
    assert [single_case.nouns for single_case in single_noun_cases([case])] == [
        (7,),
        (1,),
    ]
    nothing = ((),)
    detections = ((Detection("", SQUARE, 0.8),),)
    alone = single_noun_cases([case])
    assert measure_single_nouns(alone, [detections, nothing], 0.5) == {
        "alone recall": 1.0,
        "alone absent": 0.0,
    }
    assert measure_single_nouns(alone, [nothing, detections], 0.5) == {
        "alone recall": 0.0,
        "alone absent": 1.0,
    }


def targets(boxes, words=(0.0, 1.0)):
    count = len(boxes)
    return Targets(
        torch.tensor([boxes]),
        torch.tensor([[list(words)] * count]),
        torch.ones(1, count, dtype=torch.bool),
    )


def test_an_object_claims_what_overlaps_it_and_at_least_one():
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.2], [0.5, 0.52, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1]])
    near = targets([[0.5, 0.5, 0.2, 0.2]])
    assert match_targets(torch.zeros(1, 3, 2), boxes[None], near, 4, None).tolist() == [[0, 0, -1]]
    far = targets([[0.9, 0.9, 0.05, 0.05]])
    owners = match_targets(torch.zeros(1, 3, 2), boxes[None], far, 4, None)
    assert (owners >= 0).sum() == 1


def test_what_two_objects_want_goes_to_the_cheaper_claim_and_padding_claims_nothing():
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.52, 0.5, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1]]])
    two = targets([[0.5, 0.5, 0.2, 0.2], [0.52, 0.5, 0.2, 0.2]])
    assert match_targets(torch.zeros(1, 3, 2), boxes, two, 4, None).tolist() == [[0, 1, -1]]
    padded = two._replace(is_object=torch.tensor([[True, False]]))
    assert match_targets(torch.zeros(1, 3, 2), boxes, padded, 4, None).tolist() == [[0, 0, -1]]


def test_a_good_answer_costs_less_than_a_bad_one():
    truth = targets([[0.5, 0.5, 0.2, 0.2]], (0.0, 1.0, 0.0))
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.2, 0.2, 0.1, 0.1]]])
    attention = torch.ones(1, 3, dtype=torch.long)
    good = torch.tensor([[[-6.0, 6, -6], [-6, -6, -6]]])
    bad = torch.tensor([[[-6.0, -6, 6], [6, -6, -6]]])
    losses = [stage_loss(x, boxes, attention, truth, 3) for x in (good, bad)]
    assert losses[0].words < 0.05 < losses[1].words
    assert losses[0].boxes < 1e-3
    assert losses[0].iou > 0.99


def test_our_pass_equals_the_librarys_answer():
    model = new_detector(TINY, 3).eval()
    caption = write_caption(["cat", "fire engine"], [1, 7])
    batch = to_tensors(make_detector_batch([one_square()], [caption], 96, 72), CPU)
    pixels = normalised_pixels(batch.images)
    with torch.no_grad():
        output = run_detector(model, pixels, batch.ids, batch.attention)
        expected = model(pixel_values=pixels, input_ids=batch.ids, attention_mask=batch.attention)
    length = batch.ids.shape[1]
    assert torch.allclose(output.logits[-1], expected.logits[..., :length], atol=1e-4)
    assert torch.allclose(output.boxes[-1], expected.pred_boxes, atol=1e-5)
    assert output.proposal_boxes.shape[1] == len(token_centres(TINY, 96, 72))


def training(folder, steps, recipe=RECIPE):
    return DetectorTraining(folder, Budget(1, steps), recipe, shipped_bank(), None)


def test_a_short_training_learns_and_the_proposals_get_gradient(tmp_path):
    run = training(tmp_path, 20, replace(RECIPE, fresh=0.0, peak_rate=6e-3, warm_up=2))
    initial_weight = run.model.model.enc_output.weight.detach().clone()
    losses = [run.one_step() for _ in range(20)]
    assert np.mean(losses[-6:]) < 0.92 * np.mean(losses[:6])
    assert not torch.equal(initial_weight, run.model.model.enc_output.weight)


def test_a_resumed_run_resumes_exactly(tmp_path):
    uninterrupted = training(tmp_path / "whole", 4)
    for _ in range(4):
        uninterrupted.one_step()
    first = training(tmp_path / "parts", 4)
    for _ in range(2):
        first.one_step()
    first.save()
    second = training(tmp_path / "parts", 4)
    assert second.resume()
    for _ in range(2):
        second.one_step()
    uninterrupted_state, resumed_state = uninterrupted.model.state_dict(), second.model.state_dict()
    assert all(
        torch.equal(uninterrupted_state[name], resumed_state[name]) for name in uninterrupted_state
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    return train_detector(folder, steps=3, recipe=RECIPE, bank=shipped_bank(), calibrate_on=2)


def test_the_recipe_leaves_an_ordinary_folder(weights):
    model = GroundingDinoForObjectDetection.from_pretrained(weights, dtype="float32")
    assert model.config.text_config._attn_implementation == "eager"
    processor = GroundingDinoProcessor.from_pretrained(weights)
    picture = np.zeros((60, 90, 3), np.uint8)
    inputs = processor(images=picture, text="a dog. 飞机.", return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, 64, 96)
    assert inputs["input_ids"][0].tolist() == write_caption(["a dog", "飞机"], [0, 1]).ids
    assert model(**inputs).pred_boxes.shape == (1, 10, 4)


def test_a_training_may_start_from_weights(weights, tmp_path):
    restored = train_detector(
        tmp_path / "b", steps=1, recipe=replace(RECIPE, peak_rate=0.0), bank=shipped_bank(),
        calibrate_on=2, start=weights,
    )  # fmt: skip
    start_tensors, final_tensors = (
        load_file(folder / "model.safetensors") for folder in (weights, restored)
    )
    assert all(
        torch.allclose(start_tensors[name].float(), final_tensors[name].float(), atol=2e-3)
        for name in start_tensors
    )
    other_recipe = replace(RECIPE, size=replace(TINY, text_width=36))
    with pytest.raises(ModelError, match="another network"):
        train_detector(
            tmp_path / "c", steps=1, recipe=other_recipe, bank=shipped_bank(), start=weights
        )
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        train_detector(tmp_path / "d", steps=1, recipe=RECIPE, bank=shipped_bank(), start=tmp_path)


def test_the_threshold_is_chosen_and_written(weights):
    options = calibrate_detector(weights, scenes=3, bank=shipped_bank())
    assert DinoOptions.read(weights) == options
    settings = json.loads((weights / "segue.json").read_text())
    assert settings["box_threshold"] == settings["text_threshold"]
    assert settings["nms_iou"] == 0.5


def test_evaluation_has_a_row_for_each_language(weights):
    table = evaluate_detector(weights, scenes=2, bank=shipped_bank())
    assert set(table) == {"scenes, English", "scenes, Chinese"}
    assert all(0 <= v <= 1 for row in table.values() for k, v in row.items() if k != "objects")


def test_figures_of_known_answers():
    case = DetectionCase(one_square(), (7, 1))
    answer = ((Detection("", SQUARE, 0.9),), (Detection("", SQUARE, 0.4),))
    figures = measure_detections([case], [answer], 0.3)
    assert figures["ap50"] == 1
    assert figures["recall"] == 1
    assert figures["precision"] == 0.5
    assert figures["absent"] == 1
    assert figures["f1"] == pytest.approx(2 / 3)
    assert best_f1([case], [answer]) == 1
    assert measure_detections([case], [answer], 0.5)["absent"] == 0
    assert choose_threshold([case], [answer]) > 0.4


def test_average_precision_of_a_known_ranking():
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert average_precision(scores, np.array([True, False, True]), 2) == pytest.approx(0.5 + 1 / 3)
    assert average_precision(scores[:0], np.array([], bool), 2) == 0


def test_all_names_of_a_noun_begin_as_one_vector():
    owned = nouns_of_tokens()
    table = new_detector(TINY, 0, owned).model.text_backbone.embeddings.word_embeddings.weight
    airplane, plane, chinese = (phrase_ids(p)[0] for p in ("airplane", "plane", "飞机"))
    assert torch.equal(table[airplane], table[plane])
    assert torch.equal(table[airplane], table[chinese])
    assert not torch.equal(table[airplane], table[phrase_ids("dog")[0]])
    assert owned[phrase_ids("truck")[0]] != owned[phrase_ids("firetruck")[0]]


def test_naming_asks_for_the_smaller_of_two_objects_and_for_nothing_beside_them():
    centres = torch.tensor([[0.5, 0.5], [0.3, 0.5], [0.95, 0.95]])
    boxes = torch.tensor([[0.5, 0.5, 0.8, 0.8], [0.5, 0.5, 0.2, 0.2]])
    right = torch.full((1, 3, 3), -9.0)
    right[0, 0, 1] = right[0, 1, 0] = right[0, 2, 2] = 9
    boxes, nouns_there = boxes[None], torch.tensor([[0, 1]])
    assert naming_loss(right, boxes, nouns_there, centres) < 1e-3
    assert naming_loss(right.flip(1), boxes, nouns_there, centres) > 5
