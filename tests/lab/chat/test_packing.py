"""Turns as tokens: the packed prompt is the real prompt, and looks point at what they mean."""

from functools import cache

import numpy as np
import pytest

from lab.chat.data import SceneArrays, draw_arrays
from lab.chat.packed_rows import PackedRows
from lab.chat.packing import FULL_MIX, TurnPacker
from lab.chat.vision_stage import visual_settings
from lab.language.dialogues import TAG_KINDS
from lab.scenes.scene import SceneRecipe
from lab.scenes.sprites import shipped_bank
from segue.errors import UnknownName
from segue.models.qwen_vl import QwenVLProcessor, QwenVLTokenizer, VisualConfig
from segue.runtime.weights import locate
from segue.values.image import Image
from segue.values.message import Message


@cache
def packed() -> tuple[QwenVLTokenizer, TurnPacker, PackedRows, SceneArrays]:
    tokenizer = QwenVLTokenizer.read(locate("embedded/chat"))
    packer = TurnPacker(tokenizer, 384, np.random.default_rng(0))
    arrays = draw_arrays(8, 1, shipped_bank(), SceneRecipe())
    rows = packer.pack(arrays, FULL_MIX)
    return tokenizer, packer, rows, arrays


def test_a_packed_turn_is_the_prompt_that_the_processor_makes() -> None:
    tokenizer, packer, rows, arrays = packed()
    processor = QwenVLProcessor(tokenizer, VisualConfig.read(visual_settings()))
    span = rows.scored_spans[0]
    turn = rows.turn[span.row, span.start]
    place = np.flatnonzero((rows.turn[span.row] == turn)[: span.start])
    ids = rows.ids[span.row, place].tolist()
    question = tokenizer.decode(ids[: -len(packer.reply)])
    message = Message("user", question, (Image(arrays.images[span.row].copy()),))
    assert processor.chat([message]).ids == packer.prompt + ids


def test_positions_of_a_packed_turn_go_on_from_the_prompt() -> None:
    _, packer, rows, _ = packed()
    for span in rows.scored_spans:
        own = np.flatnonzero(rows.turn[span.row] == rows.turn[span.row, span.start])
        positions = rows.positions[span.row, own]
        assert positions[0] == len(packer.prompt)
        assert (np.diff(positions) == 1).all()


def test_only_answers_are_learned() -> None:
    _, _, rows, _ = packed()
    learned = np.zeros(rows.ids.shape, bool)
    for span in rows.scored_spans:
        learned[span.row, span.start : span.start + span.length] = True
    assert np.array_equal(learned, rows.labels >= 0)
    assert (rows.weights[learned] > 0).all()
    assert np.array_equal(rows.labels[learned], rows.ids[learned])


def test_nobody_is_told_to_look_at_the_future_or_at_another_turn() -> None:
    _, packer, _, arrays = packed()
    for _ in range(8):
        rows = packer.pack(arrays, FULL_MIX)
        for name, targets in rows.targets.items():
            assert targets, name
            for target in targets:
                assert (target.keys <= target.token).all()
                turns = rows.turn[target.row, target.keys]
                assert ((turns == 0) | (turns == rows.turn[target.row, target.token])).all()


def test_a_noun_looks_at_the_cells_of_its_objects() -> None:
    _, packer, rows, arrays = packed()
    two = {row for row, _, _ in rows.pictures}
    for target in rows.targets["noun"]:
        if target.row in two:
            continue
        noun = packer.markers.nouns[int(rows.ids[target.row, target.token])]
        owner = arrays.cells[target.row]
        cell_nouns = arrays.objects[target.row, np.maximum(owner, 0), 0]
        cells = np.flatnonzero((owner >= 0) & (cell_nouns == noun)) + packer.first_cell
        present = noun in arrays.objects[target.row, :, 0]
        assert target.keys.tolist() == (cells.tolist() if present else [0])


def test_box_tokens_know_their_object() -> None:
    _, packer, rows, arrays = packed()
    assert rows.boxes
    for row, at, scene, number in rows.boxes:
        assert arrays.objects[scene, number, 0] >= 0
        assert int(rows.ids[row, at]) != packer.markers.box_end


