"""Writes replies token by token, and does not read again what it has read.

A call gets the whole prompt each time. The longest beginning that is already read is gone on
with; pictures seen before are not encoded again; a long prompt is read in pieces. The rotary
stretch belongs to the length of the prompt: when it changes, everything is read again, because
words must not depend on what happens to be remembered (beyond the rounding of the number format).

Where a pass over several tokens costs little more than one over a single token, tokens that can be
guessed are read along, and dropped where the reply goes another way: see `prompt_lookup`.
"""

from collections.abc import Generator, Hashable, Iterator, Sequence

import torch
from torch import Tensor

from segue.errors import InputError, ModelError
from segue.models.decoding.prompt_lookup import PromptLookup
from segue.models.decoding.sampling import SamplingSettings, TokenSampler
from segue.models.decoding.sequence_pool import FEATURE_BYTES, SequencePool
from segue.models.qwen_vl.decoder import ntk_alpha
from segue.models.qwen_vl.modeling import QwenVLForCausalLM
from segue.models.qwen_vl.pictures import Picture, digest
from segue.models.qwen_vl.processor import QwenVLProcessor
from segue.models.qwen_vl.prompts import Prompt
from segue.models.qwen_vl.sequence_cache import CachedSequence, take_sequence
from segue.runtime.byte_cache import ByteCache
from segue.runtime.device import is_out_of_memory
from segue.runtime.text_stream import reply_text

PIECE = 1024
"""Positions read at once."""
_LOOKED_UP = 512
"""Of so many tokens of a prompt, the latest, it is known what follows them."""
_TEMPLATE = "<ref>a</ref><box>(100,100),(100,100)</box><ref>a</ref><box>(100,100),(100,100)</box>"
"""What the first box of a talk is guessed from."""


