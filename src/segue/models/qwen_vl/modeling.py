"""The native Qwen-VL: a visual tower and a decoder as one causal language model.

Parameter names, shapes and numbers are those of the checkpoint published in 2023, so its weights
load as they are, LoRA adapters fit, and what is saved here can be read by others. What differs
on purpose: pictures are passed as `pixel_values` and never opened from ids, training never
stretches the rotary base, and a sequence may be read in several pieces.

Source: Bai et al. 2023, Qwen-VL, arXiv:2308.12966.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from segue.errors import InputError
from segue.models.qwen_vl.configuration import QwenVLConfig
from segue.models.qwen_vl.decoder import Angles, DecoderBlock, RMSNorm, ntk_alpha
from segue.models.qwen_vl.masks import causal_mask
from segue.models.qwen_vl.slots import fill_slots, find_pictures
from segue.models.qwen_vl.visual import CrossAttention, Resampler, VisualTower


class QwenVLPreTrainedModel(PreTrainedModel):
    """What the bare decoder and the language model have in common."""

    config_class = QwenVLConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ("DecoderBlock", "VisualBlock", "Resampler")
    _skip_keys_device_placement = ("past_key_values",)

    def _init_weights(self, module: nn.Module) -> None:
        std = self.config.initializer_range
        if isinstance(module, nn.Linear | nn.Embedding | nn.Conv2d):
            init.normal_(module.weight, std=std)
            if getattr(module, "bias", None) is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm | RMSNorm):
            init.ones_(module.weight)
            if getattr(module, "bias", None) is not None:
                init.zeros_(module.bias)
        elif isinstance(module, CrossAttention):
            init.trunc_normal_(module.in_proj_weight, std=std)
            init.zeros_(module.in_proj_bias)
        elif isinstance(module, Resampler):
            init.trunc_normal_(module.query, std=std)
        elif isinstance(module, DecoderBlock):
            # The ends of the residual branches are damped by depth, as in GPT-2.
            damped = std / math.sqrt(2 * self.config.num_hidden_layers)
            init.normal_(module.attn.c_proj.weight, std=damped)
            init.normal_(module.mlp.c_proj.weight, std=damped)


class QwenVLModel(QwenVLPreTrainedModel):
    """Embedding, visual tower and decoder blocks, without the vocabulary head."""

    def __init__(self, config: QwenVLConfig) -> None:
        super().__init__(config)
        self.wte: nn.Module = nn.Embedding(config.vocab_size, config.hidden_size)
        self.h = nn.ModuleList(DecoderBlock(config, i) for i in range(config.num_hidden_layers))
        self.ln_f = RMSNorm(config.hidden_size, config.layer_norm_epsilon)
        self.visual = VisualTower(config.visual_config, config._attn_implementation or "sdpa")
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of token embeddings."""
        return self.wte

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the table of token embeddings."""
        self.wte = value

    def embed(self, input_ids: Tensor, features: Tensor | None = None) -> Tensor:
        """Embed ids and write pictures into their slots; see `fill_slots`.

        Args:
            input_ids: (B, T) int64.
            features: (N, queries, D) or None.

        Returns:
            (B, T, D).
        """
        return fill_slots(self.wte(input_ids), input_ids, features, self.visual.config)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_features: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        ntk_alpha: float | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Run the decoder; the arguments are those of `QwenVLForCausalLM.forward`."""
        n_cached = past_key_values.get_seq_length() if past_key_values is not None else 0
        x = self._inputs(input_ids, inputs_embeds, pixel_values, image_features, int(n_cached))
        if use_cache is None:
            use_cache = bool(self.config.use_cache) and not self.training
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        length = x.shape[1]
        angles = self._angles(
            position_ids, int(n_cached), length, past_key_values, ntk_alpha, x.device
        )
        mask = causal_mask(attention_mask, x, int(n_cached), past_key_values)
        states: tuple[Tensor, ...] = ()
        for block in self.h:
            if output_hidden_states:
                states = (*states, x)
            x = block(x, angles, mask, past_key_values=past_key_values)
        x = self.ln_f(x)
        return BaseModelOutputWithPast(
            last_hidden_state=x,
            past_key_values=past_key_values if use_cache else None,
            hidden_states=(*states, x) if output_hidden_states else None,
        )

    def _inputs(
        self,
        input_ids: Tensor | None,
        inputs_embeds: Tensor | None,
        pixel_values: Tensor | None,
        image_features: Tensor | None,
        n_cached: int,
    ) -> Tensor:
        """Return the embedded sequence, pictures included: (B, T, D)."""
        if (input_ids is None) == (inputs_embeds is None):
            raise InputError("Pass either input_ids or inputs_embeds, and not both.")
        if pixel_values is not None and image_features is not None:
            raise InputError("Pass either pixel_values or image_features, and not both.")
        features = self.visual(pixel_values) if pixel_values is not None else image_features
        if inputs_embeds is not None:
            if features is not None:
                raise InputError("Pictures need input_ids; with inputs_embeds use `embed` first.")
            return inputs_embeds
        assert input_ids is not None
        if features is None and n_cached and input_ids.shape[1] < self.visual.config.n_queries + 2:
            return self.wte(input_ids)  # too short for a picture: spare the search
        x = self.embed(input_ids, features)
        if features is None and self.training and torch.is_grad_enabled():
            x = self._touch_visual(x)
        return x

    def _touch_visual(self, x: Tensor) -> Tensor:
        """Give a trained visual tower zero gradients instead of none.

        Replicas that average their gradients must agree on which ones exist, also when the
        batch of one of them has no picture. The picture used is as small as can be.
        """
        if not any(weight.requires_grad for weight in self.visual.parameters()):
            return x
        side = 2 * self.visual.config.patch_size
        blank = torch.zeros(1, 3, side, side, device=x.device)
        return x + 0 * self.visual(blank).mean().to(x.dtype)

    def _angles(
        self,
        position_ids: Tensor | None,
        n_cached: int,
        length: int,
        cache: Cache | None,
        alpha: float | None,
        device: torch.device,
    ) -> Angles:
        """Positions and their scaling. The stretch is chosen once, when a sequence begins."""
        stretch = bool(self.config.use_dynamic_ntk) and not self.training
        if not stretch:
            alpha = 1.0
        elif alpha is None and n_cached:
            alpha = getattr(cache, "ntk_alpha", None) or ntk_alpha(n_cached, self.config.seq_length)
        elif alpha is None:
            alpha = ntk_alpha(length, self.config.seq_length)
        if cache is not None:
            cache.ntk_alpha = alpha
        log_n = bool(self.config.use_logn_attn) and not self.training
        if position_ids is None:
            log_n = log_n and n_cached + length > self.config.seq_length
            position_ids = torch.arange(n_cached, n_cached + length, device=device)[None]
        return Angles(self.config, position_ids, alpha, log_n=log_n)


