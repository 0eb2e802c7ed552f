"""Image-text-to-text models of transformers as pupils: Qwen2-VL, Qwen2.5-VL, Qwen3-VL and others.

The prompt is what the model's own chat template makes of it, exactly as when it answers; behind
each prompt the answer is put, and learned.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from segue.chat import ChatModel
from segue.chat.resizing import Patches, not_too_long
from segue.chat.transformers import TransformersChat
from segue.chat.transformers.families import family_of
from segue.chat.transformers.generation import ALONG_THE_TEXT
from segue.chat.transformers.loading import load_network
from segue.chat.transformers.processing import load_processor
from segue.chat.transformers.prompts import PromptWriter
from segue.convert.dialogue import Dialogue, Turn
from segue.dialects.recognition.recognize import dialect_of
from segue.errors import InputError, ModelError
from segue.finetune.data import messages_of, opened
from segue.finetune.recipe import Recipe
from segue.finetune.wording import say
from segue.values.box import Size
from segue.values.message import Message

IGNORED = -100
KNOWN = frozenset(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
"""Model types of transformers that see and write."""
_NEXT = Message("user", "?")


@dataclass(frozen=True, slots=True)
class Lesson:
    """One conversation as ids."""

    along: dict[str, list[int]]
    """input_ids, labels, and what else there is one of for each id."""
    pictures: dict[str, Tensor]
    """What the network wants to know of the pictures."""


class TrainableTransformers:
    """See `TrainableModel`."""

    targets = r".*language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"
    vision_targets = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.\w*(fc1|fc2|_proj))"
    merger = r".*visual\.(merger|deepstack_merger_list\.\d+)"
    vision = r"(.*\.)?visual"

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        """Read configuration and processor.

        Raises:
            ModelError, MissingExtra: as `load_processor`.
            InputError: the recipe asks for what these families do not have.
        """
        if recipe.mask != "assistant" or recipe.too_long == "cut":
            raise InputError(
                "mask = 'qwen' and too_long = 'cut' belong to the Qwen-VL of 2023. "
                "Say mask = 'assistant' and too_long = 'drop'."
            )
        self.folder, self.recipe = folder, recipe
        self.config = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        self.processor = load_processor(folder, self.config)
        self.family = family_of(self.config.model_type)
        if not self.family.turns or self.processor.chat_template is None:
            raise ModelError(
                f"{folder} has no chat template: conversations cannot be written for it. "
                "Use the variant that is tuned for chat (often '…-Instruct')."
            )
        self._limit_pixels()
        self._prompts = PromptWriter(self.processor, self.family, recipe.base)
        self._end = self.processor.tokenizer.eos_token

    def _limit_pixels(self) -> None:
        given = {"shortest_edge": self.recipe.min_pixels, "longest_edge": self.recipe.max_pixels}
        changed = {edge: value for edge, value in given.items() if value is not None}
        pictures = self.processor.image_processor
        if changed and self._patches() is None:
            raise InputError(
                f"min_pixels and max_pixels have no meaning for {self.config.model_type!r} models. "
                "Take them out of the recipe."
            )
        if changed:
            edges = {edge: getattr(pictures.size, edge) for edge in given}
            pictures.size = type(pictures.size)(**{**edges, **changed})

    def _patches(self) -> Patches | None:
        """How pictures are cut, where they keep their shape (Qwen's way)."""
        pictures = self.processor.image_processor
        merge, side = getattr(pictures, "merge_size", None), getattr(pictures, "patch_size", None)
        least, most = (
            getattr(pictures.size, f"{edge}_edge", None) for edge in ("shortest", "longest")
        )
        if merge is None or least is None or most is None or not isinstance(side, int):
            return None
        return Patches(side=side * merge, min_pixels=least, max_pixels=most)

    def network(self, dtype: torch.dtype, device: torch.device) -> Any:
        """See `TrainableModel.network`."""
        if device.type == "meta":
            with device:
                return AutoModelForImageTextToText.from_config(self.config, dtype=dtype)
        name = str(dtype).removeprefix("torch.")
        return load_network(
            self.folder, device=str(device), dtype=name, quantize=None, device_map=None
        )

    def wording(self, turn: Turn, dialogue: Dialogue) -> str | None:
        """Boxes are written as this family writes them."""
        if turn.role != "assistant":
            return turn.text
        dialect = dialect_of(self.config.model_type).dialect
        return say(turn.text, dialect, lambda: self._seen(dialogue))

    def _seen(self, dialogue: Dialogue) -> Size | None:
        """The size at which the one picture of a dialogue reaches the network."""
        patches = self._patches()
        if len(dialogue.images) != 1 or patches is None:
            return None
        return patches.size_for(_size_of(dialogue.images[0]))

    def length(self, dialogue: Dialogue) -> int:
        """See `TrainableModel.length`."""
        patches = self._patches()
        if patches is None:
            return len(self.example(dialogue).along["input_ids"])
        blank = replace(dialogue, images=())
        words = sum(len(self._ids(text)) for text, _ in self._pieces(messages_of(blank, ())))
        frame = len(self._ids(self._marks(1))) - len(self._ids(self._marks(0)))
        seen = [patches.size_for(_size_of(image)) for image in dialogue.images]
        cells = sum(size.height * size.width // patches.side**2 for size in seen)
        return words + (frame - 1) * len(seen) + cells

    def _marks(self, count: int) -> str:
        """A prompt with so many pictures, as text."""
        from segue.finetune.qwen_vl import BLANK

        return self._prompts.write([Message("user", "", (BLANK,) * count)]).text

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _pieces(self, messages: Sequence[Message]) -> Iterator[tuple[str, bool]]:
        """The conversation as text, in pieces: (text, whether it is learned).

        Each answer follows the very prompt that it would have to answer.
        """
        done = ""
        for number, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = self._prompts.write(messages[:number]).text
            after = self._prompts.write([*messages[: number + 1], _NEXT]).text
            end = after.find(self._end, len(prompt))
            if not prompt.startswith(done) or not after.startswith(prompt) or end < 0:
                raise ModelError(
                    f"The chat template in {self.folder} writes earlier turns differently when "
                    "more follow, so answers cannot be told apart in it. Use single turns."
                )
            yield prompt[len(done) :], False
            done = after[: end + len(self._end)]
            yield done[len(prompt) :], True

    def teaches(self, dialogue: Dialogue) -> bool:
        """See `TrainableModel.teaches`; for these families nothing is ever cut."""
        return True

    def example(self, dialogue: Dialogue) -> Lesson:
        """See `TrainableModel.example`."""
        messages = messages_of(dialogue, opened(dialogue))
        waiting = [self._picture(image) for message in messages for image in message.images]
        along: dict[str, list[int]] = {"input_ids": [], "labels": []}
        pictures: dict[str, Tensor] = {}
        for text, learned in self._pieces(messages):
            if learned:
                made: dict[str, Any] = {"input_ids": torch.tensor([self._ids(text)])}
            else:
                shown = [waiting] if waiting else None
                made = dict(self.processor(text=[text], images=shown, return_tensors="pt"))
                waiting = []
            ids = made["input_ids"][0].tolist()
            before = len(along["input_ids"])
            along["input_ids"] += ids
            along["labels"] += ids if learned else [IGNORED] * len(ids)
            for name, value in made.items():
                if name not in ALONG_THE_TEXT:
                    pictures[name] = value
                elif name not in ("input_ids", "attention_mask"):
                    along.setdefault(name, [0] * before).extend(value[0].tolist())
            for values in along.values():
                values += [0] * (len(along["input_ids"]) - len(values))
        return Lesson(along, pictures)

    def _picture(self, image: Any) -> Any:
        size = not_too_long(image.size)
        picture = image.to_pil()
        return picture if size == image.size else picture.resize((size.width, size.height))

    def collate(self, examples: Sequence[Lesson]) -> dict[str, Tensor]:
        """Pad on the right; pictures of all rows follow one another."""
        length = max(len(one.along["input_ids"]) for one in examples)
        padding = {"input_ids": self.processor.tokenizer.pad_token_id or 0, "labels": IGNORED}
        names = dict.fromkeys(name for one in examples for name in one.along)
        batch = {name: torch.full((len(examples), length), padding.get(name, 0)) for name in names}
        batch["attention_mask"] = torch.zeros((len(examples), length), dtype=torch.int64)
        for row, one in enumerate(examples):
            for name, values in one.along.items():
                batch[name][row, : len(values)] = torch.tensor(values)
            batch["attention_mask"][row, : len(one.along["input_ids"])] = 1
        for name in dict.fromkeys(name for one in examples for name in one.pictures):
            batch[name] = torch.cat([o.pictures[name] for o in examples if name in o.pictures])
        return batch

    def picture_tokens(self) -> str:
        """See `TrainableModel.picture_tokens`."""
        patches = self._patches()
        if patches is None:
            return "what its processor says"
        least, most = (
            pixels // patches.side**2 for pixels in (patches.min_pixels, patches.max_pixels)
        )
        return (
            f"{max(1, least)} to {most} tokens, one for each {patches.side} x {patches.side} pixels"
        )

    @contextmanager
    def chat(self, network: nn.Module) -> Iterator[ChatModel]:
        """See `TrainableModel.chat`."""
        try:
            yield TransformersChat(network, self.processor, self.recipe.base)
        finally:  # while it learns, no feature of a picture may be remembered
            vars(network.base_model).pop("get_image_features", None)
            vars(network).pop("forget_features", None)


def _size_of(path: str) -> Size:
    """The upright size of a picture, from its header."""
    try:
        with PIL.Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(0x0112, 1) >= 5
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a picture ({error}).") from error
    return Size(height=width, width=height) if turned else Size(height=height, width=width)
