"""Second stage of the embedded chat model: train the language model to talk about images.

The visual tower is frozen but for its last affine layer. Beside the next token, training-only
losses teach a few attention heads where to look (see `packed_rows.AttentionTarget`): without them,
the use of the question's noun to select an object does not emerge in any reasonable time. The
network is the ordinary `segue.models.qwen_vl` one, and nothing but its own weights is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.chat.data import ShardReader
from lab.chat.features import FeaturePool, apply_last_layer
from lab.chat.initialise import align, new_model, noun_table
from lab.chat.language_losses import (
    TrainingWrapper,
    attention_losses,
    coordinate_loss,
    name_loss,
    phrase_loss,
    run_decoder,
    token_accuracies,
)
from lab.chat.packing import FULL_MIX, LATE_MIX, QUERY_MIX, WARM_START_MIX, TurnPacker
from lab.training.loop import RandomState, TrainingLoop
from lab.training.optimisers import separate_optimisers
from lab.training.precision import set_up_cpu, training_precision
from lab.training.schedules import Budget, Schedule
from segue.models.qwen_vl.modeling import QwenVLForCausalLM
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer


@dataclass(frozen=True)
class LanguageRecipe:
    """How stage two is trained; times and shares as in `VisionRecipe`.

    For the first `query_share` of the time, turns ask for single nouns; then every kind of
    question, and after `late_share` those of `late_mix`, by default more descriptions.
    `attention_weight` falls to `late_attention_weight` when single nouns are over. Kinds of turns
    in `leave_out` are never asked (see `dialogues.KINDS`, and `dialogues.FOLLOW_KINDS` for turns
    that follow another); `chinese_share`, `long_share` and `max_gap` are those of `TurnPacker`.
    """

    minutes: float = 60.0
    steps: int | None = None
    batch: int = 20
    length: int = 384
    layers: int = 5
    rate: float = 1.5e-3
    muon_rate: float = 0.0
    decay: float = 0.05
    warm_up: int = 80
    hold: float = 0.35
    query_share: float = 0.15
    late_share: float = 0.6
    late_mix: Mapping[str, float] = field(default_factory=lambda: LATE_MIX)
    attention_weight: float = 0.5
    late_attention_weight: float = 0.15
    coordinate_weight: float = 0.3
    name_weight: float = 0.15
    phrase_weight: float = 0.3
    leave_out: tuple[str, ...] = ()
    chinese_share: float = 0.47
    long_share: float = 0.12
    max_gap: int = 0
    pool: int = 3000
    compiled: bool = True
    log_every: int = 25
    save_minutes: float = 4.0
    seed: int = 0


_VISION_PREFIX = "transformer.visual."
WARM_START = LanguageRecipe(
    batch=14,
    length=304,
    rate=5e-4,
    warm_up=30,
    hold=0.15,
    query_share=-1.0,
    late_share=-1.0,
    late_mix=WARM_START_MIX,
    phrase_weight=0.4,
    chinese_share=0.52,
    long_share=0.4,
    max_gap=340,
    log_every=10,
    seed=1,
)
"""For training from weights: one mix from the first step to the last, and shorter rows."""


def batch_loss(
    wrapper: TrainingWrapper,
    packer: TurnPacker,
    pool: FeaturePool,
    names: Tensor,
    recipe: LanguageRecipe,
    progress: float,
) -> tuple[Tensor, dict[str, float]]:
    """Compute the whole loss on some scenes of the pool, and what to log."""
    rng = packer.rng
    indices = rng.choice(pool.size, recipe.batch, replace=False)
    mix: Mapping[str, float] = QUERY_MIX if progress < recipe.query_share else FULL_MIX
    if progress > recipe.late_share:
        mix = recipe.late_mix
    rows = packer.pack(pool.truth(indices), mix)
    objects = torch.from_numpy(pool.objects[indices].astype(np.int64))
    cells = torch.from_numpy(pool.cells[indices].astype(np.int64))
    features = apply_last_layer(
        wrapper.model.transformer.visual, torch.from_numpy(pool.normal[indices]).float()
    )
    with training_precision():
        trace = run_decoder(wrapper, rows, features, packer.first_cell)
        labels = torch.from_numpy(rows.labels)[:, 1:]
        is_label = labels >= 0
        logits = wrapper.model.lm_head(trace.last[:, :-1][is_label]).float()
    token_losses = F.cross_entropy(logits, labels[is_label], reduction="none")
    weights = torch.from_numpy(rows.weights)[:, 1:][is_label]
    words_loss = (token_losses * weights).sum() / weights.sum()
    attention_loss, figures = attention_losses(rows, trace, rng)
    fade = min(1.0, max(0.0, (progress - recipe.query_share) / 0.1))
    attention_weight = recipe.attention_weight + fade * (
        recipe.late_attention_weight - recipe.attention_weight
    )
    names_loss, figures["named"] = name_loss(wrapper, features, cells, objects, names)
    loss = words_loss + attention_weight * attention_loss + recipe.name_weight * names_loss
    if rows.boxes:
        coordinates_loss, figures["coordinate"] = coordinate_loss(
            wrapper, rows, trace, objects, rng
        )
        loss = loss + recipe.coordinate_weight * coordinates_loss
    if rows.phrases:
        phrases_loss = phrase_loss(wrapper, rows, trace, names)
        figures["listed"] = float(phrases_loss.detach())
        loss = loss + recipe.phrase_weight * phrases_loss
    figures["words"] = float(words_loss.detach())
    figures["loss"] = float(loss.detach())
    figures.update(token_accuracies(packer.markers, rows, logits.argmax(-1), is_label))
    return loss, figures


def freeze_tower(model: QwenVLForCausalLM) -> None:
    """Freeze the visual tower but for its last affine layer."""
    tower = model.transformer.visual
    tower.requires_grad_(False)
    tower.proj.requires_grad_(True)
    tower.ln_post.requires_grad_(True)


def is_hidden_matrix(name: str) -> bool:
    """Return whether Muon moves this matrix, where it is used: those of the decoder's blocks."""
    return ".h." in name