class QwenVLForCausalLM(QwenVLPreTrainedModel, GenerationMixin):
    """Qwen-VL with its vocabulary head; works with `generate`, `Trainer` and PEFT."""

    _tied_weights_keys = {"lm_head.weight": "transformer.wte.weight"}  # noqa: RUF012

    def __init__(self, config: QwenVLConfig) -> None:
        super().__init__(config)
        self.transformer = QwenVLModel(config)
        self.lm_head: nn.Module = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of token embeddings."""
        return self.transformer.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the table of token embeddings."""
        self.transformer.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the vocabulary head."""
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Replace the vocabulary head."""
        self.lm_head = new_embeddings

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pixel_values: (N, 3, S, S), from `processor.image_processor(images)`.

        Returns:
            (N, queries, D), what is written into the slots, in the dtype of the weights.
        """
        return self.transformer.visual(pixel_values)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        image_features: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        ntk_alpha: float | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast | tuple[Any, ...]:
        """Predict the next token at every position.

        Args:
            input_ids: (B, T) int64. A picture is `<img>`, `n_queries` slots that may hold any
                ids, `</img>`.
            attention_mask: (B, held + T), 0 where padding stands; or (B, 1, T, held + T),
                bool (True attends) or additive, which then is the whole truth. None: no padding.
            position_ids: (B, T) positions from 0; by default the index in the padded sequence.
            past_key_values: a cache of `n_cached` positions; T may be any number with it.
            inputs_embeds: (B, T, D) in place of ids, pictures already written in.
            pixel_values: (N, 3, S, S), the pictures in reading order, row by row.
            image_features: (N, queries, D) in place of pixels, already encoded.
            labels: (B, T), -100 where nothing is to be learned; shifted inside.
            use_cache: return the cache; by default as configured, never in training mode.
            output_hidden_states: return what enters each block, and the last state.
            logits_to_keep: compute only so many last positions, or these; 0 is all.
            ntk_alpha: stretch of the rotary base; by default chosen by the padded length when
                a sequence begins and kept by its cache. Give it to read a long sequence in
                pieces. Always 1 in training mode.
            return_dict: False returns a tuple.
            kwargs: `num_items_in_batch` divides the summed loss.

        Returns:
            `logits` (B, T or fewer, vocabulary), in the dtype of the weights, and `loss` if
            there are labels.

        Raises:
            InputError: pictures and slots differ in number, or inputs contradict each other.
        """
        outputs = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            pixel_values=pixel_values,
            image_features=image_features,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            ntk_alpha=ntk_alpha,
        )
        last = outputs.last_hidden_state
        if isinstance(logits_to_keep, Tensor):
            last = last[:, logits_to_keep]
        elif logits_to_keep:
            last = last[:, -logits_to_keep:]
        logits = self.lm_head(last)
        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels.long(), vocab_size=self.config.vocab_size, **kwargs
            )
        result = CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
        )
        return result.to_tuple() if return_dict is False else result

    def generate(self, inputs: Tensor | None = None, **kwargs: Any) -> Any:
        """Generate as in transformers; the rotary stretch is that of the whole prompt.

        Positions are always indices in the padded sequence, as in the original.
        """
        if kwargs.get("past_key_values") is None and "ntk_alpha" not in kwargs:
            for prompt in (inputs, kwargs.get("input_ids"), kwargs.get("inputs_embeds")):
                if prompt is not None:
                    alpha = ntk_alpha(prompt.shape[1], self.config.seq_length)
                    kwargs["ntk_alpha"] = alpha if self.config.use_dynamic_ntk else 1.0
                    break
        return super().generate(inputs, **kwargs)

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, *, is_first_iteration: bool | None = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Pictures are read once, with the prompt; positions count the padding."""
        prepared: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        prepared.pop("position_ids", None)
        if not is_first_iteration:
            prepared.pop("pixel_values", None)
            prepared.pop("image_features", None)
        return prepared

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, input_ids: Tensor | None = None, **kwargs: Any
    ) -> tuple[Tensor | None, dict[str, Any]]:
        """Repeat each row, and with it the pictures of that row, for beams and samples."""
        pictures = {
            name: kwargs.pop(name)
            for name in ("pixel_values", "image_features")
            if kwargs.get(name) is not None
        }
        if pictures and expand_size > 1 and input_ids is not None:
            rows, _ = find_pictures(input_ids, self.config.visual_config)
            groups = [(rows == row).nonzero()[:, 0] for row in range(len(input_ids))]
            order = torch.cat([group.repeat(expand_size) for group in groups])
            pictures = {name: value[order] for name, value in pictures.items()}
        expanded, model_kwargs = super()._expand_inputs_for_generation(
            expand_size=expand_size, input_ids=input_ids, **kwargs
        )
        return expanded, {**model_kwargs, **pictures}
