"""Chat templates rendered within bounds: sandboxed, in another process, with a deadline."""

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError

from segue.errors import ModelError

SECONDS = 5.0
"""A prompt that takes longer is given up; usual ones take a thousandth of that."""
_PROGRAM = Path(__file__).with_name("template_process.py")
_SYSTEM_FOLDER = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
"""Python does not start on Windows without it; nothing else of the environment is passed on."""


class TemplateRenderer:
    """Renders chat templates. Safe to use from several threads, and after a fork."""

    def __init__(self, tokens: Mapping[str, Any], seconds: float = SECONDS) -> None:
        """
        Args:
            tokens: special tokens by name, "eos_token" and its like.
            seconds: how long one prompt may take.
        """
        self._seconds = seconds
        self._tokens = {name: str(token) for name, token in tokens.items() if _is_text(token)}
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def render(
        self, template: str | Mapping[str, str], messages: Sequence[Mapping[str, Any]]
    ) -> str:
        """Return the prompt for messages, ready for the assistant's turn.

        Args:
            template: the source, or several by name, of which "default" is meant.
            messages: as transformers takes them.

        Raises:
            TemplateError: the template is broken, or refuses the messages.
            ModelError: it takes too long or too much memory.
        """
        if isinstance(template, Mapping):
            template = str(template.get("default", ""))
        values = {
            "messages": list(messages), "tools": None, "documents": None,
            "add_generation_prompt": True, **self._tokens,
        }  # fmt: skip
        request = json.dumps({"template": template, "values": values}) + "\n"
        with self._lock:
            reply = self._send_request(request.encode())
        answer = json.loads(reply)
        if "text" in answer:
            return str(answer["text"])
        if answer["kind"] == "resources":
            raise ModelError(f"The chat template was given up: {answer['error']}.")
        raise TemplateError(answer["error"])

    def _send_request(self, request: bytes) -> bytes:
        """One line to the process, and the line that comes back."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        alarm = threading.Timer(self._seconds, process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            reply = process.stdout.readline()
        except OSError:
            reply = b""
        finally:
            alarm.cancel()
        if not reply.endswith(b"\n"):
            self._process = None
            _end(process)
            raise ModelError(
                f"The chat template was given up: it took more than {self._seconds:g} s, or more "
                "memory than it may. Give a model whose template ends."
            )
        return reply

    def _running(self) -> "subprocess.Popen[bytes]":
        """Return the process; a fork gets one of its own, as two cannot share a pipe."""
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONIOENCODING": "utf-8", **_SYSTEM_FOLDER},
            )
            self._owner = os.getpid()
            weakref.finalize(self, _end, self._process)
        return self._process


def _is_text(token: Any) -> bool:
    return isinstance(token, str) or hasattr(token, "content")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was not sent yet has nobody to go to
                continue
    process.wait()
