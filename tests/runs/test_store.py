"""The folder of a run: whole after any interruption, one result a picture."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_region
from segue.errors import InputError
from segue.runs import store as stores
from segue.runs.results import PictureResult, PictureStamp
from segue.runs.settings import RunSettings, parse_classes
from segue.runs.store import JOURNAL, LOCK, PART_SIZE, RunStore
from segue.values.box import Size

SETTINGS = RunSettings(classes=parse_classes("airplane"))


def a_result(number, **fields):
    stamp = PictureStamp(f"digest-{number}", number, 1000 + number)
    given = {"size": Size(48, 64), "regions": (a_region(),), "notices": ("图",)}
    return PictureResult(f"{number}.png", f"/in/{number}.png", stamp, **{**given, **fields})


def fill(folder, numbers, **fields):
    with RunStore.create(folder, SETTINGS, {}) as store:
        for number in numbers:
            store.append(a_result(number, **fields))
    return RunStore(folder)


def names(store):
    return [result.name for result in store.results()]


def test_results_come_back_as_they_were_given(tmp_path):
    failed = a_result(3, size=None, regions=(), error="broken")
    with RunStore.create(tmp_path / "run", SETTINGS, {}) as store:
        store.append(a_result(1))
        store.append(failed)
    first, second = RunStore(tmp_path / "run").results()
    assert first.to_json() == a_result(1).to_json()
    assert first.regions[0].mask == a_region().mask
    assert second == failed
    assert RunStore(tmp_path / "run").stamps()["3.png"] == (failed.stamp, True)


def test_a_full_journal_becomes_a_part_and_nothing_is_lost_or_doubled(tmp_path):
    count = 2 * PART_SIZE + 3
    store = fill(tmp_path / "run", range(count), regions=())
    assert len(list((tmp_path / "run" / "parts").iterdir())) == 2
    assert sorted(names(store)) == sorted(f"{n}.png" for n in range(count))
    assert len(store.stamps()) == count


def test_a_part_that_was_taken_away_does_not_cost_another(tmp_path):
    folder = tmp_path / "run"
    fill(folder, range(2 * PART_SIZE), regions=())
    (folder / "parts" / "part-00000.parquet").unlink()
    store = fill(folder, range(2 * PART_SIZE, 3 * PART_SIZE), regions=())
    assert len(names(store)) == 2 * PART_SIZE


@pytest.mark.parametrize("line", ['{"name": "a.png"}', '{"name": 3}', "[]"])
def test_a_journal_that_was_edited_by_hand_is_named(tmp_path, line):
    store = fill(tmp_path / "run", [1])
    (store.folder / JOURNAL).write_text(line + "\n")
    with pytest.raises(InputError, match="journal"):
        store.stamps()
    with pytest.raises(InputError, match="journal"):
        list(store.results())


def test_settings_that_were_edited_by_hand_are_named(tmp_path):
    store = fill(tmp_path / "run", [1])
    manifest = json.loads((store.folder / "run.json").read_text())
    manifest["settings"]["question"] = 3
    (store.folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="settings"):
        RunStore(store.folder)


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be removed there")
def test_a_folder_that_is_removed_during_a_run_is_named(tmp_path):
    with RunStore.create(tmp_path / "run", SETTINGS, {}) as store:
        store.append(a_result(1))
        (tmp_path / "run" / JOURNAL).unlink()
        with pytest.raises(InputError, match="removed during the run"):
            store.append(a_result(2))


def test_the_latest_result_of_a_picture_counts(tmp_path):
    fill(tmp_path / "run", range(PART_SIZE), regions=())
    store = fill(tmp_path / "run", [5], notices=("again",))
    assert names(store).count("5.png") == 1
    (again,) = [result for result in store.results() if result.name == "5.png"]
    assert again.notices == ("again",)
    assert len(again.regions) == 1


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_journal_cut_anywhere_loses_only_the_last_result(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut") / "run"
    fill(folder, range(4))
    content = (folder / JOURNAL).read_bytes()
    length = data.draw(st.integers(0, len(content)))
    (folder / JOURNAL).write_bytes(content[:length])
    n_whole = content[:length].count(b"\n")
    assert len(names(RunStore(folder))) == n_whole
    store = fill(folder, range(n_whole, 4))
    assert names(store) == [f"{n}.png" for n in range(4)]


def test_a_crash_between_sealing_and_emptying_doubles_nothing(tmp_path):
    folder = tmp_path / "run"
    fill(folder, range(3))
    rows = list(stores._journal_rows(folder / JOURNAL))
    stores._write_part(folder / "parts" / "part-00000.parquet", rows)
    assert sorted(names(RunStore(folder))) == ["0.png", "1.png", "2.png"]
    store = fill(folder, [3])
    assert len(names(store)) == 4


def test_other_settings_are_refused_with_what_changed(tmp_path):
    fill(tmp_path / "run", [1])
    with pytest.raises(InputError, match=r"settings.min_area was 0.0, is 5.0"):
        RunStore.create(tmp_path / "run", RunSettings(classes=SETTINGS.classes, min_area=5.0), {})
    with pytest.raises(InputError, match="models was None, is 'x'"):
        RunStore.create(tmp_path / "run", SETTINGS, {"models": "x"})


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_text("x")
    with pytest.raises(InputError, match="holds other files"):
        RunStore.create(tmp_path, SETTINGS, {})
    with pytest.raises(InputError, match="is no run"):
        RunStore(tmp_path)


def test_two_processes_do_not_write_at_once(tmp_path):
    fill(tmp_path / "run", [1])
    lock = tmp_path / "run" / LOCK
    lock.write_text(str(os.getppid()))
    with pytest.raises(InputError, match=f"Process {os.getppid()} is writing"):
        fill(tmp_path / "run", [2])
    lock.write_text("999999999")  # a process that is gone
    assert len(names(fill(tmp_path / "run", [2]))) == 2
    assert not lock.exists()
    lock.write_text(f"{os.getppid()} 12345.0")  # its number belongs to another process now
    assert len(names(fill(tmp_path / "run", [3]))) == 3
    lock.write_text("")
    assert len(names(fill(tmp_path / "run", [4]))) == 4


@pytest.mark.parametrize("content", [b"{}\n", b"[1]\n", b"not json\n", b'{"name": "x"}\n'])
def test_a_damaged_journal_is_named(tmp_path, content):
    fill(tmp_path / "run", [1])
    (tmp_path / "run" / JOURNAL).write_bytes(content)
    with pytest.raises(InputError, match="journal"):
        names(RunStore(tmp_path / "run"))


@pytest.mark.parametrize("change", [{"format": 9}, {"settings": {}}, {"settings": 3}])
def test_a_damaged_manifest_is_named(tmp_path, change):
    fill(tmp_path / "run", [1])
    file = tmp_path / "run" / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(InputError):
        RunStore(tmp_path / "run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_refuses_is_an_input_error_and_earlier_results_stay(tmp_path):
    with RunStore.create(tmp_path / "run", SETTINGS, {}) as store:
        store.append(a_result(1))
        store._file.close()
        with Path("/dev/full").open("wb", buffering=0) as full:
            store._file = full
            with pytest.raises(InputError, match="Cannot write"):
                store.append(a_result(2))
    assert names(RunStore(tmp_path / "run")) == ["1.png"]
