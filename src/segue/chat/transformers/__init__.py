"""Chat models of transformers: any image-text-to-text model, by the `model_type` of its config.

What is special about a family stands in `families.py`; everything else comes from the files of
the checkpoint: network, tokenizer, chat template, treatment of pictures, generation settings.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from segue.chat.resizing import Patches, not_too_long
from segue.chat.transformers.families import family_of
from segue.chat.transformers.generation import Inputs, PicturesFrom, ReplyGenerator
from segue.chat.transformers.picture_size import published_size
from segue.chat.transformers.placement import NetworkOptions, input_device
from segue.chat.transformers.prompts import PromptWriter, RenderedPrompt
from segue.dialects.parsing.thoughts import open_thought
from segue.dialects.recognition.recognize import dialect_of
from segue.errors import InputError, ModelError
from segue.models.decoding.sampling import SamplingSettings
from segue.runtime.memory_need import read_context
from segue.runtime.profile import Profile
from segue.values.box import Size
from segue.values.frames import Frame, SeenPixels
from segue.values.image import Image
from segue.values.message import Message, Sampling

UNLIMITED = 10_000_000
"""Larger limits in a configuration mean that there is none."""


class TransformersChat:
    """A model of transformers as a chat model.

    Between calls it keeps what it has read, where its family allows it, and the features of
    pictures: a later turn reads only what is new. Calls may come from several threads; replies
    are written one after another.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        name: str,
        dialect: str | None = None,
        profile: Profile | None = None,
        context: int | None = None,
    ) -> None:
        """Wrap a loaded model.

        Args:
            model: an image-text-to-text model of transformers.
            processor: of the same checkpoint.
            name: for reports and session files.
            dialect: how its replies point; None: as its profile or its family says.
            profile: what the doctor found out about it.
            context: tokens of prompt and reply at most; None: as its configuration says.
        """
        self.name = name
        self._context = context
        self.processor = processor
        kind = model.config.model_type
        family, profile = family_of(kind), profile or Profile(name=name)
        self.dialect = dialect or profile.dialect or dialect_of(kind, name).dialect
        self.frame: Frame | SeenPixels | None = None if dialect else profile.frame
        self._prompts = PromptWriter(processor, family, name)
        self._writer = ReplyGenerator(model, processor, family, name)
        self._patches = _patches(processor.image_processor)

    @property
    def context_limit(self) -> int | None:
        """Tokens of prompt and reply at most. See `SupportsContextLimit`."""
        text_config = self.model.config.get_text_config()
        limits = (
            self._context,
            getattr(text_config, "max_position_embeddings", None),
            getattr(self.processor.tokenizer, "model_max_length", None),
        )
        known = [limit for limit in limits if isinstance(limit, int) and 0 < limit < UNLIMITED]
        return min(known, default=None)

    def count_tokens(self, messages: Sequence[Message], reply: str) -> tuple[int, int]:
        """Length of a prompt, picture slots included, and of a reply. See `SupportsTokenCount`."""
        prompt = self._prompts.write(messages)
        tensors = self._tensors(prompt, [self._picture(image) for image in prompt.images])
        reply_ids = self.processor.tokenizer(reply, add_special_tokens=False)["input_ids"]
        return int(tensors["input_ids"].shape[-1]), len(reply_ids)

    @property
    def model(self) -> Any:
        """The network itself. After changing its weights call `forget`."""
        return self._writer.model

    def limit_memory(self, *, features: int, sequences: int) -> None:
        """Bound what is remembered between replies, in bytes."""
        self._writer.limit_memory(features=features, sequences=sequences)

    def memory_bytes(self) -> dict[str, int]:
        """Return what is remembered between replies: "features" and "sequences"."""
        return self._writer.memory_bytes()

    def forget(self) -> None:
        """Forget everything that was read."""
        self._writer.forget()

    def seen_size(self, size: Size) -> Size:
        """Return the size at which a picture reaches the network. See `SupportsResizing`."""
        if self._patches is None:
            return size
        return published_size(self.processor.image_processor, size) or self._patches.size_for(size)

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[str, None, str]:
        """Answer the last message. See `ChatModel.stream`."""
        choice = SamplingSettings.of(sampling, self._writer.published)
        prompt = self._prompts.write(messages)
        model, pictures = self.model, [self._picture(image) for image in prompt.images]
        inputs = Inputs(self._tensors(prompt, pictures), tuple(i.digest for i in prompt.images))
        later_pictures = PicturesFrom(self.processor, pictures, input_device(model), model.dtype)
        thought_start = open_thought(prompt.text)  # readers of the reply have to see it
        return _prepend(thought_start, self._writer.stream(inputs, later_pictures, choice))

    def _tensors(self, prompt: RenderedPrompt, pictures: list[Any]) -> dict[str, Any]:
        options: dict[str, Any] = {"return_tensors": "pt"}
        begin = self.processor.tokenizer.bos_token
        if begin and prompt.text.startswith(begin):
            options["add_special_tokens"] = False
        if "mm_token_type_ids" in self.processor.model_input_names:
            options["return_mm_token_type_ids"] = True  # not every class does so by itself
        try:
            inputs = self._process(prompt.text, pictures, options)
        except Exception as error:  # each processor has its own way to refuse
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"{self.name} cannot take these {len(pictures)} pictures and this text: {reason}"
            ) from error
        inputs.pop("labels", None)
        return dict(inputs.to(input_device(self.model), dtype=self.model.dtype))

    def _process(self, text: str, pictures: list[Any], options: dict[str, Any]) -> Any:
        """Return what the processor makes of a prompt, its pictures in a list or one by one."""
        if not pictures:
            return self.processor(text=[text], images=None, **options)
        try:
            return self.processor(text=[text], images=[pictures], **options)
        except Exception as error:  # a few take pictures one by one
            try:
                return self.processor(text=[text], images=pictures, **options)
            except Exception:
                raise error from None

    def _picture(self, image: Image) -> Any:
        """Return the picture as it goes to the processor, which refuses very long and thin ones."""
        size = not_too_long(image.size) if self._patches is not None else image.size
        picture = image.to_pil()
        return picture if size == image.size else picture.resize((size.width, size.height))


