"""Conversations that the server keeps."""

import io
import json
import sqlite3
import zipfile
import zlib
from contextlib import closing

import numpy as np
import PIL.Image
import pytest

from segue.embedded.samples import sample
from segue.values.image import Image
from segue.values.mask import Mask
from server.conftest import (
    ALOUD,
    BOXES,
    OTHER_KEY,
    PICTURE,
    ask,
    begin,
    breaking_off,
    data_url,
    running,
    scripted,
)


def state(client, id):
    return client.get(f"/v1/conversations/{id}").json()


def names(found):
    """What came; a question may have to wait until the picture just sent is encoded."""
    return [name for name, _ in found if name != "waiting"]


def mask_of(region):
    return Mask.from_rle({key: region["mask"][key] for key in ("size", "counts")})


@pytest.fixture
def talk(client):
    """A conversation with one answer: r1 by the chat model, r2 by the detector."""
    id = begin(client)
    ask(client, id)
    return f"/v1/conversations/{id}", id


def test_an_answer_comes_as_events_and_is_kept(client):
    id = begin(client)
    found = ask(client, id, "where?")
    order = [name for name in names(found) if name != "text"]
    assert order == ["region", "mask", "region", "mask", "not_found", "done"]
    text = "".join(data["text"] for name, data in found if name == "text")
    masks = {data["id"]: data for name, data in found if name == "mask"}
    done = found[-1][1]
    assert text == done["turn"]["text"] == "Here 飞机 and dog, cat."
    assert done["turn"]["regions"] == ["r1", "r2"] == sorted(masks)
    assert done["turn"]["not_found"] == ["cat"]
    now = state(client, id)
    assert now["turns"] == [done["turn"]]
    assert now["regions"] == done["regions"]
    assert (now["title"], now["revision"], now["busy"]) == ("where?", done["revision"], False)
    assert now["regions"][0]["turn"] == 0
    assert mask_of(now["regions"][0]) == mask_of(masks["r1"])
    (line,) = [one for one in client.get("/v1/conversations").json()["conversations"]
               if one["id"] == id]  # fmt: skip
    assert (line["turns"], line["title"]) == (1, "where?")
    small = PIL.Image.open(io.BytesIO(client.get(line["thumbnail"]).content))
    assert max(small.size) <= 160


def test_what_was_a_thought_is_withdrawn_and_not_kept(tmp_path):
    with running(scripted(ALOUD), tmp_path) as server, server.client() as client:
        id = begin(client)
        found = [event for event in ask(client, id) if event[0] != "waiting"]
        order = [name for name in names(found) if name != "text"]
        assert order == ["region", "mask", "not_found", "broken", "thought", "region", "mask",
                         "done"]  # fmt: skip
        at = names(found).index("thought")
        aloud = "".join(data["text"] for name, data in found[:at] if name == "text")
        assert aloud.startswith("Is it 飞机 or cat?")
        written = ALOUD.partition("</think>")[0]
        ended = {"characters": len(written), "retracts": True, "regions": ["r1"]}
        assert found[at] == ("thought", ended)
        text = "".join(data["text"] for name, data in found[at:] if name == "text")
        turn = found[-1][1]["turn"]
        assert text == turn["text"] == "It is a dog."
        assert (turn["regions"], turn["not_found"], turn["broken"]) == (["r2"], [], [])
        assert (turn["thought"], turn["notices"]) == (len(written), [])
        now = state(client, id)
        assert now["turns"] == [turn]
        assert [region["id"] for region in now["regions"]] == ["r2"]