class LanguageTraining(TrainingLoop):
    """One run of stage two."""

    def __init__(
        self,
        shards: Path,
        folder: Path,
        tokenizer: QwenVLTokenizer,
        tower: Mapping[str, Tensor],
        recipe: LanguageRecipe,
    ) -> None:
        self.tokenizer, self.recipe = tokenizer, recipe
        self.rng = np.random.default_rng(recipe.seed)
        network = new_model(tokenizer, recipe.layers)
        network.transformer.visual.load_state_dict(tower)
        freeze_tower(network)
        network.train()
        model = TrainingWrapper(network, recipe.compiled)
        optimisers = separate_optimisers(
            model,
            is_hidden_matrix,
            muon_rate=recipe.muon_rate,
            adam_rate=recipe.rate,
            decay=recipe.decay,
            max_norm=1.0,
        )
        budget = Budget(recipe.minutes, recipe.steps)
        super().__init__(folder, budget, model, optimisers, Schedule(recipe.warm_up, recipe.hold))
        self.save_every, self.report_every = 60 * recipe.save_minutes, recipe.log_every
        self.names = noun_table(tokenizer)
        reader = ShardReader(shards)
        reader.refresh()
        self.pool = FeaturePool(network.transformer.visual, reader, recipe.pool)
        self.packer = TurnPacker(
            tokenizer,
            recipe.length,
            self.rng,
            recipe.leave_out,
            recipe.chinese_share,
            recipe.long_share,
            recipe.max_gap,
        )
        self.parts |= {"pool": self.pool, "random": RandomState(self.rng)}

    def initialise(self, start: QwenVLForCausalLM | None) -> None:
        """Fill the pool, and take the weights of `start` but for its tower, or align fresh ones."""
        network = self.model.model
        self.pool.fill(self.rng)
        if start is None:
            align(network, self.tokenizer, self.pool)
        else:
            tower = network.transformer.visual.state_dict(prefix=_VISION_PREFIX)
            network.load_state_dict(start.state_dict() | tower)

    def upgrade(self, state: dict[str, Any]) -> dict[str, Any]:
        """Translate checkpoints that were written before the loop was shared."""
        if "random" in state:
            return state
        names = ("adam", "muon")[: len(state["optimiser"])]
        return {
            "model": state["trainee"],
            "optimisers": dict(zip(names, state["optimiser"], strict=True)),
            "pool": state["pool"],
            "random": {"numpy": state["numpy"], "torch": state["torch"]},
            "step": state["step"],
            "spent": state["seconds"],
        }

    def save(self) -> None:
        """Write the checkpoint, and look for new shards."""
        super().save()
        self.pool.reader.refresh()

    def compute_loss(self, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Renew a part of the pool, and compute the loss on some of its scenes."""
        self.pool.renew(self.rng, self.recipe.batch // 2)
        return batch_loss(self.model, self.packer, self.pool, self.names, self.recipe, progress)


def train_language(
    shards: Path,
    out: Path,
    tokenizer: QwenVLTokenizer,
    tower: Mapping[str, Tensor],
    recipe: LanguageRecipe,
    resume: bool = True,
    start: QwenVLForCausalLM | None = None,
) -> QwenVLForCausalLM:
    """Train stage two.

    Args:
        shards: the folder of the scenes to learn from.
        out: the run's folder; a checkpoint and the log go here.
        tokenizer: of the model.
        tower: the state of the tower that stage one made.
        recipe: the numbers of the training.
        resume: resume from the checkpoint in `out`, where there is one.
        start: a model with this tokenizer's vocabulary to begin with instead of an untrained one;
            its own tower is ignored.

    Raises:
        ModelError: the checkpoint cannot be used.
    """
    torch.manual_seed(recipe.seed)
    set_up_cpu()
    training = LanguageTraining(shards, out, tokenizer, tower, recipe)
    training.begin(recipe, resume=resume, start=start)
    training.run()
    network: QwenVLForCausalLM = training.model.model
    return network