def _prepend(beginning: str, reply: Generator[str, None, str]) -> Generator[str, None, str]:
    """Yield a reply with what the prompt had begun of it."""
    with closing(reply):
        if beginning:
            yield beginning
        return (yield from reply)


def _patches(image_processor: Any) -> Patches | None:
    """How pictures are cut, where their size is kept and only rounded (Qwen's way)."""
    merge, size = getattr(image_processor, "merge_size", None), image_processor.size
    min_pixels, max_pixels = (getattr(size, key, None) for key in ("shortest_edge", "longest_edge"))
    side = getattr(image_processor, "patch_size", None)
    if merge is None or min_pixels is None or max_pixels is None or not isinstance(side, int):
        return None
    return Patches(side=side * merge, min_pixels=min_pixels, max_pixels=max_pixels)


def load(
    source: str | Path,
    *,
    name: str = "",
    device: str = "auto",
    dtype: str | None = None,
    quantize: str | None = None,
    device_map: str | None = None,
    max_memory: str | None = None,
    offload_folder: str | None = None,
    attn_implementation: str | None = None,
    context: int | str | None = None,
    dialect: str | None = None,
    profile: Profile | None = None,
) -> TransformersChat:
    """Load a model of transformers as a chat model.

    Args:
        source: a local folder, or what else `segue.runtime.weights.locate` takes.
        name: what it is called in reports; by default `source`.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: "float32", "bfloat16", "float16"; None: as the device likes.
        quantize: "4bit" or "8bit", with bitsandbytes; the vision tower stays as it is.
        device_map: "auto" spreads the network over all devices; see `NetworkOptions`.
        max_memory: how much each device may hold of it, "0:10GiB,cpu:30GiB".
        offload_folder: where layers go that fit into no memory.
        attn_implementation: "sdpa", "eager" or "flash_attention_2"; None: as transformers likes.
        context: tokens of prompt and reply at most; None: as its configuration says.
        dialect: how its replies point; None: as its profile or its family says.
        profile: what the doctor found out about it.

    Raises:
        InputError: an option has an unknown value.
        MissingExtra: a package that this model needs is not installed.
        ModelError: the weights are missing, damaged, or not of a model that sees and writes.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    )

    from segue.chat.transformers.loading import load_network
    from segue.chat.transformers.processing import load_processor
    from segue.runtime.weights import locate

    options = NetworkOptions(
        quantize=quantize,
        device_map=device_map,
        max_memory=max_memory,
        offload_folder=offload_folder,
        attn_implementation=attn_implementation,
    )
    limit = read_context(context)
    folder = locate(source)
    try:
        config = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, StrictDataclassError) as error:
        # A StrictDataclassError says in its second line what is wrong.
        n_lines = 2 if isinstance(error, StrictDataclassError) else 1
        reason = " ".join(map(str.strip, str(error).strip().splitlines()[:n_lines]))
        raise ModelError(
            f"{folder} holds no config.json that transformers knows: {reason}"
        ) from error
    if config.model_type not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise ModelError(
            f"{folder} holds a model of type {config.model_type!r}, which is not an "
            "image-text-to-text model. Give one that takes pictures and answers in words."
        )
    processor = load_processor(folder, config)
    network = load_network(folder, device=device, dtype=dtype, options=options)
    return TransformersChat(network, processor, name or str(source), dialect, profile, limit)
