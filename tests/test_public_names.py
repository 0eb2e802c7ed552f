import subprocess
import sys

import segue

HEAVY = ("torch", "transformers", "cv2", "PIL", "numpy")


def test_every_public_name_exists():
    for name in segue.__all__:
        assert getattr(segue, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(segue, "no_such_name")


def test_importing_segue_loads_nothing_heavy():
    code = f"import sys, segue; print([m for m in {HEAVY!r} if m in sys.modules])"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
