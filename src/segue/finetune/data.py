"""Training conversations: read, measured, and turned into examples when they are needed.

Text of users is plain: markup is removed from it here, whoever wrote the file, so that no text
opens a picture or ends a turn. In an assistant's text only boxes and tags are live markup.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from segue.convert.check import can_open_picture
from segue.convert.dataset import read_records_tolerantly
from segue.convert.dialogue import Dialogue, DialogueTurn, DroppedRecord, strip_markup
from segue.convert.formats.files import TRUNCATED_FILE, is_file
from segue.convert.formats.image_placeholders import PLACEHOLDER
from segue.convert.formats.qwen_vl import OBSERVATION
from segue.errors import InputError
from segue.finetune.trainable import TrainableModel
from segue.values.image import Image
from segue.values.message import Message

UNFILLED_PLACEHOLDER = "unfilled placeholder"
"""Reason for which a dialogue is left out: without the placeholder its sentence is incomplete."""


@dataclass(slots=True)
class Selection:
    """The dialogues of a file that can be trained on, and why others cannot."""

    dialogues: list[Dialogue] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Tokens of each, pictures included."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> count."""

    @property
    def n_read(self) -> int:
        """Number of dialogues in the file."""
        return len(self.dialogues) + self.dropped.total()

    def to_json(self) -> dict[str, Any]:
        """Return counts, and the distribution of lengths in tokens, as JSON values."""
        sorted_lengths = sorted(self.lengths)
        spread = {
            name: sorted_lengths[min(len(sorted_lengths) - 1, int(share * len(sorted_lengths)))]
            for name, share in (("shortest", 0.0), ("median", 0.5), ("95 %", 0.95), ("longest", 1))
            if sorted_lengths
        }
        return {
            "dialogues": self.n_read,
            "kept": len(self.dialogues),
            "dropped": dict(self.dropped),
            "tokens": {**spread, "all": sum(sorted_lengths)},
        }


def select_dialogues(
    path: str | Path, model: TrainableModel, max_length: int, *, truncate: bool = False
) -> Selection:
    """Read a file and select the dialogues that can be trained on.

    Args:
        path: conversations in any format that `segue convert` writes.
        model: counts tokens, and renders the answers in the model's own markup.
        max_length: in tokens.
        truncate: keep longer ones too; they will be truncated.

    Raises:
        InputError: the file cannot be read, or nothing in it can be used.
    """
    selection = Selection()
    for dialogue in read_records_tolerantly(Path(path)):
        if isinstance(dialogue, DroppedRecord):
            if dialogue.reason == TRUNCATED_FILE:
                raise InputError(dialogue.detail)
            selection.dropped[dialogue.reason] += 1
            continue
        rendered_dialogue, rejection_reason = _render_dialogue(dialogue, model)
        n_tokens = model.count_tokens(rendered_dialogue) if not rejection_reason else 0
        if not rejection_reason and n_tokens > max_length:
            if not truncate:
                rejection_reason = "longer than max_length"
            elif not model.has_labels(rendered_dialogue):
                rejection_reason = "its answers lie beyond max_length"
        if rejection_reason:
            selection.dropped[rejection_reason] += 1
            continue
        selection.dialogues.append(rendered_dialogue)
        selection.lengths.append(min(n_tokens, max_length))
    if not selection.dialogues:
        reasons = ", ".join(
            f"{rejection_reason} {count}" for rejection_reason, count in selection.dropped.items()
        )
        raise InputError(f"{path} holds no dialogue to train on: {reasons or 'it is empty'}.")
    return selection


def _render_dialogue(dialogue: Dialogue, model: TrainableModel) -> tuple[Dialogue, str]:
    """Return the dialogue in the model's markup, and why it cannot be used ("" when it can)."""
    if not any(turn.role == "assistant" for turn in dialogue.turns):
        return dialogue, "without an answer"
    if not any(turn.role == "user" for turn in dialogue.turns):
        return dialogue, "without a question"
    if any(PLACEHOLDER.search(turn.text) for turn in dialogue.turns):
        return dialogue, UNFILLED_PLACEHOLDER
    if not all(is_file(Path(image)) for image in dialogue.images):
        return dialogue, "picture not found"
    if not all(can_open_picture(image) for image in dialogue.images):
        return dialogue, "picture does not open"
    rendered_turns = []
    for turn in dialogue.turns:
        rendered_text = model.render(turn, dialogue)
        if rendered_text is None:
            return dialogue, "boxes that this model writes in another way"
        rendered_turns.append(replace(turn, text=rendered_text))
    return replace(dialogue, turns=tuple(rendered_turns)), ""


def to_messages(dialogue: Dialogue, images: Sequence[Image]) -> list[Message]:
    """Return the messages of a dialogue, with its pictures at the first question.

    A tool's report becomes a user's turn that begins with "Observation: ".
    """
    messages: list[Message] = []
    new_images = tuple(images)
    for turn in dialogue.turns:
        if turn.role in ("user", "tool"):
            messages.append(Message("user", _user_text(turn), new_images))
            new_images = ()
        elif turn.role == "system":
            messages.append(Message("system", strip_markup(turn.text)))
        else:
            messages.append(Message("assistant", turn.text))
    return messages


def _user_text(turn: DialogueTurn) -> str:
    text = strip_markup(turn.text)
    return OBSERVATION + text if turn.role == "tool" else text


def open_images(dialogue: Dialogue) -> list[Image]:
    """Open the pictures of a dialogue, upright.

    Raises:
        InputError: one of them cannot be decoded.
    """
    try:
        return [Image.open(path) for path in dialogue.images]
    except InputError as error:
        raise InputError(
            f"{error} It belongs to the dialogue {dialogue.id!r}; once it is repaired, the "
            "same command resumes. segue convert --check-pixels drops such records."
        ) from error


class DialogueDataset(Dataset[Any]):
    """Dialogues as training examples; pictures are read when an example is requested."""

    def __init__(
        self, dialogues: Sequence[Dialogue], make_example: Callable[[Dialogue], Any]
    ) -> None:
        self.dialogues, self.make_example = dialogues, make_example

    def __len__(self) -> int:
        return len(self.dialogues)

    def __getitem__(self, index: int) -> Any:
        return self.make_example(self.dialogues[index])


class PackedDataset(Dataset[Any]):
    """Rows of several examples each; pictures are read when a row is requested."""

    def __init__(self, examples: DialogueDataset, rows: Sequence[Sequence[int]]) -> None:
        self.examples, self.rows = examples, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return [self.examples[number] for number in self.rows[index]]


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
