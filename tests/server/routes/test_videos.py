"""Films over HTTP: kept, shown, followed, corrected, exported, and what is refused."""

import asyncio
import base64
import io
import os
import threading
from itertools import islice

import numpy as np
import PIL.Image
import pytest

from clips import SIZE, square_box, square_pixels, write_square_clip
from concepts import FixedConcepts
from segue.assistant import Assistant
from segue.assistant.loading import load_tracker
from segue.detect.fixed import Fixed
from segue.segment.box_fill import BoxFill
from segue.server.http import examples
from segue.server.http.keys import owner_of
from segue.server.http.video_models import TracksRequest
from segue.values.mask import Mask
from server.conftest import KEY, OTHER_KEY, apart, begin, events, running, scripted
from tiny_models import tiny_video_model

pytest.importorskip("av")
N_FRAMES = 16
BOX = list(square_box(5).corners)
REQUEST = {"boxes": [BOX], "frame": 5}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_square_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", N_FRAMES).read_bytes()


def assistant():
    """Boxes are their own masks; the detector knows where the square is at first."""
    return Assistant(scripted().chat, Fixed({"square": [square_box(0)]}), segmenter=BoxFill())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(assistant(), tmp_path_factory.mktemp("films"), requests_per_minute=0) as one:
        yield one


def send(client, content, name="street.mp4"):
    return client.post("/v1/videos", files={"file": (name, content, "video/mp4")})


@pytest.fixture
def video(client, clip):
    """The address of a film that nothing was followed in yet."""
    id = send(client, clip).json()["id"]
    client.delete(f"/v1/videos/{id}")
    send(client, clip)
    return f"/v1/videos/{id}"


def follow(client, video, **fields):
    body = {**REQUEST, "stream": True, **fields}
    with client.stream("POST", f"{video}/tracks", json=body) as response:
        assert response.status_code == 200, response.read()
        return events(response)


def numbers(received):
    return [data["number"] for name, data in received if name == "frame"]


