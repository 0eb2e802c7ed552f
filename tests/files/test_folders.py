from pathlib import Path

import pytest

from segue.files import folders


@pytest.mark.parametrize(
    ("folder", "variable"),
    [(folders.cache_folder, "SEGUE_CACHE"), (folders.config_folder, "SEGUE_HOME")],
)
def test_a_variable_replaces_the_folder(monkeypatch, tmp_path, folder, variable):
    monkeypatch.setenv(variable, str(tmp_path))
    assert folder() == tmp_path
    monkeypatch.setenv(variable, "~/elsewhere")
    assert folder() == Path.home() / "elsewhere"


@pytest.mark.skipif("sys.platform != 'linux'", reason="XDG is of Linux")
@pytest.mark.parametrize(
    ("folder", "variable", "xdg"),
    [
        (folders.cache_folder, "SEGUE_CACHE", "XDG_CACHE_HOME"),
        (folders.config_folder, "SEGUE_HOME", "XDG_CONFIG_HOME"),
        (folders.data_folder, "SEGUE_NOTHING", "XDG_DATA_HOME"),
    ],
)
def test_the_platform_decides_elsewhere(monkeypatch, tmp_path, folder, variable, xdg):
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(xdg, str(tmp_path))
    assert folder() == tmp_path / "segue"


def test_the_folder_of_the_first_version_is_still_used(tmp_path):
    earlier, of_platform = tmp_path / "earlier", tmp_path / "platform"
    assert folders._folder(None, of_platform, str(earlier)) == of_platform
    earlier.mkdir()
    assert folders._folder(None, of_platform, str(earlier)) == earlier
    of_platform.mkdir()
    assert folders._folder(None, of_platform, str(earlier)) == of_platform
