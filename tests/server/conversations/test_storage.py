"""Trouble of the disk: said as what it is, at the start and while running, and nothing is lost."""

import errno
import os
import socket
import sqlite3
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from segue.errors import InputError
from segue.server.app import locked, open_store
from segue.server.conversations.storage import RESERVE_BYTES, Storage
from segue.server.disk_errors import disk_error_code
from segue.server.http.errors import to_api_error
from segue.server.settings import load_or_create_key
from segue.values.image import Image
from server.conftest import Process, ask, begin, running, scripted

SHORT = "<ref>dog</ref><box>(100,100),(500,500)</box>"


def run(*options: str) -> subprocess.CompletedProcess:
    """`segue serve` that will not start; what it said."""
    command = [sys.executable, "-m", "segue.cli", "serve", "--port", "0", "--chat", "none",
               "--detect", "none", "--segment", "box_fill:", *options]  # fmt: skip
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "300"}
    )


@pytest.mark.parametrize("what", ["a file", "below a file", "garbage", "half a database"])
def test_a_folder_that_cannot_be_used_is_named_without_a_traceback(tmp_path, what):
    data = tmp_path / "data"
    if what == "a file":
        data.write_text("x")
    elif what == "below a file":
        data.write_text("x")
        data = data / "deeper"
    else:
        data.mkdir()
        with running(scripted(), data) as server, server.client() as client:
            begin(client)
        file = data / "conversations.sqlite3"
        for log in data.glob("conversations.sqlite3-*"):
            log.unlink()
        content = file.read_bytes()
        damaged = b"garbage" * 1000 if what == "garbage" else content[:100] + bytes(len(content))
        file.write_bytes(damaged)
    made = run("--data", str(data))
    said = made.stdout + made.stderr
    assert made.returncode == 2, said
    assert "Traceback" not in said
    assert "Cannot listen" not in said
    expected = "must be a folder" if "file" in what else "is damaged, or no database of segue"
    assert expected in said
    assert str(data) in said


def test_a_key_file_without_a_key_gets_one(tmp_path):
    (tmp_path / "key").touch(0o644)
    key = load_or_create_key(tmp_path)
    assert len(key) > 40
    assert load_or_create_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    (tmp_path / "key").write_text("short")
    with pytest.raises(InputError, match="at least 16 characters, got 5. Delete"):
        load_or_create_key(tmp_path)


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o700])
def test_what_is_kept_is_private_whatever_the_folder_was(tmp_path, mode):
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(mode)
    (data / "pictures").mkdir(mode=0o755)
    old = data / "pictures" / f"{'0' * 64}.png"
    for file in (old, data / "conversations.sqlite3"):
        file.touch()
        file.chmod(0o644)
    before = os.umask(0)
    try:
        with running(scripted(), data) as server, server.client() as client:
            id = begin(client)
            ask(client, id)
            files = [file for file in data.rglob("*") if file.is_file()]
            open_ones = [f for f in files if stat.S_IMODE(f.stat().st_mode) & 0o077]
            assert (open_ones, len(files) >= 5) == ([], True)
        assert stat.S_IMODE((data / "pictures").stat().st_mode) == 0o700
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "full"), "storage_full"),
        (OSError(errno.EDQUOT, "quota"), "storage_full"),
        (OSError(errno.EROFS, "read-only"), "storage_read_only"),
        (PermissionError(errno.EACCES, "denied"), "storage_read_only"),
        (OSError(errno.EIO, "broken"), "storage_damaged"),
        (FileNotFoundError(errno.ENOENT, "gone"), None),
        (ConnectionResetError(errno.ECONNRESET, "reset"), None),
        (ValueError("x"), None),
    ],
)
def test_errors_of_the_disk_are_told_apart(error, code):
    assert disk_error_code(error) == code
    problem = to_api_error(error)
    assert (problem.status, problem.code) == ((507, code) if code else (500, "internal_error"))
    assert "/" not in problem.message


def test_errors_of_the_database_are_told_apart(tmp_path):
    storage = Storage(tmp_path)
    storage.prepare()
    store = open_store(storage)
    connection = store._db._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError) as full:
        store.create("somebody", title="x" * 200, system="y" * 2_000_000)
    assert disk_error_code(full.value) == "storage_full"
    connection.execute("PRAGMA max_page_count = 100000")
    assert store.create("somebody")  # the transaction that failed is over
    connection.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError) as unwritable:
        store.create("somebody")
    assert disk_error_code(unwritable.value) == "storage_read_only"
    store.close()


