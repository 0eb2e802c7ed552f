"""The recipes of the cookbook in other languages: JavaScript, and the configuration of nginx."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from documented_code import code_blocks, run_blocks

COOKBOOK = Path(__file__).parent.parent / "docs" / "cookbook"
RECIPES = sorted(COOKBOOK.glob("*.md"))
OPENSSL = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"


def test_the_index_names_every_recipe():
    index = (COOKBOOK / "index.md").read_text("utf-8")
    assert [page.name for page in RECIPES if f"]({page.name})" not in index] == ["index.md"]


def test_every_recipe_is_in_the_navigation_of_the_site():
    navigation = (COOKBOOK.parent.parent / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in RECIPES if f"- cookbook/{page.name}" not in navigation] == []


def test_javascript_finds_what_python_finds(tmp_path, monkeypatch, capsys):
    node = shutil.which("node") or pytest.skip("Node is not installed.")
    pytest.importorskip("fastapi")
    import segue
    from server.conftest import KEY, running

    monkeypatch.chdir(tmp_path)
    run_blocks(COOKBOOK / "index.md")
    [(_, script)] = code_blocks(COOKBOOK / "javascript.md", "js")
    Path("segment.mjs").write_text(script, "utf-8")
    assistant = segue.load("embedded", chat=None)
    with running(assistant, tmp_path / "data") as server:
        environment = {**os.environ, "SEGUE_URL": server.url, "SEGUE_KEY": KEY}
        command = [node, "segment.mjs"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (dog,) = assistant.segment("photos/meadow.png", ["dog", "zebra"])
    *_, area = done.stdout.splitlines()[0].split()
    assert done.stdout.startswith("dog ")
    assert int(area) == dog.mask.area
    assert "not found: zebra" in done.stdout


def nginx_configuration() -> str:
    """The configuration that the recipe shows."""
    [(_, configuration)] = code_blocks(COOKBOOK / "nginx.md", "nginx")
    return configuration


def directives(configuration: str) -> dict[str, list[str]]:
    """Values of each directive, blocks included; a line that is none of nginx's is an error."""
    found: dict[str, list[str]] = {}
    depth = 0
    for line in filter(None, (line.strip() for line in configuration.splitlines())):
        match = re.fullmatch(r"(\w+)\s?([^;{}]*?)\s*([;{])|(})", line)
        assert match, f"not a line of an nginx configuration: {line}"
        depth += {"{": 1, ";": 0, None: -1}[match[3]]
        assert depth >= 0, "a block is closed that was not opened"
        if match[1]:
            found.setdefault(match[1], []).append(match[2])
    assert depth == 0, "a block is not closed"
    return found


def test_nginx_lets_through_what_the_server_takes():
    from segue.server.settings import Settings

    found = directives(nginx_configuration())
    settings = Settings(data=Path("data"))
    assert found["client_max_body_size"] == [f"{settings.max_body_bytes // 2**20}m"]
    assert int(found["proxy_read_timeout"][0].removesuffix("s")) > settings.deadline_s
    assert found["proxy_buffering"] == ["off"]
    assert found["proxy_pass"] == [f"http://{settings.host}:8000"] * 2


def test_nginx_accepts_the_configuration(tmp_path):
    nginx = os.environ.get("SEGUE_NGINX") or shutil.which("nginx") or pytest.skip("no nginx here")
    shutil.which("openssl") or pytest.skip("OpenSSL makes the certificate; it is not installed.")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [*OPENSSL.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, timeout=60, stderr=subprocess.DEVNULL)
    site = nginx_configuration().replace("listen 443 ssl", "listen 127.0.0.1:18443 ssl")
    site = re.sub(r"(ssl_certificate_key) .*;", rf"\1 {key};", site)
    site = re.sub(r"(ssl_certificate) .*;", rf"\1 {certificate};", site)
    whole = tmp_path / "nginx.conf"
    logs = f"error_log {tmp_path}/error.log; pid {tmp_path}/nginx.pid;"
    folders = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole.write_text(f"{logs} events {{}} http {{ access_log off; {folders}\n{site}\n}}")
    command = [nginx, "-t", "-p", str(tmp_path), "-c", str(whole)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