def test_what_follows_a_question_sees_it_and_stands_after_it() -> None:
    tokenizer, _, rows, _ = packed()
    followed = [j for j in rows.scored_spans if j.kind.endswith(("_again", "_it", "_other"))]
    assert followed
    for span in followed:
        own = np.flatnonzero(rows.turn[span.row] == rows.turn[span.row, span.start])
        context = tokenizer.decode(rows.ids[span.row, own[own < span.start]].tolist())
        assert context.count("<|im_start|>assistant") >= 2
        assert context.count("<|im_start|>user") == context.count("<|im_start|>assistant") - 1


def test_kinds_that_are_left_out_are_never_asked() -> None:
    tokenizer, _, _, arrays = packed()
    rng = np.random.default_rng(1)
    packer = TurnPacker(
        tokenizer, 384, rng, leave_out=(*TAG_KINDS, "count", "count_all"), chinese_share=0.0
    )
    texts = []
    for _ in range(6):
        rows = packer.pack(arrays, FULL_MIX)
        assert not {j.kind for j in rows.scored_spans} & {*TAG_KINDS, "count", "count_all"}
        texts += [tokenizer.decode(ids) for ids in rows.ids]
    assert not any("gsam" in text or "How many" in text for text in texts)
    assert all(text.isascii() for text in texts)
    with pytest.raises(UnknownName, match="segment_two"):
        TurnPacker(tokenizer, 384, rng, leave_out=("segment_tow",))


def test_a_second_picture_stands_as_the_processor_writes_it_and_is_what_is_looked_at() -> None:
    tokenizer, _, _, arrays = packed()
    packer = TurnPacker(tokenizer, 384, np.random.default_rng(4))
    processor = QwenVLProcessor(tokenizer, VisualConfig.read(visual_settings()))
    targets_found = 0
    for _ in range(6):
        rows = packer.pack(arrays, FULL_MIX)
        for row, first_cell, scene in rows.pictures:
            pads = rows.ids[row] == tokenizer.picture_pad_id
            cells = np.r_[packer.first_cell : packer.first_cell + 64, first_cell : first_cell + 64]
            assert np.array_equal(np.flatnonzero(pads), cells)
            text = tokenizer.decode(
                [int(i) for i in rows.ids[row] if i != tokenizer.picture_pad_id]
            )
            reply = [part.split("<|im_end|>")[0] for part in text.split("<|im_start|>")[2:]]
            messages = []
            for number, part in enumerate(reply[:-1]):
                image_cells = tuple(
                    Image(arrays.images[picture].copy())
                    for name, picture in (("Picture 1: ", row), ("Picture 2: ", scene))
                    if name in part
                )
                content = part.split("\n", 1)[1]
                for name in ("Picture 1: ", "Picture 2: "):
                    content = content.replace(f"{name}<img></img>\n", "")
                messages.append(
                    Message("assistant" if number % 2 else "user", content, image_cells)
                )
            ids = processor.chat(messages).ids
            assert rows.ids[row, : len(ids)].tolist() == ids
            for target in rows.targets["box"]:
                if target.row == row and target.token > first_cell:
                    later = target.keys >= first_cell
                    assert later.all() or not later.any()
                    targets_found += bool(later.all())
    assert targets_found


def test_every_other_talk_may_stand_further_from_its_picture() -> None:
    tokenizer, _, _, arrays = packed()
    packer = TurnPacker(tokenizer, 384, np.random.default_rng(2), max_gap=200)
    begins = []
    for _ in range(4):
        rows = packer.pack(arrays, FULL_MIX)
        for span in rows.scored_spans:
            own = np.flatnonzero(rows.turn[span.row] == rows.turn[span.row, span.start])
            positions = rows.positions[span.row, own]
            assert (np.diff(positions) == 1).all()
            begins.append(int(positions[0]) - len(packer.prompt))
    assert min(begins) == 0
    assert 100 < max(begins) < 200
    assert 0.3 < np.mean(np.array(begins) > 0) < 0.7