def error_of(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_film_is_kept_by_its_content_and_described(client, clip):
    answer = send(client, clip)
    assert answer.status_code == 201
    film = answer.json()
    known = [film[name] for name in ("name", "frames", "fps", "seconds", "width", "height")]
    assert known == ["street.mp4", N_FRAMES, 10, 1.6, 64, 48]
    again = send(client, clip, "other.mp4").json()
    assert again == film
    whole = client.get(f"/v1/videos/{film['id']}?times=true").json()
    assert whole.pop("times") == pytest.approx([number / 10 for number in range(N_FRAMES)])
    assert whole == film
    assert film in client.get("/v1/videos").json()["videos"]
    assert client.get(film["url"]).content == clip
    part = client.get(film["url"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, clip[10:20])
    assert part.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(("kind", "tolerance"), [("jpeg", 12), ("png", 8)])
def test_a_frame_is_a_picture(client, video, kind, tolerance):
    answer = client.get(f"{video}/frames/7?format={kind}")
    assert answer.headers["content-type"] == f"image/{kind}"
    pixels = np.asarray(PIL.Image.open(io.BytesIO(answer.content)).convert("RGB"), int)
    assert abs(pixels - square_pixels(7)).mean() < tolerance
    small = client.get(f"{video}/frames/7?size=32")
    assert PIL.Image.open(io.BytesIO(small.content)).size == (32, 24)
    assert error_of(client.get(f"{video}/frames/{N_FRAMES}")) == (404, "not_found")


def test_following_is_a_stream_of_frames_forwards_and_then_backwards(client, video):
    received = follow(client, video)
    assert [name for name, _ in received[:2]] == ["start", "tracks"]
    assert received[0][1]["numbers"] == list(range(N_FRAMES))
    assert received[0][1]["pending"] == N_FRAMES
    (track,) = received[1][1]["tracks"]
    assert track == {"id": 1, "phrase": "", "frame": 5, "added": False, "colour": "#e69f00"}
    assert numbers(received) == [*range(5, N_FRAMES), *range(4, -1, -1)]
    for name, frame in received:
        if name == "frame":
            (entry,) = frame["entries"]
            mask = Mask.from_rle(entry["mask"])
            assert mask.box.centre == pytest.approx(square_box(frame["number"]).centre, abs=2)
            assert entry["box"] == list(mask.box.corners)
    name, done = received[-1]
    assert (name, done["pending"], done["gaps"]) == ("done", 0, [])
    assert done["request"]["boxes"] == [BOX]


def test_the_same_request_does_nothing_again_and_gives_what_is_there(client, video):
    first = follow(client, video)
    again = follow(client, video)
    assert (again[0][1]["pending"], again[0][1]["stored"]) == (0, N_FRAMES)
    assert numbers(again) == list(range(N_FRAMES))
    assert numbers(follow(client, video, stored=False)) == []
    whole = client.post(f"{video}/tracks", json=REQUEST).json()
    assert whole["run"] == first[0][1]["run"]
    assert [frame["number"] for frame in whole["frames"]] == list(range(N_FRAMES))
    assert client.get(f"{video}/tracks/{whole['run']}").json() == whole
    other = client.post(f"{video}/tracks", json={**REQUEST, "every": 5, "frame": 5}).json()
    assert other["run"] != whole["run"]
    assert other["numbers"] == [0, 5, 10, 15]


def record_of(server, video):
    return server.services.videos.store.find(owner_of(KEY), video.rpartition("/")[2])


def test_a_run_whose_client_went_away_stops_and_goes_on_later(server, client, video):
    body = {**REQUEST, "stream": True}
    with client.stream("POST", f"{video}/tracks", json=body) as response:
        assert any(line == "event: frame" for line in response.iter_lines())
    for job in server.services.videos.jobs_of(record_of(server, video).id):
        assert job.done.wait(20)
    received = follow(client, video)
    assert received[-1][0] == "done"
    assert sorted(numbers(received)) == list(range(N_FRAMES))  # none was followed twice


def test_an_interrupted_run_goes_on_where_it_was(server, client, video):
    settings = TracksRequest(**REQUEST).to_settings(SIZE)
    run = server.services.videos.track(
        record_of(server, video), settings, [], [], with_stored=False
    )
    list(islice(run, 6))  # the beginning, the tracks, and four frames
    run.close()
    received = follow(client, video)
    assert received[0][1]["pending"] == N_FRAMES - 4
    assert numbers(received) == [5, 6, 7, 8, *range(9, N_FRAMES), *range(4, -1, -1)]


def test_a_correction_is_followed_anew_from_its_frame(client, video):
    follow(client, video)
    correction = {"frame": 10, "track": 1, "box": [2, 2, 12, 12]}
    received = follow(client, video, corrections=[correction], stored=False)
    assert received[0][1]["pending"] == N_FRAMES - 10
    assert numbers(received) == list(range(10, N_FRAMES))
    entry = received[2][1]["entries"][0]
    assert (entry["reason"], entry["box"]) == ("correction", [2, 2, 12, 12])
    assert [one["frame"] for one in received[-1][1]["corrections"]] == [10]
    whole = client.post(f"{video}/tracks", json=REQUEST).json()  # it stays
    assert whole["frames"][10]["entries"][0]["box"] == [2, 2, 12, 12]
    assert whole["frames"][9]["entries"][0]["box"] != [2, 2, 12, 12]


def test_a_correction_that_makes_no_sense_spoils_nothing(client, video):
    follow(client, video)
    for correction, words in [
        ({"frame": 3, "track": 7, "box": BOX}, "There is no track 7"),
        ({"frame": 99, "track": 1, "box": BOX}, "Frame 99 is not among"),
        ({"frame": 3, "track": 1, "box": [500, 500, 510, 510]}, ""),
        ({"frame": 3, "track": 1}, "'box', or 'points'"),
    ]:
        answer = client.post(f"{video}/tracks", json={**REQUEST, "corrections": [correction]})
        assert answer.status_code == 400, answer.text
        assert words in answer.json()["error"]["message"]
    assert numbers(follow(client, video)) == list(range(N_FRAMES))


def test_a_correction_is_undone_and_a_thing_is_added_without_the_others(client, video):
    follow(client, video)
    correction = {"frame": 10, "track": 1, "box": [2, 2, 12, 12]}
    run = follow(client, video, corrections=[correction])[-1][1]["run"]
    undone = client.post(f"{video}/tracks/{run}/undo", json={"frame": 10, "track": 1}).json()
    assert (undone["pending"], undone["corrections"]) == (0, [])
    assert undone["frames"][10]["entries"][0]["box"] != [2, 2, 12, 12]
    again = client.post(f"{video}/tracks/{run}/undo", json={"frame": 10})
    assert error_of(again) == (409, "nothing_to_undo")
    assert error_of(client.post(f"{video}/tracks/{'0' * 16}/undo", json={}))[0] == 404

    addition = {"frame": 12, "phrase": "the square", "box": list(square_box(12).corners)}
    received = follow(client, video, additions=[addition], stored=False)
    assert (received[0][1]["run"], received[0][1]["pending"]) == (run, N_FRAMES)
    assert numbers(received) == [*range(12, N_FRAMES), *range(11, -1, -1)]
    followed = {e["track"] for name, data in received if name == "frame" for e in data["entries"]}
    assert followed == {2}
    added = received[-1][1]["tracks"][1]
    assert (added["phrase"], added["frame"], added["added"]) == ("the square", 12, True)
    assert client.post(f"{video}/tracks/{run}/undo", json={}).json()["tracks"][0]["id"] == 1
    wrong = {**addition, "mask": {"size": [1, 1], "counts": "1"}}
    answer = client.post(f"{video}/tracks", json={**REQUEST, "additions": [wrong]})
    assert error_of(answer) == (400, "invalid_value")


def test_what_is_pointed_at_is_seen_before_it_is_followed(client, video):
    targets = [{"box": [4, 16, 18, 30], "points": [[50, 40]], "labels": [0]}]
    body = {"phrases": ["square", "cat"], "targets": targets}
    seen = client.post(f"{video}/frames/0/segment", json=body).json()
    assert [(one["phrase"], one["box"]) for one in seen["found"]] == [("square", [4, 16, 18, 30])]
    assert seen["targets"][0]["box"] == [4, 16, 18, 30]
    assert (seen["frame"], seen["not_found"]) == (0, ["cat"])
    mask = {"size": list(SIZE), "counts": seen["found"][0]["mask"]["counts"]}
    shown = {"targets": [{"phrase": "square", "mask": mask}], "boxes": [], "frame": 0}
    received = follow(client, video, **shown)
    assert received[1][1]["tracks"][0]["phrase"] == "square"
    assert received[2][1]["entries"][0]["mask"]["counts"] == mask["counts"]
    request = received[-1][1]["request"]
    assert client.post(f"{video}/tracks", json=request).json()["pending"] == 0
    for body, status in [({}, 400), ({"targets": [{}]}, 400), ({"phrases": ["x"]}, 404)]:
        number = N_FRAMES if status == 404 else 0
        assert error_of(client.post(f"{video}/frames/{number}/segment", json=body))[0] == status


def test_examples_find_what_they_show_where_the_detector_takes_them(client, tmp_path, clip):
    detector = FixedConcepts({"square": [square_box(0)]})
    shown = [{"box": BOX}, {"box": [0, 0, 4, 4], "positive": False}]
    models = Assistant(None, detector, segmenter=BoxFill())
    with running(models, tmp_path) as server, server.client() as other:
        assert other.get("/v1/about").json()["exemplars"] is True
        film = f"/v1/videos/{send(other, clip).json()['id']}"
        body = {"phrases": ["square"], "exemplars": shown}
        (seen,) = other.post(f"{film}/frames/5/segment", json=body).json()["found"]
        assert (seen["phrase"], seen["box"]) == ("square", BOX)
        run = other.post(f"{film}/tracks", json={**body, "frame": 5}).json()
        assert run["tracks"][0]["phrase"] == "square"
        assert run["request"]["exemplars"][1]["positive"] is False
        picture = other.get(f"{film}/frames/5?format=png").content
        data = "data:image/png;base64," + base64.b64encode(picture).decode()
        found = other.post("/v1/segment", json={"image": data, "exemplars": shown}).json()
        assert [region["box"] for region in found["regions"]] == [BOX]
        id = other.post("/v1/conversations", json={}).json()["id"]
        other.post(f"/v1/conversations/{id}/images", files={"file": ("5.png", picture)})
        like = {"exemplars": shown, "phrase": "square"}
        address = f"/v1/conversations/{id}/regions/like"
        preview = other.post(address, json={**like, "preview": True})
        assert (preview.status_code, preview.json()["regions"][0]["box"]) == (200, BOX)
        kept = other.post(address, json=like)
        assert kept.status_code == 201
        assert [region["phrase"] for region in kept.json()["regions"]] == ["square"]
        question = {"question": "what?"}
        assert error_of(other.post(f"{film}/ask", json=question)) == (400, "unsupported")
    assert client.get("/v1/about").json()["exemplars"] is False
    film = f"/v1/videos/{send(client, clip).json()['id']}"
    answer = client.post(f"{film}/frames/5/segment", json={"exemplars": shown})
    assert error_of(answer) == (400, "invalid_value")
    assert "Examples need a detector that takes boxes, got 'fixed'" in answer.text


def test_the_chat_model_is_asked_about_a_film_and_about_a_frame(client, video):
    answer = client.post(f"{video}/ask", json={"question": "what?", "frames": 3}).json()
    assert [frame["number"] for frame in answer["frames"]] == [0, 8, 15]
    (region,) = answer["regions"]
    assert (region["phrase"], region["image"]) == ("飞机", 2)
    assert answer["text"].startswith("Here 飞机")
    assert answer["not_found"] == ["dog", "cat"]
    assert region["mask"]["size"] == list(SIZE)
    body = {"question": "what?", "frame": 7, "stream": True}
    with client.stream("POST", f"{video}/ask", json=body) as response:
        received = events(response)
    assert received[0] == ("start", {"frames": [{"number": 7, "seconds": 0.7}]})
    assert received[-1][0] == "done"
    assert received[-1][1]["regions"][0]["image"] == 0
    assert {"text", "region", "mask"} <= {name for name, _ in received}
    assert error_of(client.post(f"{video}/ask", json={"question": " "})) == (400, "invalid_value")
    far = {"question": "what?", "frame": N_FRAMES}
    assert error_of(client.post(f"{video}/ask", json=far)) == (404, "not_found")
    both = {"question": "what?", "frame": 1, "start": 1}
    assert error_of(client.post(f"{video}/ask", json=both)) == (400, "invalid_value")
    words = {"question": "blur the square", "frame": 0, "route": "auto"}
    edit = client.post(f"{video}/ask", json=words).json()
    assert edit["notices"][-1].startswith("Films are not edited")
    late = {"question": "what?", "start": 99}
    assert error_of(client.post(f"{video}/ask", json=late)) == (400, "invalid_value")


def test_phrases_and_questions_are_followed(client, video):
    received = follow(client, video, boxes=[], phrases=["square", "cat"], frame=0)
    known = received[1][1]
    assert [track["phrase"] for track in known["tracks"]] == ["square"]
    assert known["not_found"] == ["cat"]
    asked = follow(client, video, boxes=[], question="what?", frame=0)
    assert asked[1][1]["tracks"][0]["phrase"] == "飞机"


def test_nothing_to_follow_is_a_sentence_without_options_of_the_command_line(client, video):
    answer = client.post(f"{video}/tracks", json={"phrases": ["cat"]})
    assert error_of(answer) == (400, "invalid_value")
    message = answer.json()["error"]["message"]
    assert "(not found: 'cat')" in message
    assert "--" not in message
    assert error_of(client.post(f"{video}/tracks", json={})) == (400, "invalid_value")
    two = client.post(f"{video}/tracks", json={**REQUEST, "every": 2, "fps": 3})
    assert error_of(two) == (400, "invalid_value")
    assert "--" not in two.json()["error"]["message"]
    name, data = follow(client, video, boxes=[], phrases=["cat"])[-1]
    assert (name, data["error"]["code"]) == ("error", "invalid_value")


def test_runs_are_exported(client, video):
    run = client.post(f"{video}/tracks", json=REQUEST).json()["run"]
    coco = client.get(f"{video}/tracks/{run}/coco.json")
    assert "street-coco.json" in coco.headers["content-disposition"]
    assert len(coco.json()["annotations"]) == N_FRAMES
    assert coco.json()["videos"][0]["name"] == "street.mp4"
    assert len(client.get(f"{video}/tracks/{run}/mot.txt").text.splitlines()) == N_FRAMES
    assert client.get(f"{video}/tracks/{run}/sheet.png").content.startswith(b"\x89PNG")
    film = client.get(f"{video}/tracks/{run}/overlay.mp4")
    assert film.headers["content-type"] == "video/mp4"
    assert send(client, film.content).json()["frames"] == N_FRAMES
    correction = {"frame": 10, "track": 1, "box": [2, 2, 12, 12]}
    client.post(f"{video}/tracks", json={**REQUEST, "corrections": [correction]})
    assert client.get(f"{video}/tracks/{run}/coco.json").content != coco.content
    assert error_of(client.get(f"{video}/tracks/{run}/other.txt"))[0] == 400
    for unknown in ("0" * 16, "..", "x"):
        assert error_of(client.get(f"{video}/tracks/{unknown}/mot.txt"))[0] == 404


def test_examples_of_the_document_have_the_fields_of_real_answers(client, video):
    assert client.get(video).json().keys() == examples.VIDEO.keys()
    correction = {"frame": 10, "track": 1, "box": [2, 2, 12, 12]}
    run = client.post(f"{video}/tracks", json={**REQUEST, "corrections": [correction]}).json()
    assert run.keys() == examples.TRACKS.keys()
    for name in ("tracks", "corrections", "frames"):
        assert run[name][0].keys() == examples.TRACKS[name][0].keys()
    (entry,) = run["frames"][0]["entries"]
    assert entry.keys() == examples.TRACKS["frames"][0]["entries"][0].keys()
    assert run["request"].keys() == examples.TRACKS["request"].keys()


def test_a_film_belongs_to_the_key_that_sent_it(server, client, video, clip):
    run = client.post(f"{video}/tracks", json=REQUEST).json()["run"]
    with server.client(OTHER_KEY) as stranger:
        for method, path in [
            ("GET", ""), ("GET", "/film"), ("GET", "/frames/0"), ("DELETE", ""),
            ("GET", f"/tracks/{run}"), ("GET", f"/tracks/{run}/mot.txt"),
        ]:  # fmt: skip
            answer = stranger.request(method, video + path)
            assert error_of(answer) == (404, "video_not_found"), path
        for path, body in [
            ("tracks", REQUEST), (f"tracks/{run}/undo", {}), ("ask", {"question": "what?"}),
            ("frames/0/segment", {"phrases": ["square"]}),
        ]:  # fmt: skip
            assert error_of(stranger.post(f"{video}/{path}", json=body))[0] == 404, path
        assert stranger.get("/v1/videos").json()["videos"] == []
        own = send(stranger, clip, "mine.mp4").json()
        assert own["name"] == "mine.mp4"
        assert not video.endswith(own["id"])
        assert client.delete(video).status_code == 204
        assert stranger.get(own["url"]).content == clip  # whose bytes it shares
        assert error_of(client.get(video))[0] == 404
        assert stranger.delete(f"/v1/videos/{own['id']}").status_code == 204


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
LISTING = "ffconcat version 1.0\nfile {}\n"


@pytest.mark.parametrize("content", [b"", b"not a film" * 50, b"\x00\x00\x00\x18ftypmp42" * 9])
def test_what_is_no_film_is_refused_and_leaves_nothing(server, client, content):
    folder = server.services.videos.store.folder
    before = sorted(folder.rglob("*"))
    answer = send(client, content)
    assert error_of(answer) == (400, "video_unreadable")
    assert "street.mp4" in answer.json()["error"]["message"]
    assert str(folder) not in answer.text
    assert sorted(folder.rglob("*")) == before


def test_a_playlist_reads_no_file_of_this_machine(server, client, clip):
    """Not even one that lies beside it: the films of the others do."""
    send(client, clip)
    films = server.services.videos.store.folder / "films"
    (film,) = [file for file in films.iterdir() if file.read_bytes() == clip]
    for text in (PLAYLIST.format(film), LISTING.format(film.name), LISTING.format(film)):
        assert error_of(send(client, text.encode(), "list.m3u8")) == (400, "video_unreadable")


def test_a_film_that_breaks_off_is_followed_as_far_as_it_goes(client, tmp_path):
    content = write_square_clip(tmp_path / "clip.mkv", N_FRAMES).read_bytes()
    answer = send(client, content[:-100], "broken.mkv")
    assert answer.status_code == 201, answer.text
    assert 0 < answer.json()["frames"] <= N_FRAMES


def test_forms_that_are_none_are_refused(client, clip):
    bodies = [
        {"content": clip, "headers": {"Content-Type": "video/mp4"}},
        {"content": clip, "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"Content-Type": "multipart/form-data"}},
        {"files": {"other": ("clip.mp4", clip)}},
        {"data": {"file": "words"}, "files": {"other": ("clip.mp4", b"")}},
        {"files": [("file", ("a.mp4", clip)), ("file", ("b.mp4", clip))]},
        {"content": b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
         "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
    ]  # fmt: skip
    for body in bodies:
        assert error_of(client.post("/v1/videos", **body)) == (400, "invalid_value"), body.keys()


def test_films_are_bounded_in_bytes_and_frames(tmp_path, clip):
    limits = {"max_video_bytes": 70_000, "max_video_frames": 10}
    with running(assistant(), tmp_path, **limits) as server, server.client() as client:
        answer = send(client, clip)
        assert error_of(answer) == (400, "video_too_large")
        assert "more than 10 frames" in answer.json()["error"]["message"]
        assert error_of(send(client, bytes(200_000))) == (413, "body_too_large")

        def endless():
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(20):
                yield bytes(10_000)

        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        chunked = client.post("/v1/videos", content=endless(), headers=kind)
        assert error_of(chunked) == (413, "body_too_large")
        assert list((tmp_path / "videos" / "films").iterdir()) == []


def test_frames_are_bounded_in_pixels(tmp_path, clip):
    with running(assistant(), tmp_path, max_pixels=1000) as server, server.client() as client:
        assert error_of(send(client, clip)) == (400, "video_too_large")


def test_the_film_that_was_used_longest_ago_goes_first(tmp_path):
    clips = [write_square_clip(tmp_path / f"{n}.mp4", n).read_bytes() for n in (10, 11, 12)]
    room = sum(map(len, clips)) + 1000  # and their records
    limits = {"max_videos_bytes": room}
    with running(assistant(), tmp_path / "data", **limits) as server, server.client() as client:
        ids = [send(client, one).json()["id"] for one in clips[:2]]
        for age, id in enumerate(ids):
            record = server.services.videos.store.folder / id / "video.json"
            os.utime(record, (1000 + age, 1000 + age))
        client.post(f"/v1/videos/{ids[0]}/tracks", json={"boxes": [BOX], "every": 9})
        newest = send(client, clips[2]).json()["id"]
        left = {film["id"] for film in client.get("/v1/videos").json()["videos"]}
        assert left == {ids[0], newest}


def test_films_outlive_a_restart(tmp_path, clip):
    with running(assistant(), tmp_path) as server, server.client() as client:
        film = send(client, clip).json()
        run = client.post(f"/v1/videos/{film['id']}/tracks", json=REQUEST).json()
    (tmp_path / "videos" / "films" / ".123.1").write_bytes(b"half")
    (tmp_path / "videos" / "films" / ("0" * 64)).write_bytes(b"of nobody")
    with running(assistant(), tmp_path) as server, server.client() as client:
        assert client.get(f"/v1/videos/{film['id']}").json() == film
        assert client.get(f"/v1/videos/{film['id']}/tracks/{run['run']}").json() == run
        assert len(list((tmp_path / "videos" / "films").iterdir())) == 1


def test_a_conversation_and_a_film_take_turns(server, client, video):
    id = begin(client)
    body = {**REQUEST, "stream": True}
    with client.stream("POST", f"{video}/tracks", json=body) as response:
        lines = response.iter_lines()
        assert any(line == "event: frame" for line in lines)
        with client.stream("POST", f"/v1/conversations/{id}/ask", json={"question": "?"}) as talk:
            assert events(talk)[-1][0] == "done"
        assert any(line == "event: done" for line in lines)


def test_no_more_films_are_followed_at_once_than_leave_turns_to_others(server, client, video):
    videos, id = server.services.videos, record_of(server, video).id
    gate = threading.Event()

    def steps():
        while not gate.wait(0.01):
            yield

    async def submit():
        return [server.services.worker.submit(steps) for _ in range(2)]

    jobs = apart(lambda: asyncio.run(submit()))
    for number, job in enumerate(jobs):
        videos.set_active_job(id, f"run {number}", job)
    answer = client.post(f"{video}/tracks", json=REQUEST)
    assert error_of(answer) == (429, "queue_full")
    assert answer.headers["retry-after"]
    run = videos.run_id(TracksRequest(**REQUEST).to_settings(SIZE))
    videos.set_active_job(id, run, jobs[0])
    assert error_of(client.post(f"{video}/tracks", json=REQUEST)) == (409, "busy")
    assert client.delete(video).status_code == 204  # it stops them
    gate.set()
    assert all(job.done.wait(10) for job in jobs)


def test_a_video_model_follows_on_a_server(tmp_path, clip):
    model = tiny_video_model(tmp_path / "model")

    def make_tracker(assistant):
        return load_tracker(model, assistant.segmenter, device="cpu", dtype="float32")

    options = {"make_tracker": make_tracker}
    with running(assistant(), tmp_path / "data", **options) as server, server.client() as client:
        assert client.get("/v1/about").json()["videos"]["tracker"] == str(model)
        video = f"/v1/videos/{send(client, clip).json()['id']}"
        received = follow(client, video, every=8, frame=0)
        assert sorted(numbers(received)) == [0, 8]
        run = server.services.videos.stored_run(record_of(server, video), received[-1][1]["run"])
        assert run.manifest["tracker"] == str(model)


def test_a_tracker_that_cannot_be_loaded_is_said_when_the_server_starts(tmp_path):
    def make_tracker(assistant):
        return load_tracker(tmp_path / "nowhere", assistant.segmenter)

    with running(assistant(), tmp_path, make_tracker=make_tracker) as server:
        assert server.app.state.worker.state == "failed"
        assert "nowhere" in str(server.app.state.worker.failure)


def test_without_pyav_it_is_said_what_to_install(client, clip, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    answer = send(client, clip)
    assert error_of(answer) == (501, "missing_extra")
    assert "pip install 'segue[video]'" in answer.json()["error"]["message"]
    assert client.get("/v1/about").json()["videos"]["available"] is False


def test_a_server_without_a_segmenter_follows_nothing(tmp_path, clip):
    with running(Assistant(scripted().chat), tmp_path) as server, server.client() as client:
        id = send(client, clip).json()["id"]
        answer = client.post(f"/v1/videos/{id}/tracks", json=REQUEST)
        assert error_of(answer) == (400, "unsupported")
        with_boxes = {"targets": [{"box": BOX}]}
        answer = client.post(f"/v1/videos/{id}/frames/0/segment", json=with_boxes)
        assert "no segmenter" in answer.json()["error"]["message"]
        assert client.get("/v1/about").json()["videos"]["tracker"] is None
