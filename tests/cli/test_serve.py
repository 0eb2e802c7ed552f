"""`segue serve` as a process."""

import json
from contextlib import closing

from server.conftest import Process, ask, begin

REPLIES = {
    "segment the dog": "<ref>dog</ref><box>(100,100),(500,500)</box>",
    "hello": "Good day.",
}


def test_questions_take_the_route_of_the_server_unless_they_name_one(tmp_path):
    (tmp_path / "boxes.json").write_text(json.dumps({"dog": [[10, 5, 30, 25, 0.75]]}))
    detector = f"fixed:{tmp_path / 'boxes.json'}"
    server = Process(tmp_path, REPLIES, "--detect", detector, "--route", "auto", "--tag-prompt")
    try:
        with closing(server.start()) as client:
            about = client.get("/v1/about").json()
            assert (about["route"], about["teach_tag"]) == ("auto", True)
            id = begin(client)
            found = {
                route: ask(client, id, "segment the dog", route=route)[-1][1]["regions"][0][
                    "found_by"
                ]
                for route in (None, "reply", "tag")
            }
            assert found == {None: "detector", "reply": "chat", "tag": "detector"}
            assert ask(client, id, "hello")[-1][1]["turn"]["text"] == "Good day."
            whole = {"model": "segue", "messages": [{"role": "user", "content": "hello"}]}
            reply = client.post("/v1/chat/completions", json=whole).json()["choices"][0]["message"]
            assert reply["content"] == "Good day."
    finally:
        server.kill()


def test_a_route_that_is_none_is_refused_before_anything_is_loaded(run, tmp_path):
    outcome = run("serve", "--data", tmp_path / "data", "--route", "both")
    assert outcome.code == 2
    assert "A route must be one of reply, auto, box, tag, got 'both'." in outcome.err
    assert not (tmp_path / "data").exists()
