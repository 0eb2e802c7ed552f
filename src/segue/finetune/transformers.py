"""Fine-tuning of image-text-to-text models of transformers: Qwen2-VL, Qwen2.5-VL, Qwen3-VL, ….

Each prompt is written by the model's own chat template, exactly as at inference; the answer is
appended to it, and learned.
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
from segue.convert.dialogue import Dialogue, DialogueTurn
from segue.dialects.recognition.recognize import dialect_of
from segue.errors import InputError, ModelError
from segue.finetune.data import open_images, to_messages
from segue.finetune.markup_translation import translate_markup
from segue.finetune.packing import block_masks_and_positions
from segue.finetune.recipe import Recipe
from segue.values.box import Size
from segue.values.message import Message

IGNORED = -100
PACKABLE_MODEL_TYPES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
"""Model types for which a packed row is known to give the logits of its conversations alone."""
SUPPORTED_MODEL_TYPES = frozenset(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
"""Model types of transformers that map images and text to text."""
_FOLLOWING_QUESTION = Message("user", "?")


@dataclass(frozen=True, slots=True)
class TokenisedDialogue:
    """One conversation as token ids."""

    per_token: dict[str, list[int]]
    """input_ids, labels, and whatever else has one value for each token."""
    vision_inputs: dict[str, Tensor]
    """Inputs of the vision tower."""


class TrainableTransformers:
    """See `TrainableModel`."""

    targets = r".*language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"
    vision_target_pattern = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.\w*(fc1|fc2|_proj))"
    merger_pattern = r".*visual\.(merger|deepstack_merger_list\.\d+)"
    vision = r"(.*\.)?visual"

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        """Read configuration and processor.

        Raises:
            ModelError, MissingExtra: as `load_processor`.
            InputError: the recipe asks for what these families do not have.
        """
        if recipe.mask != "assistant" or recipe.too_long == "cut":
            raise InputError(
                "mask = 'qwen' and too_long = 'cut' are for the Qwen-VL of 2023 only. "
                "Set mask = 'assistant' and too_long = 'drop'."
            )
        self.folder, self.recipe = folder, recipe
        self.config = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        self.processor = load_processor(folder, self.config)
        self.family = family_of(self.config.model_type)
        if not self.family.turns or self.processor.chat_template is None:
            raise ModelError(
                f"{folder} has no chat template, so conversations cannot be formatted for it. "
                "Use the variant that is tuned for chat (often '…-Instruct')."
            )
        self._apply_pixel_limits()
        self._position_network = self._build_position_network() if recipe.packing else None
        self._prompts = PromptWriter(self.processor, self.family, recipe.base)
        self._end_token = self.processor.tokenizer.eos_token

    def _build_position_network(self) -> Any:
        """Return a network without weights that computes positions, where rows can be packed."""
        text_config = self.config.get_text_config()
        has_window = "sliding_attention" in (getattr(text_config, "layer_types", None) or ())
        if self.config.model_type not in PACKABLE_MODEL_TYPES or has_window:
            kind = f"{self.config.model_type!r} models" + has_window * " with a sliding window"
            raise InputError(
                f"Packed rows of {kind} are not known to give the loss of conversations one by "
                f"one; they are for {', '.join(PACKABLE_MODEL_TYPES)} and the Qwen-VL of 2023. "
                "Set packing = false."
            )
        return self.network(torch.float32, torch.device("meta")).model

    def _apply_pixel_limits(self) -> None:
        requested_limits = {
            "shortest_edge": self.recipe.min_pixels,
            "longest_edge": self.recipe.max_pixels,
        }
        new_limits = {edge: value for edge, value in requested_limits.items() if value is not None}
        image_processor = self.processor.image_processor
        if new_limits and self._patch_geometry() is None:
            raise InputError(
                f"min_pixels and max_pixels have no meaning for {self.config.model_type!r} models. "
                "Remove them from the recipe."
            )
        if new_limits:
            edges = {edge: getattr(image_processor.size, edge) for edge in requested_limits}
            image_processor.size = type(image_processor.size)(**{**edges, **new_limits})

    def _patch_geometry(self) -> Patches | None:
        """Return how pictures are resized to patches, where they keep their shape (as in Qwen)."""
        image_processor = self.processor.image_processor
        merge_size, patch_size = (
            getattr(image_processor, "merge_size", None),
            getattr(image_processor, "patch_size", None),
        )
        min_pixels, max_pixels = (
            getattr(image_processor.size, f"{edge}_edge", None) for edge in ("shortest", "longest")
        )
        if (
            merge_size is None
            or min_pixels is None
            or max_pixels is None
            or not isinstance(patch_size, int)
        ):
            return None
        return Patches(side=patch_size * merge_size, min_pixels=min_pixels, max_pixels=max_pixels)

    def network(self, dtype: torch.dtype, device: torch.device) -> Any:
        """See `TrainableModel.network`."""
        if device.type == "meta":
            with device:
                return AutoModelForImageTextToText.from_config(self.config, dtype=dtype)
        dtype_name = str(dtype).removeprefix("torch.")
        return load_network(self.folder, device=str(device), dtype=dtype_name)

    def render(self, turn: DialogueTurn, dialogue: Dialogue) -> str | None:
        """See `TrainableModel.render`."""
        if turn.role != "assistant":
            return turn.text
        dialect = dialect_of(self.config.model_type).dialect
        return translate_markup(turn.text, dialect, lambda: self._network_size(dialogue))

    def _network_size(self, dialogue: Dialogue) -> Size | None:
        """Return the size at which the only picture of a dialogue reaches the network."""
        patches = self._patch_geometry()
        if len(dialogue.images) != 1 or patches is None:
            return None
        return patches.size_for(_upright_size(dialogue.images[0]))

    def count_tokens(self, dialogue: Dialogue) -> int:
        """See `TrainableModel.count_tokens`."""
        patches = self._patch_geometry()
        if patches is None:
            return len(self.example(dialogue).per_token["input_ids"])
        text_only = replace(dialogue, images=())
        text_tokens = sum(
            len(self._token_ids(text))
            for text, _ in self._split_prompts_and_answers(to_messages(text_only, ()))
        )
        frame_tokens = len(self._token_ids(self._prompt_with_pictures(1))) - len(
            self._token_ids(self._prompt_with_pictures(0))
        )
        network_sizes = [patches.size_for(_upright_size(image)) for image in dialogue.images]
        picture_tokens = sum(size.height * size.width // patches.side**2 for size in network_sizes)
        return text_tokens + (frame_tokens - 1) * len(network_sizes) + picture_tokens

    def _prompt_with_pictures(self, count: int) -> str:
        """Return the text of a prompt with `count` pictures."""
        from segue.finetune.qwen_vl import BLANK_IMAGE

        return self._prompts.write([Message("user", "", (BLANK_IMAGE,) * count)]).text

    def _token_ids(self, text: str) -> list[int]:
        ids: list[int] = self.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _split_prompts_and_answers(self, messages: Sequence[Message]) -> Iterator[tuple[str, bool]]:
        """Split the conversation into pieces of text: (text, whether it is learned).

        Each answer follows exactly the prompt that it has at inference.
        """
        text_so_far = ""
        for message_index, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = self._prompts.write(messages[:message_index]).text
            text_with_answer = self._prompts.write(
                [*messages[: message_index + 1], _FOLLOWING_QUESTION]
            ).text
            answer_end = text_with_answer.find(self._end_token, len(prompt))
            if (
                not prompt.startswith(text_so_far)
                or not text_with_answer.startswith(prompt)
                or answer_end < 0
            ):
                raise ModelError(
                    f"The chat template in {self.folder} writes earlier turns differently when "
                    "more follow, so the answers cannot be located in it. Use single turns."
                )
            yield prompt[len(text_so_far) :], False
            text_so_far = text_with_answer[: answer_end + len(self._end_token)]
            yield text_so_far[len(prompt) :], True

    def has_labels(self, dialogue: Dialogue) -> bool:
        """See `TrainableModel.has_labels`; these families never truncate."""
        return True

    def example(self, dialogue: Dialogue) -> TokenisedDialogue:
        """See `TrainableModel.example`."""
        messages = to_messages(dialogue, open_images(dialogue))
        pending_images = [self._picture(image) for message in messages for image in message.images]
        per_token: dict[str, list[int]] = {"input_ids": [], "labels": []}
        vision_inputs: dict[str, Tensor] = {}
        for text, is_learned in self._split_prompts_and_answers(messages):
            if is_learned:
                encoded: dict[str, Any] = {"input_ids": torch.tensor([self._token_ids(text)])}
            else:
                prompt_images = [pending_images] if pending_images else None
                encoded = dict(
                    self.processor(text=[text], images=prompt_images, return_tensors="pt")
                )
                pending_images = []
            token_ids = encoded["input_ids"][0].tolist()
            n_before = len(per_token["input_ids"])
            per_token["input_ids"] += token_ids
            per_token["labels"] += token_ids if is_learned else [IGNORED] * len(token_ids)
            for name, value in encoded.items():
                if name not in ALONG_THE_TEXT:
                    vision_inputs[name] = value
                elif name not in ("input_ids", "attention_mask"):
                    per_token.setdefault(name, [0] * n_before).extend(value[0].tolist())
            for values in per_token.values():
                values += [0] * (len(per_token["input_ids"]) - len(values))
        return TokenisedDialogue(per_token, vision_inputs)

    def _picture(self, image: Any) -> Any:
        size = not_too_long(image.size)
        picture = image.to_pil()
        return picture if size == image.size else picture.resize((size.width, size.height))

    def collate(self, examples: Sequence[TokenisedDialogue]) -> dict[str, Tensor]:
        """Pad rows on the right, and concatenate the pictures of all rows."""
        longest_row = max(len(example.per_token["input_ids"]) for example in examples)
        padding = {"input_ids": self.processor.tokenizer.pad_token_id or 0, "labels": IGNORED}
        token_keys = dict.fromkeys(name for example in examples for name in example.per_token)
        batch = {
            name: torch.full((len(examples), longest_row), padding.get(name, 0))
            for name in token_keys
        }
        batch["attention_mask"] = torch.zeros((len(examples), longest_row), dtype=torch.int64)
        for row, example in enumerate(examples):
            for name, values in example.per_token.items():
                batch[name][row, : len(values)] = torch.tensor(values)
            batch["attention_mask"][row, : len(example.per_token["input_ids"])] = 1
        for name in dict.fromkeys(name for example in examples for name in example.vision_inputs):
            batch[name] = torch.cat(
                [o.vision_inputs[name] for o in examples if name in o.vision_inputs]
            )
        return batch

    def collate_packed(self, rows: Sequence[Sequence[TokenisedDialogue]]) -> dict[str, Tensor]:
        """See `TrainableModel.collate_packed`."""
        batch = self.collate([_join(row) for row in rows])
        lengths = [[len(example.per_token["input_ids"]) for example in row] for row in rows]
        batch["attention_mask"], text_positions = block_masks_and_positions(lengths)
        positions = text_positions.expand(3, -1, -1).clone()
        for number, row in enumerate(rows):
            own = torch.cat([self._positions(example) for example in row], dim=1)
            positions[:, number, : own.shape[1]] = own
        return batch | {"position_ids": positions}

    def _positions(self, example: TokenisedDialogue) -> Tensor:
        """Return the positions of one conversation: (3, T), for time, height and width."""
        assert self._position_network is not None
        ids = torch.tensor([example.per_token["input_ids"]])
        types = torch.tensor([example.per_token.get("mm_token_type_ids", [0] * ids.shape[1])])
        grids = example.vision_inputs.get("image_grid_thw")
        positions, _ = self._position_network.get_rope_index(
            ids, mm_token_type_ids=types, image_grid_thw=grids
        )
        return positions[:, 0]

    def describe_picture_tokens(self) -> str:
        """See `TrainableModel.describe_picture_tokens`."""
        patches = self._patch_geometry()
        if patches is None:
            return "a number of tokens that its processor decides"
        min_tokens, max_tokens = (
            pixels // patches.side**2 for pixels in (patches.min_pixels, patches.max_pixels)
        )
        return (
            f"{max(1, min_tokens)} to {max_tokens} tokens, one for each "
            f"{patches.side} x {patches.side} pixels"
        )

    @contextmanager
    def chat(self, network: nn.Module) -> Iterator[ChatModel]:
        """See `TrainableModel.chat`."""
        try:
            yield TransformersChat(network, self.processor, self.recipe.base)
        finally:  # image features must not be cached while training
            vars(network.base_model).pop("get_image_features", None)
            vars(network).pop("forget_features", None)


def _join(row: Sequence[TokenisedDialogue]) -> TokenisedDialogue:
    """Join the examples of one row; the first token of each follows from nothing."""
    joined = TokenisedDialogue({}, {})
    n_before = 0
    for example in row:
        length = len(example.per_token["input_ids"])
        values_by_name = {
            **example.per_token,
            "labels": [IGNORED, *example.per_token["labels"][1:]],
        }
        for name in {**joined.per_token, **values_by_name}:
            values = values_by_name.get(name, [0] * length)
            joined.per_token.setdefault(name, [0] * n_before).extend(values)
        n_before += length
        for name, value in example.vision_inputs.items():
            earlier = joined.vision_inputs.get(name)
            joined.vision_inputs[name] = value if earlier is None else torch.cat([earlier, value])
    return joined


def _upright_size(path: str) -> Size:
    """Read the upright size of a picture from its header."""
    try:
        with PIL.Image.open(path) as picture:
            width, height = picture.size
            swaps_sides = picture.getexif().get(0x0112, 1) >= 5
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a picture ({error}).") from error
    return Size(height=width, width=height) if swaps_sides else Size(height=height, width=width)
