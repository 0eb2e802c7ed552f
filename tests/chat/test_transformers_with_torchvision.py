"""The same chat models where torchvision is installed, over a stub of it in another process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="another process runs the models")

TESTS = Path(__file__).parents[1]
PROGRAM = """
import json, sys, tempfile
from pathlib import Path
import tiny_chats
from builders import an_image
from segue.chat.transformers import load
from segue.values.message import Message, Sampling

told = {}
for family in sys.argv[1:]:
    folder = Path(tempfile.mkdtemp())
    chat = load(tiny_chats.FAMILIES[family](folder), device="cpu")
    question = [Message("user", "what?", (an_image(),))]
    reply = "".join(chat.stream(question, Sampling(8, temperature=0)))
    told[family] = [type(chat.processor.image_processor).__name__, reply]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    paths = [
        TESTS / "stubs",
        TESTS,
        TESTS.parent / "src",
        *os.environ.get("PYTHONPATH", "").split(os.pathsep),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-c", PROGRAM, "qwen2_5_vl", "qwen3_vl", "internvl", "molmo2"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout.splitlines()[-1])


def test_pictures_go_through_it(told) -> None:
    assert not any(name.endswith("Pil") for name, _ in told.values())
    assert told["qwen2_5_vl"][0] == "Qwen2VLImageProcessor"


def test_every_family_answers_also_the_one_that_needs_it(told) -> None:
    assert set(told) == {"qwen2_5_vl", "qwen3_vl", "internvl", "molmo2"}
    assert all(reply for _, reply in told.values())
