"""Questions about presence on drawn scenes."""

import numpy as np

from lab.presence import as_ink_drawing, draw_questions


def test_as_many_nouns_are_absent_as_present_and_both_languages_are_asked():
    drawn = list(draw_questions("trained", 4, seed=1))
    assert len(drawn) == 4
    for number, (image, questions) in enumerate(drawn):
        present = {question.phrase for question in questions if question.is_present}
        absent = {question.phrase for question in questions if not question.is_present}
        assert len(present) == len(absent) > 0
        assert not present & absent
        assert {question.image for question in questions} == {image.name}
        assert all(phrase.isascii() == (number % 2 == 0) for phrase in present | absent)
    again = [questions for _, questions in draw_questions("trained", 4, seed=1)]
    assert again == [questions for _, questions in drawn]


def test_an_ink_drawing_keeps_size_and_outlines_and_loses_colour():
    picture = np.full((40, 60, 3), (200, 30, 30), np.uint8)
    picture[10:30, 20:40] = (20, 200, 60)
    drawn = as_ink_drawing(picture)
    assert (drawn.shape, drawn.dtype) == (picture.shape, np.uint8)
    assert int(drawn[20, 20].max()) < int(drawn[20, 30].max())
    assert np.ptp(drawn[5, 5].astype(int)) < 40
