"""Warnings as the command line writes them."""

import warnings

import pytest

from segue.assistant.memory import MemoryWarning
from segue.cli.terminal.notices import warnings_as_sentences


def warn_twice() -> None:
    with warnings_as_sentences():
        warnings.warn("Memory is tight.", MemoryWarning, stacklevel=1)
        warnings.warn("Old.", UserWarning, stacklevel=1)


def test_warnings_of_this_package_are_sentences_and_others_stay_as_they_are(capsys) -> None:
    with pytest.warns(UserWarning, match="Old") as others:
        warn_twice()
    assert capsys.readouterr().err == "segue: Memory is tight.\n"
    assert [warning.category for warning in others] == [UserWarning]
