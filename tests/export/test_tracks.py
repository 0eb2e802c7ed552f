"""Exports of a tracking run: COCO with tracks, MOT text, the film, the sheet."""

import json

import numpy as np
import PIL.Image
import pytest

from clips import SIZE, DrawnVideo, square_box
from segue.assistant import Assistant
from segue.export import tracks
from segue.runs.tracking.run import TrackingRun
from segue.runs.tracking.settings import TrackingSettings
from segue.segment.box_fill import BoxFill
from segue.trackers.box_following import BoxTracker
from segue.values.mask import Mask
from segue.video.opening import open_video


@pytest.fixture(scope="module")
def video():
    return DrawnVideo(12, hidden=(5,))


@pytest.fixture(scope="module")
def store(video, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = TrackingSettings(boxes=(square_box(0).corners, (40.0, 34.0, 60.0, 46.0)))
    assistant = Assistant(segmenter=BoxFill())
    run = TrackingRun(video, folder, settings, assistant, BoxTracker(BoxFill()))
    list(run.results())
    return run.store


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco_has_tracks_and_times_and_is_read_by_pycocotools(store, video, tmp_path, capsys):
    coco_api = pytest.importorskip("pycocotools.coco")
    file = tracks.write_coco_tracks(store, video, tmp_path / "coco.json")
    document = json.loads(file.read_text())
    assert [track["id"] for track in document["tracks"]] == [1, 2]
    assert document["images"][5]["frame_index"] == 5
    assert document["images"][5]["seconds"] == 0.5
    assert {a["video_id"] for a in document["annotations"]} == {1}
    assert [a["track_id"] for a in document["annotations"] if a["image_id"] == 6] == [2]
    api = coco_api.COCO(str(file))
    frames = {frame.number: frame for frame in store.frames()}
    for annotation in api.loadAnns(api.getAnnIds()):
        frame = frames[annotation["image_id"] - 1]
        (entry,) = [e for e in frame.entries if e.track == annotation["track_id"]]
        assert np.array_equal(api.annToMask(annotation).astype(bool), entry.mask.array)


def test_mot_counts_frames_ids_and_corners_from_one(store, tmp_path):
    lines = tracks.write_mot(store, tmp_path / "mot.txt").read_text().splitlines()
    assert lines[0].startswith("1,1,5,17,14,14,")
    assert lines[0].endswith(",-1,-1,-1")
    assert len(lines) == 23  # one of two tracks is lost on one frame
    assert all(len(line.split(",")) == 10 for line in lines)


def test_the_film_has_all_frames_at_their_times_with_stable_colours(store, video, tmp_path):
    pytest.importorskip("av")
    film = open_video(tracks.write_overlay_film(store, video, tmp_path / "overlay.mp4"))
    assert film.size == SIZE
    assert film.times == pytest.approx(video.times, abs=0.002)
    square = Mask.from_box(square_box(0).clipped(SIZE), SIZE).array
    still = np.zeros(SIZE, bool)
    still[38:42, 48:56] = True
    frames = [frame.image.array for frame in film.read([0, 5, 11])]
    second = [frame[still].mean(0) for frame in frames]  # also where the first one is lost
    assert all(np.abs(colour - second[0]).max() < 25 for colour in second)
    assert np.abs(frames[0][square].mean(0) - second[0]).max() > 25


def test_the_sheet_shows_frames_from_the_first_to_the_last(store, video, tmp_path):
    file = tracks.write_contact_sheet(store, video, tmp_path / "sheet.png", 6)
    with PIL.Image.open(file) as sheet:
        assert sheet.size == (4 * 64, 2 * 48)
