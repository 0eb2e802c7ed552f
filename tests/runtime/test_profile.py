"""Profiles of chat models and endpoints."""

import pytest

from segue.errors import InputError
from segue.runtime import profile as profiles
from segue.runtime.profile import Profile
from segue.values.frames import GRID_1000, SEEN_PIXELS


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))


@pytest.mark.parametrize("frame", [None, SEEN_PIXELS, GRID_1000])
def test_what_is_saved_comes_back(frame) -> None:
    profile = Profile(
        name="openai:m@http://h:1/v1", dialect="qwen_vl", frame=frame, pictures=1, found=("a", "b")
    )
    profiles.save(profile)
    assert profiles.load(profile.name) == profile


def test_without_a_file_a_profile_says_nothing() -> None:
    assert profiles.load("m") == Profile(name="m")


def test_fields_of_a_later_version_are_left_out() -> None:
    assert Profile.from_json({"name": "m", "speed": 9}) == Profile(name="m")


def test_names_that_look_alike_have_files_of_their_own() -> None:
    assert profiles.profile_file("a/b") != profiles.profile_file("a:b")


def test_a_damaged_file_is_named() -> None:
    file = profiles.save(Profile(name="m"))
    file.write_text("{")
    with pytest.raises(InputError, match="Delete it, or run segue doctor again"):
        profiles.load("m")
