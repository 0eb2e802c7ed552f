"""Qwen-VL and Qwen-VL-Chat, and miniatures of them, on the network of `models/qwen_vl`."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.models.decoding.sampling import SamplingSettings
from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLProcessor
from segue.models.qwen_vl import load as load_checkpoint
from segue.models.qwen_vl.completions import answer
from segue.models.qwen_vl.generation import QwenVLGenerator
from segue.models.qwen_vl.prompts import Prompt
from segue.runtime.memory_need import read_context
from segue.runtime.weights import locate, read_options
from segue.values.message import Message, Sampling, images_of


class QwenVL:
    """A Qwen-VL as a chat model.

    Between calls it keeps what it has read: a later turn of a conversation reads only what is
    new. Calls may run in several threads.
    """

    dialect = "qwen_vl"

    def __init__(
        self,
        model: QwenVLForCausalLM,
        processor: QwenVLProcessor,
        name: str,
        max_pictures: int | None = None,
        context_limit: int | None = None,
    ) -> None:
        """Wrap a loaded model.

        Args:
            model: put into evaluation mode.
            processor: of the same checkpoint.
            name: for reports and session files.
            max_pictures: how many pictures of a prompt it tells apart; None: any number.
            context_limit: tokens that it was measured to follow; None: as its configuration says.
        """
        self.name = name
        self.max_pictures = max_pictures
        self.context_limit = context_limit or _context_of(model.config)
        self.processor = processor
        self._writer = QwenVLGenerator(model, processor)

    @property
    def model(self) -> QwenVLForCausalLM:
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

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[str, None, str]:
        """Answer the last message. See `ChatModel.stream`."""
        choice = SamplingSettings.of(sampling, self.processor.generation)
        return self._writer.stream(self._prompt(messages), choice)

    def count_tokens(self, messages: Sequence[Message], reply: str) -> tuple[int, int]:
        """Length of a prompt, picture slots included, and of a reply. See `SupportsTokenCount`."""
        return len(self._prompt(messages).ids), len(self.processor.tokenizer.encode_markup(reply))

    def _prompt(self, messages: Sequence[Message]) -> Prompt:
        if self.processor.chats:
            return self.processor.chat(messages)
        # A base model takes no turns: it sees all pictures and the newest question.
        if not messages or messages[-1].role != "user":
            raise InputError("The last message must be the user's. Add the question.")
        return self.processor.complete(answer(images_of(messages), messages[-1].text))


def load(
    source: str | Path,
    *,
    name: str = "",
    device: str = "auto",
    dtype: str | None = None,
    context: int | str | None = None,
) -> QwenVL:
    """Load a Qwen-VL as a chat model.

    Args:
        source: a local folder, `"embedded/chat"`, or a hub id.
        name: what it is called in reports; by default `source`.
        device: "auto", "cpu", "cuda", "mps".
        dtype: "float32", "bfloat16", "float16"; None: as the device likes.
        context: tokens of prompt and reply at most; None: as its configuration says.

    Raises:
        InputError: `context` is no number of tokens.
        ModelError: the weights are missing, damaged or of another kind.
    """
    limit = read_context(context)
    model, processor = load_checkpoint(source, dtype=dtype, device=device)
    options = read_options(locate(source))
    own = options.get("context_limit") or _context_of(model.config)
    return QwenVL(
        model,
        processor,
        name or str(source),
        options.get("max_pictures"),
        min(limit or own, own),
    )


def _context_of(config: Any) -> int:
    """Return the tokens that a network can follow: with dynamic NTK more than it was taught."""
    uses_ntk = getattr(config, "use_dynamic_ntk", False)
    return int(config.max_position_embeddings if uses_ntk else config.seq_length)
