"""Which files a question runs through, from `Conversation.ask` to the mask of one box.

    python -m benchmarks.decision_path

Counts files of the package whose functions run, in the order in which they are first entered. The
networks are replaced: what is counted is the decision path that a reader follows, not the
arithmetic of a model. Plain values (boxes, masks, pictures) are counted apart.
"""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import segue
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.segment.box_fill import BoxFill

PACKAGE = Path(segue.__file__).parent
QUESTIONS = {
    "box": ("框出图片中狗的位置", "<ref>狗</ref><box>(100,100),(500,500)</box>"),
    "tag": ("Segment the dog.", "<gsam>dog</gsam>"),
}
VALUES = ("values", "box.py", "region.py", "message.py", "image", "mask", "errors.py")


def files_run(call: Any) -> list[str]:
    """Return the files of the package that a call runs through, in the order of first entry."""
    files: dict[str, None] = {}

    def enter(frame: FrameType, event: str, argument: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(PACKAGE)) and frame.f_code.co_name != "<module>":
            files.setdefault(str(Path(path).relative_to(PACKAGE)))

    sys.setprofile(enter)
    try:
        call()
    finally:
        sys.setprofile(None)
    return list(files)


def main() -> None:
    """Print the decision path of both routes."""
    picture = np.zeros((100, 200, 3), np.uint8)
    for route, (question, reply) in QUESTIONS.items():
        assistant = segue.Assistant(
            Scripted([reply] * 2), Fixed({"dog": [(10, 10, 90, 90)]}), BoxFill()
        )
        assistant.open(picture).ask(question)  # imports are done now
        conversation = assistant.open(picture)
        files = files_run(lambda talk=conversation, text=question: talk.ask(text))
        assert conversation.regions[0].mask is not None
        path = [file for file in files if not file.startswith(VALUES)]
        print(f"{route}: {len(path)} files, and {len(files) - len(path)} of plain values")
        for file in path:
            print("   ", file)


if __name__ == "__main__":
    main()