def test_a_notice_comes_as_an_event_and_is_kept_when_the_server_starts_again(tmp_path):
    chat = scripted("<think>it may be a dog")
    with running(chat, tmp_path) as server, server.client() as client:
        id = begin(client)
        found = [event for event in ask(client, id) if event[0] != "waiting"]
        said = "the model only thought, 15 characters, and gave no answer"
        assert names(found) == ["thought", "notice", "done"]
        assert found[0][1] == {"characters": 15, "retracts": False, "regions": []}
        assert found[1][1]["text"].startswith(said)
        before = state(client, id)
        assert before["turns"][0]["notices"] == [found[1][1]["text"]]
        file = client.get(f"/v1/conversations/{id}/export?format=session").content
    with running(scripted(), tmp_path) as server, server.client() as client:
        assert state(client, id)["turns"] == before["turns"]
        upload = {"file": ("talk.zip", file)}
        imported = client.post("/v1/conversations/import", files=upload).json()
        assert imported["turns"] == before["turns"]


@pytest.mark.parametrize("why", ["error", "refused"])
def test_what_was_said_before_a_reply_broke_off_is_kept(tmp_path, why):
    chat = breaking_off(why, "The endpoint says: enough.")
    with running(chat, tmp_path) as server, server.client() as client:
        id = begin(client)
        found = ask(client, id)
        assert names(found)[-2:] == ["notice", "done"]
        turn = found[-1][1]["turn"]
        assert (turn["finish"], turn["notices"]) == (why, ["The endpoint says: enough."])
        assert turn["text"] == "Here 飞机 and dog, cat."
        assert turn["regions"] == ["r1"]


def test_turns_that_were_stored_before_there_were_notices_are_shown(tmp_path):
    with running(scripted(), tmp_path) as server, server.client() as client:
        id = begin(client)
        ask(client, id)
        before = state(client, id)
    with closing(sqlite3.connect(tmp_path / "conversations.sqlite3")) as database, database:
        ((blob,),) = database.execute("SELECT document FROM snapshots WHERE turns = 1").fetchall()
        document = json.loads(zlib.decompress(blob))
        del document["turns"][0]["thought"], document["turns"][0]["notices"]
        blob = zlib.compress(json.dumps(document).encode())
        database.execute("UPDATE snapshots SET document = ? WHERE turns = 1", (blob,))
    with running(scripted(), tmp_path) as server, server.client() as client:
        assert state(client, id)["turns"] == before["turns"]
        ask(client, id)
        assert len(state(client, id)["turns"]) == 2


def test_pictures_come_as_files_samples_and_data_addresses(client):
    id = begin(client, None)
    url = f"/v1/conversations/{id}/images"
    two = [("file", ("a/b\\c.png", PICTURE.to_png_bytes())), ("file", ("d", b"GIF89a"))]
    assert client.post(url, files=two).json()["error"]["code"] == "picture_unreadable"
    assert client.post(url, files=two[:1]).status_code == 201
    assert client.post(url, json={"sample": "meadow"}).status_code == 201
    images = client.post(url, json={"url": data_url()}).json()["images"]  # the first one again
    assert [(one["name"], one["width"]) for one in images] == [("c.png", 80), ("meadow.png", 640)]
    shown = client.get(images[0]["url"])
    assert shown.headers["content-type"] == "image/png"
    assert Image.open(shown.content) == PICTURE
    for bad in ({}, {"sample": "nowhere"}, {"url": "/etc/passwd"}, {"sample": "a", "url": "b"}):
        assert client.post(url, json=bad).status_code in (400, 404)
    assert client.post(url, content=b"x").status_code == 415
    assert len(state(client, id)["images"]) == 2


def test_a_region_is_previewed_added_corrected_and_named(client, talk):
    url, id = talk
    before = state(client, id)
    asked = {"image": 0, "points": [[20, 20]], "labels": [1]}
    shown = client.post(f"{url}/regions", json={**asked, "preview": True})
    assert shown.status_code == 200
    assert shown.json()["region"]["id"] == "preview"
    assert state(client, id) == before
    made = client.post(f"{url}/regions", json={**asked, "phrase": "nose"})
    assert made.status_code == 201
    region = made.json()["region"]
    assert mask_of(region) == mask_of(shown.json()["region"])
    assert (region["id"], region["found_by"], region["turn"]) == ("r3", "user", None)
    assert (region["points"], region["labels"]) == ([[20, 20]], [1])
    clicks = {"points": [[20, 20], [70, 50]], "labels": [1, 1]}
    after = client.patch(f"{url}/regions/r3", json={**clicks, "preview": True}).json()["region"]
    assert after["box"][2:] == [70, 50]
    assert client.patch(f"{url}/regions/r3", json=clicks).json()["region"] == after
    named = client.patch(f"{url}/regions/r1", json={"phrase": "plane"}).json()["region"]
    assert (named["phrase"], named["span"], named["turn"]) == ("plane", [5, 7], 0)