class QwenVLGenerator:
    """One model with its memory. Several replies may be written at once, in threads."""

    def __init__(self, model: QwenVLForCausalLM, processor: QwenVLProcessor) -> None:
        """Wrap a model, which is put into evaluation mode.

        After a change of its weights call `forget`.
        """
        self.model = model.eval()
        self.processor = processor
        self.features: ByteCache[str, Tensor] = ByteCache(
            FEATURE_BYTES, size_of=lambda features: features.numel() * features.element_size()
        )
        self.sequences: SequencePool[CachedSequence] = SequencePool()
        tokenizer = processor.tokenizer
        self.ends = frozenset(
            (tokenizer.end_of_text_id, tokenizer.turn_start_id, tokenizer.turn_end_id)
        )
        self._slots = model.config.visual_config.n_queries
        self._digits = frozenset(tokenizer.encode(digit)[0] for digit in "0123456789")
        self.guesses = _checks_guesses_cheaply(model)
        """Whether tokens that can be guessed are read along."""

    def limit_memory(self, *, features: int, sequences: int) -> None:
        """Bound what is remembered, in bytes; what is over goes with the next reply."""
        self.features.budget_bytes, self.sequences.limit_bytes = features, sequences

    def memory_bytes(self) -> dict[str, int]:
        """Return what is remembered."""
        return {"features": self.features.size_bytes, "sequences": self.sequences.size_bytes}

    def forget(self) -> None:
        """Forget everything that was read."""
        self.features.clear()
        self.sequences.clear()

    def stream(self, prompt: Prompt, choice: SamplingSettings) -> Generator[str, None, str]:
        """Write the reply to a prompt as text.

        Grounding tags are part of the text; other special tokens are not.

        Yields:
            Pieces that never cut a character; joined they are the reply, without blanks at
            its ends.

        Returns:
            "stop" if the model or a stop string ended the reply, "length" if the limit did.

        Raises:
            InputError: the prompt is empty, or its pictures do not fit its slots.
            ModelError: out of memory.
        """
        decoder = self.processor.tokenizer.text_stream()
        return (yield from reply_text(self.tokens(prompt, choice), self.ends, decoder, choice.stop))

    def tokens(self, prompt: Prompt, choice: SamplingSettings) -> Generator[int, None, None]:
        """Write the reply to a prompt as ids; the id that ends it is the last one yielded."""
        keys = self._keys(prompt)
        alpha = 1.0
        if self.model.config.use_dynamic_ntk:
            alpha = ntk_alpha(len(keys), self.model.config.seq_length)
        # The last position is always read: its logits are what the reply begins with.
        sequence = take_sequence(self.sequences, keys[:-1], alpha)
        is_consistent = False
        try:
            try:
                logits = self._prefill(prompt, keys, sequence, alpha)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                # What is remembered may be what takes the room.
                sequence = CachedSequence()
                self.forget()
                logits = self._prefill(prompt, keys, sequence, alpha)
            sampler, lookup = TokenSampler(choice), self._lookup(prompt)
            guesses: Sequence[int] = []  # read already; logits behind them are the later rows
            for step in range(choice.max_new_tokens):
                token = sampler.sample(logits[0])
                is_consistent = True
                yield token
                is_consistent = False
                if token in self.ends or step + 1 == choice.max_new_tokens:
                    break
                if lookup is not None:
                    lookup.add(token)
                if guesses and token == guesses[0]:
                    guesses, logits = guesses[1:], logits[1:]
                    continue
                sequence.truncate(len(sequence.keys) - len(guesses))
                guesses = [] if lookup is None else lookup.guess()
                logits = self._step([token, *guesses], sequence)
            is_consistent = True
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise ModelError(
                f"Out of memory while reading {len(keys)} positions. Use fewer or shorter turns, "
                "a smaller dtype, or another device."
            ) from error
        finally:
            if is_consistent and sequence.keys:
                self.sequences.give(sequence)

    def _keys(self, prompt: Prompt) -> list[Hashable]:
        """Return what stands at each position: ids, and digests of pictures in their slots."""
        keys: list[Hashable] = list(prompt.ids)
        if not keys:
            raise InputError("A prompt must hold at least one token, got none.")
        starts = list(self._starts(prompt.ids))
        if len(starts) != len(prompt.pictures):
            raise InputError(
                f"A prompt must have one picture for each place, got {len(prompt.pictures)} "
                f"pictures and {len(starts)} places. Build it with the processor."
            )
        for start, image in zip(starts, prompt.pictures, strict=True):
            keys[start + 1 : start + 1 + self._slots] = [digest(image)] * self._slots
        return keys

    def _starts(self, ids: list[int]) -> Iterator[int]:
        """Yield the position of the `<img>` of each picture."""
        first = self.processor.tokenizer.picture_start_id
        last = self.processor.tokenizer.picture_end_id
        position = 0
        while first in ids[position:]:
            start = ids.index(first, position)
            end = start + self._slots + 1
            is_complete = end < len(ids) and ids[end] == last
            if is_complete:
                yield start
            position = end + 1 if is_complete else start + 1

    @torch.inference_mode()
    def _prefill(
        self, prompt: Prompt, keys: list[Hashable], sequence: CachedSequence, alpha: float
    ) -> Tensor:
        """Read what is not read yet; return the logits (1, vocabulary) behind the last position."""
        begin = len(sequence.keys)
        new_pictures = []
        for start, image in zip(self._starts(prompt.ids), prompt.pictures, strict=True):
            if start < begin < start + self._slots + 2:  # never go on within a picture
                begin = start
            if start >= begin:
                new_pictures.append(image)
        sequence.truncate(begin)
        device = self.model.device
        ids = torch.tensor([prompt.ids[begin:]], device=device)
        features = self._encode(new_pictures) if new_pictures else None
        embedded = self.model.transformer.embed(ids, features)
        logits = embedded
        for piece in embedded.split(PIECE, dim=1):
            logits = self.model(
                inputs_embeds=piece,
                past_key_values=sequence.cache,
                use_cache=True,
                logits_to_keep=1,
                ntk_alpha=alpha,
            ).logits
        sequence.keys += keys[begin:]
        return self._usable(logits)

    @torch.inference_mode()
    def _step(self, tokens: Sequence[int], sequence: CachedSequence) -> Tensor:
        """Read T more tokens; return the logits (T, vocabulary) behind them."""
        output = self.model(
            input_ids=torch.tensor([tokens], device=self.model.device),
            past_key_values=sequence.cache,
            use_cache=True,
        )
        sequence.keys += tokens
        return self._usable(output.logits)

    def _lookup(self, prompt: Prompt) -> PromptLookup | None:
        """Return what guesses the reply, with what was said before."""
        if not self.guesses:
            return None
        tokenizer = self.processor.tokenizer
        said = [token for token in prompt.ids if token != tokenizer.picture_pad_id]
        history = (*tokenizer.encode_markup(_TEMPLATE), *said[-_LOOKED_UP:])
        return PromptLookup(self._digits, history)

    def _usable(self, logits: Tensor) -> Tensor:
        """Return the logits of ids that the tokenizer knows; spare columns are never picked."""
        return logits[0, :, : len(self.processor.tokenizer)]

    def _encode(self, images: list[Picture]) -> Tensor:
        """Features (N, queries, D) of pictures, from memory where possible."""
        features: dict[str, Tensor] = {}
        names = [digest(image) for image in images]
        for name, image in zip(names, images, strict=True):
            encoded = features.get(name)
            if encoded is None:
                encoded = self.features.get(name)
            if encoded is None:
                pixels = self.processor.image_processor(image).to(self.model.device)
                encoded = self.model.get_image_features(pixels)[0]
                self.features.put(name, encoded)
            features[name] = encoded
        return torch.stack([features[name] for name in names])


def _checks_guesses_cheaply(model: QwenVLForCausalLM) -> bool:
    """Whether a pass over several tokens costs little more than one over a single token.

    On processors two tokens in float32 cost twice as much as one.
    """
    return model.device.type != "cpu" or model.dtype != torch.float32
