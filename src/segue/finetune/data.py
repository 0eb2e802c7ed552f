"""Conversations to learn from: read, measured, and turned into examples when they are needed.

Text of users is plain: markup in it is taken out here, whoever wrote the file, so that no text
opens a picture or ends a turn. In an assistant's text only what points at things is live.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from segue.convert.check import opens
from segue.convert.dataset import read_all
from segue.convert.dialogue import Dialogue, Dropped, Turn, plain
from segue.convert.formats.files import CUT_OFF, is_file
from segue.convert.formats.image_places import PLACEHOLDERS
from segue.convert.formats.qwen_vl import OBSERVATION
from segue.errors import InputError
from segue.finetune.trainable import TrainableModel
from segue.values.image import Image
from segue.values.message import Message

HOLE = "placeholder that nothing fills"
"""Reason for which a dialogue is left out: taken out, it would leave a hole in the sentence."""


@dataclass(slots=True)
class Selection:
    """What of a file can be learned from."""

    dialogues: list[Dialogue] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Tokens of each, pictures included."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> count."""

    @property
    def read(self) -> int:
        """How many dialogues the file holds."""
        return len(self.dialogues) + self.dropped.total()

    def to_json(self) -> dict[str, Any]:
        """Counts, and the spread of lengths in tokens."""
        ordered = sorted(self.lengths)
        spread = {
            name: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
            for name, share in (("shortest", 0.0), ("median", 0.5), ("95 %", 0.95), ("longest", 1))
            if ordered
        }
        return {
            "dialogues": self.read,
            "kept": len(self.dialogues),
            "dropped": dict(self.dropped),
            "tokens": {**spread, "all": sum(ordered)},
        }


def select(
    path: str | Path, pupil: TrainableModel, max_length: int, *, cut: bool = False
) -> Selection:
    """Read a file and keep what can be learned from.

    Args:
        path: conversations in any format that `segue convert` writes.
        pupil: tells the length of a dialogue, and whether it can say the answers.
        max_length: in tokens.
        cut: keep longer ones too; they will be cut.

    Raises:
        InputError: the file cannot be read, or nothing in it can be used.
    """
    selection = Selection()
    for dialogue in read_all(Path(path)):
        if isinstance(dialogue, Dropped):
            if dialogue.reason == CUT_OFF:
                raise InputError(dialogue.detail)
            selection.dropped[dialogue.reason] += 1
            continue
        adapted, reason = _usable(dialogue, pupil)
        length = pupil.length(adapted) if not reason else 0
        if not reason and length > max_length:
            if not cut:
                reason = "longer than max_length"
            elif not pupil.teaches(adapted):
                reason = "its answers lie beyond max_length"
        if reason:
            selection.dropped[reason] += 1
            continue
        selection.dialogues.append(adapted)
        selection.lengths.append(min(length, max_length))
    if not selection.dialogues:
        reasons = ", ".join(f"{reason} {count}" for reason, count in selection.dropped.items())
        raise InputError(f"{path} holds no dialogue to learn from: {reasons or 'it is empty'}.")
    return selection


def _usable(dialogue: Dialogue, pupil: TrainableModel) -> tuple[Dialogue, str]:
    """The dialogue as the model would say it, and why it cannot be used ("" when it can)."""
    if not any(turn.role == "assistant" for turn in dialogue.turns):
        return dialogue, "without an answer"
    if not any(turn.role == "user" for turn in dialogue.turns):
        return dialogue, "without a question"
    if any(PLACEHOLDERS.search(turn.text) for turn in dialogue.turns):
        return dialogue, HOLE
    if not all(is_file(Path(image)) for image in dialogue.images):
        return dialogue, "picture not found"
    if not all(opens(image) for image in dialogue.images):
        return dialogue, "picture does not open"
    turns = []
    for turn in dialogue.turns:
        said = pupil.wording(turn, dialogue)
        if said is None:
            return dialogue, "boxes that this model writes in another way"
        turns.append(replace(turn, text=said))
    return replace(dialogue, turns=tuple(turns)), ""


def messages_of(dialogue: Dialogue, images: Sequence[Image]) -> list[Message]:
    """The conversation with its pictures at the first question.

    A tool's report becomes a user's turn that begins with "Observation: ".
    """
    messages: list[Message] = []
    shown = tuple(images)
    for turn in dialogue.turns:
        if turn.role in ("user", "tool"):
            messages.append(Message("user", _asked(turn), shown))
            shown = ()
        elif turn.role == "system":
            messages.append(Message("system", plain(turn.text)))
        else:
            messages.append(Message("assistant", turn.text))
    return messages


def _asked(turn: Turn) -> str:
    text = plain(turn.text)
    return OBSERVATION + text if turn.role == "tool" else text


def opened(dialogue: Dialogue) -> list[Image]:
    """The pictures of a dialogue, upright.

    Raises:
        InputError: one of them cannot be decoded.
    """
    try:
        return [Image.open(path) for path in dialogue.images]
    except InputError as error:
        raise InputError(
            f"{error} It belongs to the dialogue {dialogue.id!r}; once it is whole, the same "
            "command goes on. segue convert --check-pixels leaves such records out."
        ) from error


class Conversations(Dataset[Any]):
    """Dialogues as examples; pictures are read when an example is asked for."""

    def __init__(self, dialogues: Sequence[Dialogue], make: Callable[[Dialogue], Any]) -> None:
        self.dialogues, self.make = dialogues, make

    def __len__(self) -> int:
        return len(self.dialogues)

    def __getitem__(self, index: int) -> Any:
        return self.make(self.dialogues[index])


def digest(path: str | Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