def test_regions_are_merged_and_deleted(client, talk):
    url, id = talk
    merged = client.post(f"{url}/regions/merge", json={"ids": ["r2", "r1"], "phrase": "both"})
    assert (merged.json()["region"]["id"], merged.json()["region"]["phrase"]) == ("r2", "both")
    assert state(client, id)["turns"][0]["regions"] == ["r2"]
    assert client.delete(f"{url}/regions/r2").json()["regions"] == []
    missing = client.delete(f"{url}/regions/r2")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "region_not_found")


def test_every_change_is_undone_and_redone(client, talk):
    url, id = talk
    client.post(f"{url}/regions", json={"box": [1, 1, 20, 20]})
    client.post(f"{url}/edits", json={"operation": "blur", "regions": ["r1"]})
    last = state(client, id)
    counts = []
    while True:
        answer = client.post(f"{url}/undo")
        if answer.status_code == 409:
            assert answer.json()["error"]["code"] == "nothing_to_undo"
            break
        now = answer.json()
        counts.append((len(now["turns"]), len(now["regions"]), len(now["edits"])))
    assert counts == [(1, 3, 0), (1, 2, 0), (0, 0, 0)]
    for _ in counts:
        again = client.post(f"{url}/redo").json()
    kept = ("turns", "regions", "edits", "images")
    assert {key: again[key] for key in kept} == {key: last[key] for key in kept}
    assert client.post(f"{url}/redo").json()["error"]["code"] == "nothing_to_redo"


def test_edits_are_previewed_kept_and_dropped(client, talk):
    url, id = talk
    red = {"operation": "recolour", "regions": ["r1"], "parameters": {"colour": "red"}}
    shown = client.post(f"{url}/edits", json={**red, "preview": True})
    assert shown.headers["content-type"] == "image/png"
    assert state(client, id)["edits"] == []
    made = client.post(f"{url}/edits", json=red).json()
    assert made["edits"][0]["image"] == 0
    assert made["images"][0]["edited"] is True
    edited = f"{url}/images/0/edited.png"
    assert client.get(edited).content == shown.content
    before = Image.open(client.get(edited, params={"upto": 0}).content)
    assert before == PICTURE
    assert client.delete(f"{url}/edits/0").json()["edits"] == []
    assert client.delete(f"{url}/edits/0").status_code == 400
    for bad in (
        {"operation": "melt", "regions": ["r1"]},
        {"operation": "blur", "regions": ["r9"]},
        {"operation": "blur", "regions": ["r1"], "parameters": {"strength": "x"}},
        {"operation": "blur", "regions": ["r1"], "parameters": {"strenght": 1}},
    ):
        answer = client.post(f"{url}/edits", json=bad)
        assert answer.status_code in (400, 404), (bad, answer.text)


def test_a_background_is_uploaded_and_named(client, talk):
    url = talk[0]
    behind = Image(np.full((30, 30, 3), (0, 200, 0), np.uint8))
    file = {"file": ("green.png", behind.to_png_bytes())}
    name = client.post(f"{url}/backgrounds", files=file).json()["name"]
    edit = {"operation": "background", "regions": ["r1"], "parameters": {"picture": name}}
    assert client.post(f"{url}/edits", json=edit).status_code == 201
    picture = Image.open(client.get(f"{url}/images/0/edited.png").content)
    assert tuple(picture.array[59, 79]) == (0, 200, 0)
    edit["parameters"]["picture"] = "/etc/passwd"
    assert client.post(f"{url}/edits", json=edit).status_code == 404


