import numpy as np
import pytest

from segue.benchmarks.item import AnsweredRegion, BenchmarkAnswer, BenchmarkItem, VideoTruth
from segue.benchmarks.video_protocols import MevisProtocol, RefDavisProtocol
from segue.values.box import Box, Size
from segue.values.mask import rle


def clip(*frames: str) -> np.ndarray:
    """The masks of one object, (frames, 1, width): "1100" is two pixels of four."""
    return np.array([[[character == "1" for character in frame]] for frame in frames])


def question(*objects: np.ndarray, phrases=None, void: np.ndarray | None = None) -> BenchmarkItem:
    """An item about some objects; `phrases` are the indices that each phrase means."""
    meant = (tuple(range(len(objects))),) if phrases is None else tuple(phrases)
    n_frames = len(objects[0]) if objects else 2

    def read_frame(frame: int) -> np.ndarray:
        masks = [masks[frame] for masks in objects]
        return np.array(masks) if masks else np.zeros((0, 1, 4), bool)

    truth = VideoTruth(len(objects), meant, read_frame, None if void is None else void.__getitem__)
    return BenchmarkItem(
        id="q",
        image_name="0.png",
        frame_names=tuple(f"{number}.png" for number in range(n_frames)),
        phrases=tuple(f"thing {number}" for number in range(len(meant))),
        read_truth=lambda size: truth,
    )


def reply(*tracks: tuple[int, np.ndarray, float], error: str | None = None) -> BenchmarkAnswer:
    """An answer: phrase, masks and score of each track."""
    regions = [
        AnsweredRegion(phrase, Box(0, 0, 1, 1), score, rle.encode(mask), frame)
        for phrase, masks, score in tracks
        for frame, mask in enumerate(masks)
        if mask.any()
    ]
    return BenchmarkAnswer(id="q", size=Size(1, 4), regions=tuple(regions), error=error)


def test_mevis_is_the_mean_over_all_frames(figures):
    protocol = MevisProtocol()
    # J is 1, 1/2, 0; F is 1 twice (all edges lie within a pixel) and 0 where nothing is answered.
    score = protocol.score(
        question(clip("1100", "1100", "1100")), reply((0, clip("1100", "1000", "0000"), 0.9))
    )
    result = figures(protocol, score)
    assert result["J"] == pytest.approx(0.5)
    assert result["F"] == pytest.approx(2 / 3)
    assert result["J&F"] == pytest.approx((0.5 + 2 / 3) / 2)
    assert result["T-acc"] == 1


def test_mevis_unites_objects_and_answers(figures):
    left, right = clip("1100"), clip("0011")
    score = MevisProtocol().score(question(left, right), reply((0, left, 0.9), (0, right, 0.2)))
    assert figures(MevisProtocol(), score)["J"] == 1


def test_mevis_rewards_silence_where_there_is_no_target(figures):
    protocol = MevisProtocol()
    nowhere = question()
    silent = protocol.score(nowhere, reply())
    wrong = protocol.score(nowhere, reply((0, clip("1000", "0000"), 0.9)))  # on one of two frames
    assert figures(protocol, silent)["J&F"] == 1
    assert figures(protocol, wrong)["J&F"] == 0.5
    assert figures(protocol, silent, wrong)["N-acc"] == 0.5
    assert np.isnan(figures(protocol, silent)["T-acc"])


@pytest.mark.parametrize("protocol", [MevisProtocol(), RefDavisProtocol()])
def test_a_failure_has_nothing_right_even_about_hidden_objects(protocol, figures):
    hidden = question(clip("0000", "0000"))
    result = figures(protocol, protocol.score(hidden, reply(error="no picture")))
    assert (result["J"], result["F"]) == (0, 0)


def test_a_failure_declines_nothing(figures):
    score = MevisProtocol().score(question(), reply(error="no picture"))
    assert figures(MevisProtocol(), score)["N-acc"] == 0


def test_ref_davis_gives_a_pixel_to_the_surest_phrase(figures):
    protocol, left, right = RefDavisProtocol(), clip("1100"), clip("0011")
    item = question(left, right, phrases=[(0,), (1,)])
    both = clip("1111")
    score = protocol.score(item, reply((0, left, 0.9), (1, both, 0.5)))
    assert figures(protocol, score)["J"] == 1
    score = protocol.score(item, reply((0, left, 0.5), (1, both, 0.9)))  # J 0 and 1/2
    assert figures(protocol, score)["J"] == 0.25


def test_ref_davis_matches_masks_to_the_objects_they_fit(figures):
    protocol, left, right = RefDavisProtocol(), clip("1100"), clip("0011")
    item = question(left, right, phrases=[(0,), (1,)])
    swapped = protocol.score(item, reply((0, right, 0.9), (1, left, 0.9)))
    assert figures(protocol, swapped)["J&F"] == 1
    by_itself = MevisProtocol().score(item, reply((0, right, 0.9), (1, left, 0.9)))
    assert figures(MevisProtocol(), by_itself)["J"] == 0


def test_ref_davis_leaves_out_pixels_of_no_object(figures):
    protocol = RefDavisProtocol()
    item = question(clip("1100"), void=clip("0011"))
    assert figures(protocol, protocol.score(item, reply((0, clip("1111"), 0.9))))["J&F"] == 1


def test_an_object_without_a_mask_counts_where_it_is_hidden(figures):
    protocol = RefDavisProtocol()
    item = question(clip("1100", "1100"), clip("0011", "0000"), phrases=[(0,), (1,)])
    score = protocol.score(item, reply((0, clip("1100", "1100"), 0.9)))
    assert figures(protocol, score)["J"] == pytest.approx((1 + 0.5) / 2)


def test_regions_keep_their_frame_in_the_journal():
    answer = reply((0, clip("1100", "1000"), 0.9))
    assert BenchmarkAnswer.from_json(answer.to_json()) == answer
    assert [len(region) for region in answer.to_json()["regions"]] == [4, 5]
