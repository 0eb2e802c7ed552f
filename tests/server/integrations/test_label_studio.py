"""The model behind a Label Studio project."""

import base64
import http.server
import threading

import numpy as np
import pytest

from segue.errors import InputError
from segue.export.label_studio import unpack
from segue.server.integrations.label_studio import LabelingSetup
from segue.values.box import Box
from segue.values.mask import Mask
from server.conftest import KEY, PICTURE, data_url, running, scripted

CONFIG = """<View><Image name="img" value="$picture" zoom="true"/>
<BrushLabels name="brush" toName="img"><Label value="dog"/><Label value="cat"/></BrushLabels>
<RectangleLabels name="box" toName="img" smart="true"><Label value="dog"/></RectangleLabels>
<KeyPointLabels name="point" toName="img" smart="true"><Label value="cat"/></KeyPointLabels></View>
"""
DOG = Box(10, 10, 40, 30)


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    data = tmp_path_factory.mktemp("studio")
    with running(scripted(), data, label_studio=True) as server, server.client() as client:
        yield client


def predict(client, context=None, picture=None, config=CONFIG):
    body = {
        "tasks": [{"id": 7, "data": {"picture": picture or data_url()}}],
        "label_config": config,
        "params": {"context": {"result": context}} if context else {},
        "project": "1.1700000000",
    }
    answer = client.post("/label-studio/predict", json=body)
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    return result


def mask_of(result):
    values = unpack(result["value"]["rle"], 4 * 60 * 80)
    return Mask(values.reshape(60, 80, 4)[:, :, 3] > 0)


def test_it_is_set_up_as_label_studio_does(studio):
    health = studio.get("/label-studio/health").json()
    assert health["status"] == "UP"
    asked = {
        "project": "1.17", "schema": CONFIG, "hostname": "http://evil.example",
        "access_token": "x", "extra_params": None,
    }  # fmt: skip
    version = studio.post("/label-studio/setup", json=asked).json()["model_version"]
    assert version == health["model_version"]
    assert studio.post("/label-studio/webhook", json={"action": "X"}).status_code == 200
    assert studio.get("/label-studio/versions").json()["versions"] == [version]


def test_labels_are_looked_for_and_come_as_brush_and_rectangle(studio):
    found = predict(studio)
    brush, box = found["result"]
    assert (brush["type"], brush["from_name"], brush["to_name"]) == ("brushlabels", "brush", "img")
    assert brush["value"]["brushlabels"] == ["dog"]
    assert mask_of(brush) == Mask.from_box(DOG, PICTURE.size)
    assert (box["original_width"], box["original_height"]) == (80, 60)
    value = box["value"]
    assert value["rectanglelabels"] == ["dog"]
    per_cent = [value[key] for key in ("x", "y", "width", "height")]
    assert np.allclose(per_cent, [12.5, 100 / 6, 37.5, 100 / 3])
    assert brush["id"] != box["id"]
    assert 0 < found["score"] <= 1


def test_a_smart_click_gives_a_brush_with_its_label(studio):
    click = {
        "type": "keypointlabels", "from_name": "point", "to_name": "img", "is_positive": 1,
        "original_width": 80, "original_height": 60,
        "value": {"x": 50, "y": 50, "width": 1, "keypointlabels": ["cat"]},
    }  # fmt: skip
    away = {**click, "is_positive": 0, "value": {**click["value"], "x": 55}}
    (brush,) = predict(studio, [click])["result"]
    assert brush["value"]["brushlabels"] == ["cat"]
    assert mask_of(brush).array[30, 40]
    assert mask_of(predict(studio, [click, away])["result"][0]).area < mask_of(brush).area


def test_a_smart_rectangle_gives_the_object_in_it(studio):
    drawn = {
        "type": "rectanglelabels", "to_name": "img",
        "value": {"x": 25, "y": 50, "width": 25, "height": 25, "rectanglelabels": ["dog"]},
    }  # fmt: skip
    (brush,) = predict(studio, [drawn])["result"]
    assert mask_of(brush) == Mask.from_box(Box(20, 30, 40, 45), PICTURE.size)


def test_without_brushes_the_answer_is_a_rectangle(studio):
    config = (
        '<View><Image name="i" value="$picture"/><RectangleLabels name="b" toName="i">'
        '<Label value="dog"/></RectangleLabels></View>'
    )
    (box,) = predict(studio, config=config)["result"]
    assert box["type"] == "rectanglelabels"


def test_a_task_without_a_picture_says_why_and_the_others_go_on(studio):
    body = {
        "tasks": [{"data": {"picture": url}} for url in ("/etc/passwd", data_url(), "")],
        "label_config": CONFIG,
    }
    results = studio.post("/label-studio/predict", json=body).json()["results"]
    assert [len(one["result"]) for one in results] == [0, 2, 0]
    assert "data: URL" in results[0]["error"]


@pytest.mark.parametrize(
    "config",
    ["<View>", "", "<View/>", '<View><Image name="a" value="$b"/></View>',
     '<!DOCTYPE v [<!ENTITY a "aa">]><View>&a;</View>'],
)  # fmt: skip
def test_a_setup_that_cannot_be_used_is_refused(studio, config):
    with pytest.raises(InputError, match="labelling setup"):
        LabelingSetup.parse(config)
    body = {"tasks": [], "label_config": config}
    assert studio.post("/label-studio/predict", json=body).status_code == 400


def test_the_password_of_basic_authentication_is_a_key(studio):
    def header(password):
        return {"Authorization": "Basic " + base64.b64encode(f"any:{password}".encode()).decode()}

    assert studio.get("/label-studio/health", headers=header(KEY)).status_code == 200
    assert studio.get("/label-studio/health", headers=header("x")).status_code == 401
    assert (
        studio.get("/label-studio/health", headers={"Authorization": "Basic %"}).status_code == 401
    )
    assert studio.get("/v1/models", headers=header(KEY)).status_code == 401


def test_it_is_only_there_when_asked_for(server):
    with server.client() as client:
        assert client.get("/label-studio/health").status_code == 404


def test_pictures_come_from_the_label_studio_that_was_named_and_no_other(tmp_path):
    asked = []

    class Files(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            content = PICTURE.to_png_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=files.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{files.server_port}"
    named = {"label_studio": True, "label_studio_url": home, "label_studio_token": "secret"}
    with running(scripted(), tmp_path, **named) as server, server.client() as client:
        assert len(predict(client, picture="/data/upload/1/x.png")["result"]) == 2
        assert len(predict(client, picture=f"{home}/data/y.png")["result"]) == 2
        other = home.replace("127.0.0.1", "localhost")
        assert "network is off" in predict(client, picture=f"{other}/z.png")["error"]
        assert predict(client, picture="//127.0.0.1:1/z.png")["result"] == []
    files.shutdown()
    files.server_close()
    assert asked == [("/data/upload/1/x.png", "Token secret"), ("/data/y.png", "Token secret")]
