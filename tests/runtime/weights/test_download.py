"""Fetching one file: cached, resumed, bounded, verified."""

import hashlib
import re
import subprocess
import sys

import pytest

from segue.errors import InputError, ModelError
from segue.runtime.weights import download
from segue.runtime.weights.download import PUBLISHED, fetch

CONTENT = bytes(range(256)) * 40


def test_a_file_is_fetched_once(site, tmp_path):
    site.files["/models/sam.pth"] = CONTENT
    first = fetch(f"{site.address}/models/sam.pth", tmp_path)
    assert first.read_bytes() == CONTENT
    assert first.name == "sam.pth"
    assert fetch(f"{site.address}/models/sam.pth", tmp_path) == first
    assert len(site.asked) == 1


FETCH = """
import sys
from pathlib import Path
from segue.runtime.weights.download import fetch

print(fetch(sys.argv[1], Path(sys.argv[2])).stat().st_size)
"""


def test_of_two_processes_at_once_one_fetches(site, tmp_path):
    site.files["/models/sam.pth"] = CONTENT
    command = [sys.executable, "-c", FETCH, f"{site.address}/models/sam.pth", str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == [f"{len(CONTENT)}\n"] * 2
    assert len(site.asked) == 1


def test_an_interrupted_transfer_goes_on_where_it_stopped(site, tmp_path):
    site.files["/sam.pth"], site.cut_after = CONTENT, 5000
    with pytest.raises(ModelError, match=r"5000 of 10240 bytes.*try again"):
        fetch(f"{site.address}/sam.pth", tmp_path)
    assert fetch(f"{site.address}/sam.pth", tmp_path).read_bytes() == CONTENT
    assert site.asked[1] == ("GET", "/sam.pth", "bytes=5000-")


def test_a_part_that_is_already_whole_is_taken(site, tmp_path):
    site.files["/sam.pth"] = CONTENT
    whole = fetch(f"{site.address}/sam.pth", tmp_path)
    whole.rename(whole.with_name("sam.pth.part"))
    assert fetch(f"{site.address}/sam.pth", tmp_path).read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away(site, tmp_path):
    site.files["/sam.pth"] = CONTENT
    whole = fetch(f"{site.address}/sam.pth", tmp_path)
    whole.rename(whole.with_name("sam.pth.part"))
    site.files["/sam.pth"] = b"shorter"
    assert fetch(f"{site.address}/sam.pth", tmp_path).read_bytes() == b"shorter"


def test_the_checksum_is_verified_and_a_wrong_file_removed(site, tmp_path):
    site.files["/x.pth"] = CONTENT
    right = hashlib.sha256(CONTENT).hexdigest()
    url = f"{site.address}/x.pth"
    with pytest.raises(ModelError, match=r"must have the sha256 abc…, got " + right):
        fetch(url, tmp_path, sha256="abc")
    assert not list(tmp_path.rglob("x.pth*"))
    assert fetch(url, tmp_path, sha256=right[:8].upper()).is_file()


def test_a_published_name_brings_its_checksum(site, tmp_path):
    site.files["/sam_vit_b_01ec64.pth"] = CONTENT
    with pytest.raises(ModelError, match="sha256 01ec64"):
        fetch(f"{site.address}/sam_vit_b_01ec64.pth", tmp_path)


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(site, tmp_path):
    site.files["/x.pth"] = CONTENT
    with pytest.raises(ModelError, match="must not be larger than 100 bytes, got 10240"):
        fetch(f"{site.address}/x.pth", tmp_path, max_bytes=100)
    assert not any(path.stat().st_size for path in tmp_path.rglob("*.part"))


def test_offline_uses_the_cache_and_nothing_else(site, tmp_path):
    site.files["/x.pth"] = CONTENT
    url = f"{site.address}/x.pth"
    with pytest.raises(ModelError, match=r"not in the cache.*SEGUE_OFFLINE"):
        fetch(url, tmp_path, offline=True)
    assert not site.asked
    fetch(url, tmp_path)
    assert fetch(url, tmp_path, offline=True).read_bytes() == CONTENT


def test_a_missing_file_and_a_dead_server_are_explained(site, tmp_path):
    with pytest.raises(ModelError, match="could not be fetched.*404"):
        fetch(f"{site.address}/none.pth", tmp_path)
    with pytest.raises(ModelError, match="could not be fetched"):
        fetch("http://127.0.0.1:9/x.pth", tmp_path, timeout_s=2)


@pytest.mark.parametrize("url", ["http://host/", "https://host", "http://h/a%2Fb", "http://h/.."])
def test_a_url_without_a_plain_file_name_is_refused(url, tmp_path):
    with pytest.raises(InputError):
        fetch(url, tmp_path)


def test_the_same_name_from_two_places_does_not_mix(site, tmp_path):
    site.files |= {"/a/x.pth": b"one", "/b/x.pth": b"two"}
    assert fetch(f"{site.address}/a/x.pth", tmp_path).read_bytes() == b"one"
    assert fetch(f"{site.address}/b/x.pth", tmp_path).read_bytes() == b"two"


def test_the_published_files_are_described_consistently():
    for name, published in PUBLISHED.items():
        assert published.url.endswith("/" + name)
        assert re.fullmatch(r"[0-9a-f]+", published.sha256)
        assert 1e8 < published.size_bytes < download.MAX_BYTES
