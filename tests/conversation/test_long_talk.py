"""Sixty mixed questions with the embedded models: right to the end, and each object once."""

import random

import pytest

import segue
from benchmarks.long_talk import questions_about
from segue.embedded.samples import sample
from segue.export import annotated


@pytest.mark.parametrize("name", ["airport", "meadow", "table", "beach"])
def test_sixty_turns_are_answered_and_each_object_is_exported_once(name):
    scene = sample(name)
    questions = questions_about(scene)
    rng = random.Random(name)
    conversation = segue.load("embedded", route="auto").open(scene.image)
    n_right = n_broken = 0
    for _ in range(60):
        question, is_right = rng.choice(questions)
        answer = conversation.ask(question, segue.Sampling(max_new_tokens=80))
        n_right += is_right(answer)
        n_broken += bool(answer.broken) or answer.finish != "stop"
    assert n_right >= 58
    assert n_broken == 0
    exported = annotated(conversation.answers)
    n_regions = sum(len(picture.regions) for picture in exported)
    assert n_regions == len({region.id for region in conversation.regions})
    places = [region.box for region in conversation.regions]
    assert all(a.iou(b) < 0.5 for n, a in enumerate(places) for b in places[:n])
