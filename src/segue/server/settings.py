"""What a server is started with."""

import ipaddress
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from segue.conversation.session.bounds import SessionLimits
from segue.errors import InputError
from segue.runtime.memory import MemoryBudget
from segue.server.conversations.storage import explain_disk_errors, private
from segue.values.image.pixels import Limits
from segue.video.video_file import SELF_CONTAINED, VideoLimits

LEAST_KEY = 16
"""Characters of the shortest key."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of a server; the defaults suit one machine and a few people."""

    data: Path
    """Folder for conversations, pictures and the generated key."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8000
    keys: tuple[str, ...] = ()
    """Who shows one of these may come in; none: nobody is asked (loopback only)."""
    memory: MemoryBudget = field(default_factory=MemoryBudget.of_machine)
    """How much may be remembered to save time; the work itself comes on top."""
    login_token: str = ""
    """What the printed address logs a browser in with, as the holder of the first key."""
    allowed_hosts: tuple[str, ...] = ()
    """Values of the Host header that are answered; none: on loopback its own names, else all."""
    cors_origins: tuple[str, ...] = ()
    """Other sites whose pages may call, as "https://example.org"."""
    allow_urls: bool = False
    """Fetch pictures from public http(s) addresses that requests name."""
    max_body_bytes: int = 32 * 2**20
    """The longest request."""
    max_pixels: int = 40_000_000
    """Height times width of a picture."""
    max_images: int = 16
    """Pictures in one request, and in one conversation."""
    max_mask_pixels: int = 2_000_000_000
    """Objects times pixels of their picture that one request may ask for; a bit each in the end."""
    max_video_bytes: int = 256 * 2**20
    """The longest film."""
    max_video_frames: int = 20_000
    """Frames of a film."""
    max_videos_bytes: int = 4 * 2**30
    """All films and what was followed in them; beyond it those used longest ago are deleted."""
    video_timeout_s: float = 600.0
    """A film must have come in whole within this time."""
    max_tracking: int = 2
    """Films that are followed at the same time, so that conversations go on; fewer than
    `max_active`."""
    max_waiting: int = 32
    """Jobs that may wait for the models; beyond that the answer is 429."""
    max_active: int = 4
    """Replies that are written in turn, a piece each."""
    threads: int | None = None
    """Processor threads of the models; None: one where all of them are embedded (they are too small
    to share out, and waiting threads take the processor from everybody else), else torch's own."""
    max_new_tokens: int = 2048
    """The longest reply, whatever a request asks for."""
    deadline_s: float = 120.0
    """A request that takes longer, waiting included, is ended."""
    body_timeout_s: float = 60.0
    """A request must have come in whole within this time."""
    requests_per_minute: int = 1200
    """For each key; 0: no limit."""
    label_studio: bool = False
    """Answer a Label Studio as its model, under /label-studio."""
    label_studio_url: str = ""
    """Where that Label Studio is; its pictures are fetched from there, wherever it is."""
    label_studio_token: str = ""
    """Shown to that address, and to no other, to fetch pictures."""
    grace_s: float = 10.0
    """When stopping: how long replies may go on."""

    def __post_init__(self) -> None:
        if not self.keys and not is_loopback(self.host):
            raise InputError(
                f"A server without keys must stay on this machine, got host {self.host!r}. "
                "Give keys, or use 127.0.0.1."
            )
        if short := [key for key in self.keys if len(key) < LEAST_KEY or key != key.strip()]:
            raise InputError(
                f"A key must have at least {LEAST_KEY} characters and no blanks around it, got one "
                f"of {len(short[0])}. Make one with: python -c 'import secrets; "
                "print(secrets.token_urlsafe(32))'"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def limits(self) -> Limits:
        """Bounds for pictures in requests."""
        return Limits(
            max_pixels=self.max_pixels,
            max_bytes=self.max_body_bytes,
            timeout_s=min(10.0, self.deadline_s),
            max_redirects=3,
        )

    @property
    def max_total_pixels(self) -> int:
        """Of all pictures of one request, or of one conversation: as four of the largest."""
        return 4 * self.max_pixels

    @property
    def max_held_pixels(self) -> int:
        """Of the pictures of all requests that are in the works; what does not fit waits."""
        return 5 * self.max_pixels

    @property
    def video_limits(self) -> VideoLimits:
        """Bounds for films, which may read no other file."""
        return VideoLimits(
            max_pixels=self.max_pixels,
            max_frames=self.max_video_frames,
            demuxers=SELF_CONTAINED,
        )

    @property
    def session_limits(self) -> SessionLimits:
        """Bounds for session files."""
        return SessionLimits(
            max_file_bytes=4 * self.max_body_bytes,
            max_images=4 * self.max_images,
            max_pixels=self.max_total_pixels,
            max_mask_bytes=self.max_mask_pixels // 8,
            picture=self.limits,
        )

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names that are answered; empty: all. Keeps strangers' names from this machine."""
        if self.allowed_hosts or not is_loopback(self.host):
            return self.allowed_hosts
        return ("localhost", "127.0.0.1", "[::1]", self.host)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_or_create_key(data: Path) -> str:
    """Load the key of a data folder; made at the first start, readable by its owner only."""
    file = data / "key"
    with explain_disk_errors(data):
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        if not key:  # none yet, or one that a full disk or a kill left without a letter
            key = secrets.token_urlsafe(32)
            draft = data / f".key.{os.getpid()}"
            try:
                with open(draft, "w", encoding="utf-8", opener=private) as out:
                    out.write(key)
                    out.flush()
                    os.fsync(out.fileno())
                draft.replace(file)
            finally:
                draft.unlink(missing_ok=True)
    if len(key) < LEAST_KEY:
        raise InputError(
            f"The key in {file} must have at least {LEAST_KEY} characters, got {len(key)}. Delete "
            "the file to have another one made."
        )
    return key
