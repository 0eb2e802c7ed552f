"""The environments of the peers: each made once, apart from segue's, where torchvision may be."""

import subprocess
import sys
from pathlib import Path

REQUIREMENTS = {
    "pipelines": ("torch==2.14.1", "torchvision==0.29.1", "transformers==5.23.0", "scipy"),
    # The original Grounding DINO reads parts of BERT that transformers 5 no longer has.
    "autodistill": (
        *("torch==2.14.1", "torchvision==0.29.1", "transformers==4.46.3", "scipy"),
        *("autodistill==0.1.29", "autodistill-grounded-sam==0.1.2"),
        *("rf-groundingdino==0.3.0", "rf-segment-anything"),
        *("scikit-learn", "roboflow"),  # which autodistill imports, and does not ask for
    ),
}


def python_of(name: str, folder: Path) -> str:
    """Give the interpreter of an environment under `folder`, which is made where it is not there.

    Raises:
        subprocess.CalledProcessError: pip could not install what it needs.
    """
    place = folder / name
    ready = place / "ready"
    interpreter = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not ready.exists():
        print(f"making the environment of {name} in {place}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        install = [interpreter, "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]]
        subprocess.run(install, check=True)
        ready.touch()
    return str(interpreter)