def test_every_format_is_exported(client, talk):
    url, _ = talk
    formats = client.get("/v1/about").json()["exports"]
    assert {"coco", "masks", "overlay", "session", "edited"} <= set(formats)
    for format in formats:
        answer = client.get(f"{url}/export", params={"format": format})
        assert answer.status_code == 200, (format, answer.text)
        assert "attachment" in answer.headers["content-disposition"]
        assert len(answer.content) > 50
    coco = client.get(f"{url}/export", params={"format": "coco"}).json()
    assert len(coco["annotations"]) == 2
    masks = client.get(f"{url}/export", params={"format": "masks"}).content
    assert len(zipfile.ZipFile(io.BytesIO(masks)).namelist()) == 2
    assert client.get(f"{url}/export", params={"format": "gif"}).status_code == 404
    empty = begin(client)
    nothing = client.get(f"/v1/conversations/{empty}/export", params={"format": "masks"})
    assert nothing.status_code == 400


def test_a_session_is_taken_away_and_opened_again(client, talk):
    url, id = talk
    client.patch(f"{url}/regions/r1", json={"phrase": "plane", "points": [[60, 40]]})
    client.post(f"{url}/edits", json={"operation": "erase", "regions": ["r1"]})
    saved = client.get(f"{url}/export", params={"format": "session"}).content
    made = client.post("/v1/conversations/import", files={"file": ("talk.zip", saved)})
    assert made.status_code == 201, made.text
    old, new = state(client, id), made.json()
    assert new["id"] != id
    for key in ("turns", "regions", "edits"):
        assert new[key] == old[key]
    assert names(ask(client, new["id"], "and now?"))[-1] == "done"
    mine = f"/v1/conversations/{new['id']}"
    assert client.post(f"{mine}/undo").json()["edits"] == old["edits"]
    assert client.post(f"{mine}/undo").json()["edits"] == []
    assert client.post(f"{mine}/undo").json()["regions"][0]["phrase"] == "飞机"


def test_steps_that_would_fill_the_disk_are_refused(tmp_path):
    with running(scripted(), tmp_path, max_body_bytes=2**17) as server, server.client() as client:
        id = begin(client)
        ask(client, id)
        saved = client.get(f"/v1/conversations/{id}/export", params={"format": "session"}).content
        archive = zipfile.ZipFile(io.BytesIO(saved))
        files = {name: archive.read(name) for name in archive.namelist()}
        document = json.loads(files["session.json"])
        document["turns"][0]["text"] = "x" * 20_000
        document["history"]["steps"] += document["history"]["steps"][-1:] * 90
        files["session.json"] = json.dumps(document).encode()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        file = {"file": ("talk.zip", out.getvalue())}
        answer = client.post("/v1/conversations/import", files=file)
        assert (answer.status_code, "steps to take back" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "damage",
    ["not a zip", "no session", "a path", "a changed picture", "a mask of another size",
     "text that is not Unicode"],
)  # fmt: skip
def test_a_bad_session_file_is_refused(client, talk, damage):
    saved = client.get(f"{talk[0]}/export", params={"format": "session"}).content
    archive = zipfile.ZipFile(io.BytesIO(saved))
    files = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(files["session.json"])
    if damage == "no session":
        files.pop("session.json")
    elif damage == "a path":
        document["images"][0]["digest"] = "../../../etc/passwd"
    elif damage == "a changed picture":
        name = next(name for name in files if name.endswith(".png"))
        files[name] = Image(np.zeros((60, 80, 3), np.uint8)).to_png_bytes()
    elif damage == "a mask of another size":
        document["regions"][0]["mask"] = Mask.empty(sample("airport").image.size).rle
    elif damage == "text that is not Unicode":
        document["turns"][0]["text"] = "\ud800"
    if damage != "no session":
        files["session.json"] = json.dumps(document).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    sent = b"PK\3\4 nothing" if damage == "not a zip" else out.getvalue()
    answer = client.post("/v1/conversations/import", files={"file": ("talk.zip", sent)})
    assert answer.status_code == 400, answer.text


