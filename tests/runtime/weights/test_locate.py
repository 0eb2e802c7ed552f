"""Finding weights: on board, in folders, and never a connection for what is meant as a path."""

import socket

import pytest

from segue.errors import InputError, ModelError
from segue.files.folders import cache_folder
from segue.runtime.weights import locate, offline


@pytest.fixture
def no_sockets(monkeypatch):
    """Any attempt to make a socket fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


@pytest.mark.usefixtures("no_sockets")
def test_an_existing_path_is_returned_without_connecting(tmp_path, monkeypatch):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    (tmp_path / "owner" / "name" / "sam.pth").touch()
    monkeypatch.chdir(tmp_path)
    assert locate(tmp_path) == tmp_path
    assert locate("owner/name").samefile(tmp_path / "owner" / "name")
    assert locate("owner/name/sam.pth").name == "sam.pth"


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize(
    "source",
    [
        "./owner/name",
        "/nowhere/at/all",
        "~/no_such_folder_of_weights",
        "a/b/c",
        "owner/model.pth",
        "model.safetensors",
        "models\\sam",
        "here/typo",  # "here" is a folder, so its neighbour is meant as one
    ],
)
def test_what_looks_like_a_path_never_becomes_a_request(source, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="no file or folder"):
        locate(source)


@pytest.mark.usefixtures("no_sockets")
def test_a_path_object_is_never_taken_for_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="no file or folder"):
        locate(tmp_path.__class__("owner/name"))


def test_a_missing_published_file_is_answered_with_its_address():
    with pytest.raises(ModelError, match="https://dl.fbaipublicfiles.com/.*sam_vit_h_4b8939.pth"):
        locate("sam_vit_h_4b8939.pth")


@pytest.mark.parametrize("source", ["bert", "", "a b/c", "owner/", "hf://one", "x@y"])
def test_a_name_that_can_be_nothing_is_refused(source):
    with pytest.raises(InputError, match="owner/name"):
        locate(source)


def test_weights_on_board_are_named_by_their_part():
    with pytest.raises(InputError, match="chat, detector, segmenter"):
        locate("embedded/wings")


def test_offline_and_not_cached_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGUE_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"SEGUE_OFFLINE.*hf download owner/no-such"):
        locate("owner/no-such")


def test_offline_is_read_from_both_variables(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert not offline()
    monkeypatch.setenv("SEGUE_OFFLINE", "yes")
    assert offline()
    monkeypatch.delenv("SEGUE_OFFLINE")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert offline()


def test_the_cache_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SEGUE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "segue"
