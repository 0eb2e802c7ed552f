"""Against a real server on this machine; only the rule about addresses is replaced."""

import ipaddress
import random
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from builders import an_image
from segue.errors import InputError
from segue.values.image import Image, url
from segue.values.image.pixels import Limits

PICTURE = an_image().to_png_bytes()
NOT_PUBLIC = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "fec0::1",
    "2001:db8::1",
]


class Pictures(BaseHTTPRequestHandler):
    """/picture.png, /loop, /hop -> /picture.png, /away -> another host, /slow, /huge, /404 …"""

    def do_GET(self):
        self.server.asked.append((self.headers["Host"], self.path))
        if self.path in ("/loop", "/hop", "/away", "/ftp"):
            place = {
                "/loop": "/loop",
                "/hop": "picture.png",
                "/away": "http://inner.example/",
                "/ftp": "ftp://pictures.example/x",
            }
            self.send_response(302)
            self.send_header("Location", place[self.path])
            self.end_headers()
        elif self.path == "/404":
            self.send_error(404)
        elif self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            while not self.server.over.wait(0.02):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return
        else:
            length = 10**9 if self.path in ("/huge", "/broken") else len(PICTURE)
            self.send_response(200)
            if self.path != "/unsaid":
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(PICTURE)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    server.asked, server.over = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def here_only_for(*names):
    """A resolver that knows a few names, all on this machine."""

    def resolve(host, port):
        if host not in names:
            raise InputError(f"{host!r} is not on the public internet")
        return "127.0.0.1"

    return resolve


def get(server, path, limits=None, scheme="http"):
    address = f"{scheme}://pictures.example:{server.server_port}{path}"
    return url.fetch(address, limits or Limits(), here_only_for("pictures.example"))


@pytest.mark.parametrize("path", ["/picture.png", "/hop", "/unsaid", "/图 片.png?q=1"])
def test_a_picture_is_fetched(server, path):
    assert get(server, path) == PICTURE
    assert server.asked[0][0] == f"pictures.example:{server.server_port}"


@pytest.mark.parametrize(
    ("path", "limits", "complaint"),
    [
        ("/loop", Limits(), "redirects more than 4 times"),
        ("/away", Limits(), "'inner.example' is not on the public internet"),
        ("/ftp", Limits(), "Only http and https"),
        ("/404", Limits(), "answered 404"),
        ("/huge", Limits(max_bytes=1000), "more than 1000 bytes"),
        ("/unsaid", Limits(max_bytes=1000), "more than 1000 bytes"),
        ("/broken", Limits(max_bytes=10**10), "broke off|IncompleteRead"),
        ("/slow", Limits(timeout_s=0.2), "no answer within 0.2 s"),
    ],
)
def test_bounds_hold(server, path, limits, complaint):
    with pytest.raises(InputError, match=complaint):
        get(server, path, limits)


def test_a_server_without_tls_is_a_clear_error(server):
    with pytest.raises(InputError, match="Cannot fetch"):
        get(server, "/picture.png", scheme="https")
    assert issubclass(ssl.SSLError, OSError)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_off_the_public_internet_are_refused(address):
    assert not url.is_public(address)


SPECIAL = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
    "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128", "64:ff9b:1::/48",
    "100::/64", "100:0:0:1::/64", "2001::/32", "2001:1::1/128", "2001:2::/48", "2001:3::/32",
    "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16",
    "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    "::ffff:10.0.0.0/104", "64:ff9b::192.88.99.0/120", "64:ff9b::127.0.0.0/104",
]  # fmt: skip
"""The registries of special-purpose addresses, and forms that carry an address inside."""


@pytest.mark.parametrize("network", SPECIAL)
def test_no_address_of_a_special_range_is_public(network):
    """The checking function only: nothing is connected to."""
    rng, whole = random.Random(network), ipaddress.ip_network(network)
    inside = [whole[0], whole[-1], *(whole[rng.randrange(whole.num_addresses)] for _ in range(20))]
    for address in inside:
        assert not url.is_public(str(address)), address


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_not(address):
    assert url.is_public(address)


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1/a.png",
        "http://localhost:1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_image_open_refuses_private_hosts_even_when_urls_are_allowed(source):
    with pytest.raises(InputError, match=r"not on the public internet|no host named"):
        Image.open(source, allow_urls=True)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("http://user:secret@example.org/", "user name or password"),
        ("http://example.org:99999/", "not a valid URL"),
        ("http:///path", "Only http"),
        ("http://[::1/", "not a valid URL"),
        ("http://no such host/", "no host named|Only http"),
    ],
)
def test_odd_urls_are_refused(source, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        Image.open(source, allow_urls=True)
    assert "secret" not in str(caught.value)


def test_one_private_address_among_several_is_enough(monkeypatch):
    answers = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(url.socket, "getaddrinfo", lambda *a, **k: answers)
    with pytest.raises(InputError, match=r"10\.0\.0\.1"):
        url.public_address("twofaced.example", 80)


def test_names_and_short_forms():
    assert url.file_name("https://a.org/x/%E9%A3%9E%E6%9C%BA.jpg?k=v") == "飞机.jpg"
    assert url.file_name("https://a.org/") == "a.org"
    assert url.short("https://u:p@a.org/x?token=1") == "'https://a.org/x'"
    assert np.array_equal(Image.open(PICTURE).array, an_image().array)
