"""Fetching a model from a hub: only what is needed, from the cache when it must be."""

import json

import huggingface_hub
import pytest

from segue.errors import ModelError
from segue.runtime.weights import locate

COMMIT = "1" * 40


@pytest.fixture
def hub(site, monkeypatch, tmp_path):
    """A hub with one model, and an empty cache."""
    monkeypatch.setenv("HF_ENDPOINT", site.address)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    huggingface_hub.utils.disable_progress_bars()
    site.headers["X-Repo-Commit"] = COMMIT
    contents = {
        "config.json": b'{"model_type": "sam"}',
        "model.safetensors": b"s" * 64,
        "pytorch_model.bin": b"b" * 64,
        "vocab.txt": b"a\n",
        "picture.png": b"p",
        "onnx/model.onnx": b"o",
    }
    for revision in ("", "main", "v1", COMMIT):
        _publish(site, revision, contents)
    return site


def _publish(site, revision, contents):
    info = {
        "id": "owner/name",
        "modelId": "owner/name",
        "sha": COMMIT,
        "tags": [],
        "siblings": [{"rfilename": name} for name in contents],
    }
    tree = [
        {"type": "file", "path": name, "size": len(data), "oid": f"{len(data)}-{name}"}
        for name, data in contents.items()
    ]
    about = f"/revision/{revision}" if revision else ""
    site.files[f"/api/models/owner/name{about}"] = json.dumps(info).encode()
    site.files[f"/api/models/owner/name/tree/{revision}"] = json.dumps(tree).encode()
    for name, data in contents.items():
        site.files[f"/owner/name/resolve/{revision}/{name}"] = data


def test_only_texts_and_one_form_of_the_weights_are_fetched(hub):
    folder = locate("owner/name")
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"config.json", "model.safetensors", "vocab.txt"}


def test_the_files_wanted_can_be_named(hub):
    folder = locate("hf://owner/name", files=["*.txt"])
    assert [path.name for path in folder.iterdir()] == ["vocab.txt"]


def test_a_revision_is_asked_for(hub):
    locate("owner/name@v1")
    assert any(path.endswith("/revision/v1") or "/tree/v1" in path for _, path, _ in hub.asked)


def test_a_fetched_model_is_found_offline(hub, monkeypatch):
    folder = locate("owner/name")
    hub.asked.clear()
    monkeypatch.setenv("SEGUE_OFFLINE", "1")
    assert locate("owner/name") == folder
    assert not hub.asked


def test_a_fetched_model_is_found_when_the_hub_is_out_of_reach(hub, monkeypatch):
    folder = locate("owner/name")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert locate("owner/name") == folder


def test_out_of_reach_and_not_cached_says_what_to_do(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"hub cannot be reached.*hf download owner/name"):
        locate("owner/name")


def test_a_model_that_does_not_exist_is_explained(hub):
    hub.headers["X-Error-Code"] = "RepoNotFound"
    with pytest.raises(ModelError, match=r"no model 'owner/typo'.*spelling"):
        locate("owner/typo")


def test_a_gated_model_is_explained(hub):
    hub.headers["X-Error-Code"], hub.status = "GatedRepo", 403
    with pytest.raises(ModelError, match=r"gated.*hf auth login"):
        locate("owner/name")


def test_a_model_whose_files_alone_are_gated_is_explained(hub):
    for path in [path for path in hub.files if path.startswith("/owner/name/resolve/")]:
        del hub.files[path]
    hub.headers["X-Error-Code"] = "GatedRepo"  # the list of its files may be read
    with pytest.raises(ModelError, match=r"gated. Accept.*co/owner/name, wait.*hf auth login"):
        locate("owner/name")


def test_a_gated_model_is_explained_to_who_never_logged_in(hub):
    hub.headers["X-Error-Code"], hub.status = "RepoNotFound", 401
    with pytest.raises(ModelError, match=r"private or gated.*co/owner/name and run: hf auth login"):
        locate("owner/name")


def test_a_token_that_allows_too_little_is_explained(hub):
    hub.status = 403
    with pytest.raises(ModelError, match=r"not let you read 'owner/name'.*hf auth login; a token"):
        locate("owner/name")


def test_a_revision_that_does_not_exist_is_explained(hub):
    hub.headers["X-Error-Code"] = "RevisionNotFound"
    with pytest.raises(ModelError, match="no revision 'v9'"):
        locate("owner/name@v9")