def test_a_session_file_that_unpacks_to_too_much_is_refused(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("session.json", b"0" * (5 * 2**20))
    with running(scripted(), tmp_path, max_body_bytes=2**20) as server, server.client() as client:
        file = {"file": ("talk.zip", out.getvalue())}
        answer = client.post("/v1/conversations/import", files=file)
        assert (answer.status_code, "unpacks" in answer.text) == (400, True)


def test_a_second_tab_learns_cheaply_that_nothing_changed(client, talk):
    url, _ = talk
    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    client.patch(url, json={"title": "Mine"})
    changed = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert changed.json()["title"] == "Mine"
    ask(client, url.rpartition("/")[2])
    assert client.get(url).json()["title"] == "Mine"


def test_conversations_are_nobody_elses_business(server, client, talk):
    url, id = talk
    with server.client(OTHER_KEY) as stranger:
        tries = {
            ("GET", url): None, ("DELETE", url): None, ("PATCH", url): {"title": "x"},
            ("POST", f"{url}/ask"): {"question": "x"}, ("POST", f"{url}/undo"): None,
            ("POST", f"{url}/regions"): {"box": [1, 1, 5, 5]}, ("POST", f"{url}/stop"): None,
            ("PATCH", f"{url}/regions/r1"): {"phrase": "x"},
            ("DELETE", f"{url}/regions/r1"): None,
            ("POST", f"{url}/regions/merge"): {"ids": ["r1", "r2"]},
            ("POST", f"{url}/images"): {"sample": "airport"},
            ("POST", f"{url}/backgrounds"): {"sample": "airport"},
            ("POST", f"{url}/edits"): {"operation": "blur", "regions": ["r1"]},
            ("DELETE", f"{url}/edits/0"): None, ("GET", f"{url}/images/0.png"): None,
            ("GET", f"{url}/images/0/edited.png"): None,
            ("GET", f"{url}/export?format=coco"): None, ("POST", f"{url}/redo"): None,
        }  # fmt: skip
        for (method, address), body in tries.items():
            answer = stranger.request(method, address, json=body)
            assert answer.status_code == 404, (method, address, answer.text)
            assert answer.json()["error"]["code"] == "conversation_not_found"
        lines = stranger.get("/v1/conversations").json()["conversations"]
        assert id not in [line["id"] for line in lines]
    assert state(client, id)["regions"]


def test_a_deleted_conversation_is_gone_with_its_pictures(tmp_path):
    with running(scripted(), tmp_path) as server, server.client() as client:
        one, two = begin(client), begin(client)
        client.post(f"/v1/conversations/{one}/images", json={"sample": "airport"})
        folder = tmp_path / "pictures"
        assert len(list(folder.iterdir())) == 2
        assert client.delete(f"/v1/conversations/{one}").status_code == 204
        assert client.get(f"/v1/conversations/{one}").status_code == 404
        assert [file.stem for file in folder.iterdir()] == [PICTURE.digest]
        assert client.get(f"/v1/conversations/{two}/images/0.png").status_code == 200


def test_everything_is_there_after_a_restart(tmp_path):
    with running(scripted(), tmp_path) as server, server.client() as client:
        id = begin(client)
        ask(client, id)
        client.patch(f"/v1/conversations/{id}/regions/r1", json={"phrase": "plane"})
        client.post(f"/v1/conversations/{id}/undo")
        before = state(client, id)
    (tmp_path / "pictures" / ".half-written").write_bytes(b"x")
    with running(scripted(), tmp_path) as server, server.client() as client:
        assert state(client, id) == before
        again = client.post(f"/v1/conversations/{id}/redo").json()
        assert again["regions"][0]["phrase"] == "plane"
        ids = [data["id"] for name, data in ask(client, id) if name == "region"]
        assert ids == ["r1", "r2"]  # the same objects
        assert len(list((tmp_path / "pictures").iterdir())) == 1


def test_a_conversation_answers_one_question_at_a_time(tmp_path):
    slow = scripted(BOXES, BOXES, delay=0.05)
    with running(slow, tmp_path) as server, server.client() as client, server.client() as tab:
        id = begin(client)
        url = f"/v1/conversations/{id}"
        with client.stream("POST", f"{url}/ask", json={"question": "one"}) as reply:
            lines = reply.iter_lines()
            next(lines)
            assert tab.get(url).json()["busy"] is True
            refused = tab.post(f"{url}/ask", json={"question": "two"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "busy")
            assert tab.post(f"{url}/undo").status_code == 409
            made = tab.post(f"{url}/regions", json={"box": [1, 1, 9, 9]})
            assert made.status_code == 201  # clicks go on meanwhile
            assert tab.post(f"{url}/stop").status_code == 204
        now = state(client, id)
        assert (now["turns"][0]["finish"], now["busy"]) == ("cancelled", False)
        assert BOXES.startswith(now["turns"][0]["raw"])
        assert made.json()["region"]["id"] in [region["id"] for region in now["regions"]]


def test_what_was_said_before_the_client_left_is_kept(tmp_path):
    with running(scripted(BOXES, BOXES, delay=0.05), tmp_path) as server:
        with server.client() as client:
            id = begin(client)
            url = f"/v1/conversations/{id}/ask"
            with client.stream("POST", url, json={"question": "one"}) as reply:
                next(reply.iter_lines())
        with server.client() as client:
            found = ask(client, id, "two")  # waits for the first to be put away
            now = state(client, id)
            assert [turn["finish"] for turn in now["turns"]] == ["cancelled", "stop"]
            assert found[-1][1]["turn"]["question"] == "two"
            assert server.services.worker.active == 0


def test_deleting_stops_the_reply(tmp_path):
    with running(scripted(BOXES, delay=0.05), tmp_path) as server, server.client() as client:
        id = begin(client)
        with client.stream(
            "POST", f"/v1/conversations/{id}/ask", json={"question": "one"}
        ) as reply:
            lines = reply.iter_lines()
            next(lines)
            with server.client() as tab:
                assert tab.delete(f"/v1/conversations/{id}").status_code == 204
            assert server.services.worker.active == 0
        assert client.get(f"/v1/conversations/{id}").status_code == 404


def test_a_failing_model_is_an_event_and_changes_nothing(tmp_path):
    with running(scripted("only one"), tmp_path) as server, server.client() as client:
        id = begin(client)
        ask(client, id)
        before = state(client, id)
        found = ask(client, id)
        assert found[-1][0] == "error"
        assert found[-1][1]["error"]["code"] == "model_failed"
        assert state(client, id) == before


def test_a_click_on_the_embedded_models_finds_the_object(embedded):
    airport = sample("airport")
    truth = Mask.from_rle(airport.objects[0].rle)
    x, y = (airport.objects[0].box[0] + airport.objects[0].box[2]) / 2, 171
    with embedded.client() as client:
        id = begin(client, airport.image)
        url = f"/v1/conversations/{id}/regions"
        region = client.post(url, json={"points": [[x, y]], "preview": True}).json()["region"]
        assert mask_of(region).iou(truth) > 0.7
        assert names(ask(client, id, "框出图片中飞机的位置"))[-1] == "done"


def test_limits_of_a_conversation(tmp_path):
    with running(scripted(), tmp_path, max_images=1) as server, server.client() as client:
        id = begin(client)
        more = client.post(f"/v1/conversations/{id}/images", json={"sample": "airport"})
        assert (more.status_code, "may have 1 picture, " in more.text) == (400, True)


def test_the_detector_answers_when_the_route_says_so(client):
    id = begin(client)
    found = ask(client, id, "segment the dog", route="tag")
    assert found[-1][1]["regions"][0]["found_by"] == "detector"
    refused = client.post(f"/v1/conversations/{id}/ask", json={"question": "x", "route": "y"})
    assert refused.status_code == 400