def test_two_servers_on_one_folder_are_told_so(tmp_path):
    with locked(tmp_path):
        made = run("--data", str(tmp_path), "--no-key")
    assert made.returncode == 2
    assert made.stdout == ""
    assert (
        made.stderr
        == f"segue: Another server uses {tmp_path}. Stop it, or choose another --data.\n"
    )


def test_an_address_in_use_is_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        made = run("--data", str(tmp_path), "--no-key", "--port", str(port))
    assert made.returncode == 2
    (line,) = made.stderr.splitlines()
    assert line.startswith(f"segue: Cannot listen on 127.0.0.1:{port}: Address already in use.")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own; where the system lets us make one."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    try:
        made = subprocess.run(command, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if made.returncode:
        pytest.skip("a file system can only be made by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    filler = place / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


def noise(seed: int) -> Image:
    rng = np.random.default_rng(seed)
    return Image(rng.integers(0, 255, (300, 300, 3)).astype(np.uint8))


def test_a_full_disk_is_said_and_one_can_delete_and_go_on(small_disk):
    process = Process(small_disk, {"what?": SHORT})
    client = process.start()
    ids = [begin(client, noise(n)) for n in range(6)]
    for id in ids:
        ask(client, id)
    before = [client.get(f"/v1/conversations/{id}").json() for id in ids]
    filler = fill(small_disk)
    made = [
        client.post("/v1/conversations", json={"system": "x" * 19_000}),
        client.post("/v1/conversations", json={"system": "x" * 19_000}),
        client.post(f"/v1/conversations/{ids[0]}/images",
                    files={"file": ("a.png", noise(99).to_png_bytes())}),
    ]  # fmt: skip
    refused = [answer for answer in made if answer.status_code != 201]
    assert refused
    for answer in refused:
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
        assert "Delete conversations" in answer.text
    ready, until = client.get("/readyz"), monotonic() + 5
    while ready.status_code == 200 and monotonic() < until:  # it looks four times a second
        ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["error"]["code"]) == (507, "storage_full")
    name, data = ask(client, ids[0])[-1]
    assert name == "done" or data["error"]["code"] == "storage_full", data
    assert client.get(f"/v1/conversations/{ids[1]}").json() == before[1]
    assert client.delete(f"/v1/conversations/{ids[5]}").status_code == 204
    assert client.get(f"/v1/conversations/{ids[5]}").status_code == 404
    filler.unlink()
    client.get("/healthz")
    process.kill()
    client.close()
    client = process.start()  # ready again, nothing lost
    for id, state in list(zip(ids, before))[1:5]:
        assert client.get(f"/v1/conversations/{id}").json() == state
    assert client.post("/v1/conversations", json={}).status_code == 201
    assert (small_disk / "data" / "reserve").stat().st_size == RESERVE_BYTES
    fill(small_disk)
    process.kill()
    client.close()
    client = process.start_unready()  # on a full disk it starts all the same
    assert client.get("/readyz").status_code == 507
    assert client.delete(f"/v1/conversations/{ids[4]}").status_code == 204
    client.close()
    process.kill()


def test_a_disk_that_turns_read_only_is_said(small_disk):
    process = Process(small_disk, {"what?": SHORT})
    client = process.start()
    id = begin(client, noise(1))
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    if subprocess.run(remount, capture_output=True).returncode:
        # What is open for writing keeps a file system writable; then only a start can be tried.
        client.close()
        process.kill()
        subprocess.run(remount, check=True)
    else:
        answer = client.post("/v1/conversations", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_read_only")
        assert client.get("/readyz").status_code == 507
        assert client.get(f"/v1/conversations/{id}").status_code == 200
        client.close()
        process.kill()
    made = run("--data", str(small_disk / "data"), "--no-key")
    assert made.returncode == 2
    assert "cannot be written" in made.stdout + made.stderr
    assert "Traceback" not in made.stdout + made.stderr
    first = run("--data", str(small_disk / "new"))
    assert first.returncode == 2
    assert "cannot be written" in first.stdout + first.stderr
