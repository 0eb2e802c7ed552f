"""Video models of transformers, one frame at a time, without keeping the film."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from clips import square_box, square_pixels
from segue.errors import ModelError
from segue.trackers.video_memory import MAX_PROMPTED_FRAMES, load
from segue.values.box import Size
from segue.values.image import Image
from segue.values.mask import Mask
from tiny_models import tiny_sam2, tiny_video_model

MASK = Mask.from_box(square_box(0), Size(48, 64))


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    return load(tiny_video_model(tmp_path_factory.mktemp("video")), device="cpu")


def look(tracker, number):
    return tracker.look(Image(square_pixels(number % 40)))


def test_a_session_keeps_a_bounded_number_of_frames(tracker):
    follower = tracker.start(look(tracker, 0), MASK)
    for number in range(1, 40):
        follower.advance(look(tracker, number))
        if number % 5 == 0:
            follower.prompt(look(tracker, number), MASK)
    assert follower.n_kept <= tracker.n_memories + 1 + MAX_PROMPTED_FRAMES


def test_dropping_what_is_not_read_changes_no_number(tracker):
    """The same frames through the session of transformers, which keeps everything."""
    follower = tracker.start(look(tracker, 0), MASK)
    session = tracker.session_class(video_height=48, video_width=64, dtype=torch.float32)
    square = torch.from_numpy(MASK.array.copy())[None, None].float()
    square = torch.nn.functional.interpolate(
        square, size=(tracker.side, tracker.side), mode="bilinear", antialias=True
    )
    session.add_mask_inputs(session.obj_id_to_idx(1), 0, (square >= 0.5).float())
    session.obj_with_new_inputs = [1]
    for number in range(15):
        frame = look(tracker, number)
        expected = tracker.model(inference_session=session, frame=frame.pixels)
        if number:
            score = follower.advance(look(tracker, number)).score
            logit = expected.object_score_logits.float().reshape(-1)[0]
            assert score == pytest.approx(float(logit.sigmoid()), abs=1e-5)


def test_a_frame_is_encoded_once_for_all_objects(tracker):
    one, other = (tracker.start(look(tracker, 0), MASK) for _ in range(2))
    frame = look(tracker, 1)
    one.advance(frame)
    features = frame.features
    other.advance(frame)
    assert features is not None
    assert frame.features is features


@pytest.fixture(scope="module")
def whole_sam3(tmp_path_factory):
    """A tracker of SAM 3, and the same one within a folder as facebook/sam3 is published."""
    alone = tiny_video_model(tmp_path_factory.mktemp("alone"), "sam3_tracker_video")
    both = tmp_path_factory.mktemp("both")
    tensors = {"detector_model.text_encoder.weight": torch.zeros(2)}
    for name, value in load_file(alone / "model.safetensors").items():
        if name.startswith("vision_encoder.backbone."):
            tensors[f"detector_model.{name}"] = value
        elif name.startswith("vision_encoder.neck."):
            tensors[f"tracker_neck.{name.removeprefix('vision_encoder.neck.')}"] = value
        else:
            tensors[f"tracker_model.{name}"] = value
    save_file(tensors, both / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((alone / "config.json").read_text())
    settings = {"model_type": "sam3_video", "detector_config": {}, "tracker_config": config}
    (both / "config.json").write_text(json.dumps(settings))
    return alone, both


def test_the_tracker_of_a_whole_sam3_is_taken_from_its_folder(whole_sam3):
    alone, both = (load(folder, device="cpu") for folder in whole_sam3)
    assert both.model.state_dict().keys() == alone.model.state_dict().keys()
    estimates = []
    for tracker in (alone, both):
        follower = tracker.start(look(tracker, 0), MASK)
        estimates.append([follower.advance(look(tracker, number)) for number in (1, 2)])
    assert [one.score for one in estimates[0]] == [one.score for one in estimates[1]]
    assert [one.mask for one in estimates[0]] == [one.mask for one in estimates[1]]
    assert alone.look(Image(square_pixels(0))).pixels.max() <= 1  # SAM 3 sees -1 to 1


def test_a_whole_sam3_without_all_of_its_tracker_is_refused(whole_sam3, tmp_path):
    _, both = whole_sam3
    tensors = load_file(both / "model.safetensors")
    part = {name: value for name, value in tensors.items() if "memory_attention" not in name}
    save_file(part, tmp_path / "model.safetensors", metadata={"format": "pt"})
    settings = json.loads((both / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="memory_attention"):
        load(tmp_path, device="cpu")
    del settings["tracker_config"]
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="no 'tracker_config', so it holds no tracker"):
        load(tmp_path, device="cpu")


def test_weights_of_another_kind_are_refused(tmp_path):
    with pytest.raises(ModelError, match="must hold a model of type 'sam2_video'"):
        load(tiny_sam2(tmp_path), device="cpu")
