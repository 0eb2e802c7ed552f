"""Values that are allowed work, odd ones are refused, and nothing is a 500."""

import threading

import pytest

from segue.server.conversations.pictures import clean_picture_name
from server.conftest import PICTURE, ask, begin, data_url, events, running, scripted

FORMATS = ("coco", "yolo", "labelme", "label-studio", "cvat", "geojson", "voc", "masks",
           "label-map", "overlay", "edited", "json", "session")  # fmt: skip
NAMES = [".", "..", "...", " . ", "x" * 300 + ".png", "a/../..", "..\\..\\b",
         "C:\\x.png", "<b>.png", "飞机.png", "\u202egnp.exe", "/"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_may_be_called_anything(client, name):
    id = begin(client, None)
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + PICTURE.to_png_bytes() + b"\r\n--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post(f"/v1/conversations/{id}/images", content=body, headers=kind)
    assert answer.status_code == 201, answer.text
    assert answer.json()["images"][0]["name"].strip(". ") == answer.json()["images"][0]["name"]
    ask(client, id)
    for format in FORMATS:
        made = client.get(f"/v1/conversations/{id}/export", params={"format": format})
        assert made.status_code == 200, (format, made.text)
    saved = client.get(f"/v1/conversations/{id}/export", params={"format": "session"}).content
    again = client.post("/v1/conversations/import", files={"file": ("s.zip", saved)})
    assert again.status_code == 201


@pytest.mark.parametrize(
    ("text", "name"),
    [(".", ""), ("..", ""), ("a/..", ""), ("a\\b.png", "b.png"), ("x" * 300, "x" * 120),
     ("\x00\n", ""), (" a.png ", "a.png")],
)  # fmt: skip
def test_names_become_names_of_files(text, name):
    assert clean_picture_name(text) == name


@pytest.mark.parametrize(
    "fields",
    [{"temperature": value} for value in (5e-324, 1e-300, 1e-45, 1e-38, 0, 2)]
    + [{"top_p": value} for value in (5e-324, 1e-300, 1e-45, 1)]
    + [{"temperature": 1e-45, "top_p": 1e-300, "seed": -(2**63)}],
)
def test_every_allowed_sampling_answers(embedded, fields):
    with embedded.client() as client:
        body = {"model": "segue", "max_tokens": 12, **fields,
                "messages": [{"role": "user", "content": [
                    {"type": "text", "text": "框出图片中飞机的位置"},
                    {"type": "image_url", "image_url": {"url": data_url()}}]}]}  # fmt: skip
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["temperature", "top_p", "max_tokens"])
def test_true_is_no_number(client, name):
    id = begin(client)
    answer = client.post(f"/v1/conversations/{id}/ask", json={"question": "x", name: True})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)
    answer = client.post(f"/v1/conversations/{id}/ask", json={"question": "x", name: 1})
    assert answer.status_code == 200


@pytest.mark.parametrize("seed", [False, True, 1.5, "1", 2**63])
def test_a_seed_is_a_whole_number(client, seed):
    id = begin(client)
    answer = client.post(f"/v1/conversations/{id}/ask", json={"question": "x", "seed": seed})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "seed")


def test_those_who_leave_are_counted(tmp_path):
    with running(scripted(delay=0.01, piece=1), tmp_path) as server, server.client() as client:

        def left():
            report = client.get("/metrics").text
            return float(report.split("\nsegue_cancelled_total ")[1].split()[0])

        id = begin(client)
        url = f"/v1/conversations/{id}/ask"
        with client.stream("POST", url, json={"question": "x"}) as reply:
            lines = reply.iter_lines()
            next(lines)
        while left() < 1:
            threading.Event().wait(0.01)
        with client.stream("POST", url, json={"question": "x"}) as reply:
            assert events(reply)[-1][0] == "done"
        assert left() == 1
