"""Second stage of the embedded chat model: teach the language model to talk about what is seen.

The visual tower is frozen but for its last affine layer. Beside the next token, training-only
losses teach a few attention heads where to look (see `chat_turns.Look`): without them, the use
of the question's noun to select an object does not emerge in any reasonable time. The network is
the ordinary `segue.models.qwen_vl` one, and nothing but its own weights is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.embedded.chat_data import ShardReader
from segue.embedded.chat_features import FeaturePool, finish
from segue.embedded.chat_losses import (
    Trainee,
    coordinate_loss,
    judge,
    looks_loss,
    name_loss,
    phrase_loss,
    run,
)
from segue.embedded.chat_start import align, new_model, noun_table
from segue.embedded.chat_turns import FULL_MIX, LATE_MIX, MORE_MIX, QUERY_MIX, TurnPacker
from segue.embedded.chat_vision import Averages
from segue.embedded.muon import Muon
from segue.embedded.training_run import Budget, RunFolder, prepare_processor, training_precision
from segue.models.qwen_vl.modeling import QwenVLForCausalLM
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer


@dataclass(frozen=True)
class LanguageRecipe:
    """How stage two is trained; times and shares as in `VisionRecipe`.

    For the first `query_share` of the time, turns ask for single nouns; then every kind of
    question, and after `late_share` those of `late_mix`, by default more descriptions.
    `look_weight` falls to `late_look_weight` when single nouns are over. Kinds of turns in
    `leave_out` are never asked (see `dialogues.KINDS`, and `dialogues.FOLLOW_KINDS` for turns that
    go on from another); `chinese` is the share of turns in Chinese; `long` and `apart` are those of
    `TurnPacker`.
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
    constant: float = 0.35
    query_share: float = 0.15
    late_share: float = 0.6
    late_mix: Mapping[str, float] = field(default_factory=lambda: LATE_MIX)
    look_weight: float = 0.5
    late_look_weight: float = 0.15
    coordinate_weight: float = 0.3
    name_weight: float = 0.15
    phrase_weight: float = 0.3
    leave_out: tuple[str, ...] = ()
    chinese: float = 0.47
    long: float = 0.12
    apart: int = 0
    pool: int = 3000
    compiled: bool = True
    log_every: int = 25
    save_minutes: float = 4.0
    seed: int = 0


_EYES = "transformer.visual."
CONTINUED = LanguageRecipe(
    batch=14,
    length=304,
    rate=5e-4,
    warm_up=30,
    constant=0.15,
    query_share=-1.0,
    late_share=-1.0,
    late_mix=MORE_MIX,
    phrase_weight=0.4,
    chinese=0.52,
    long=0.4,
    apart=340,
    log_every=10,
    seed=1,
)
"""How to go on from trained weights: one mix from the first step to the last, and shorter rows."""


def batch_loss(
    trainee: Trainee,
    packer: TurnPacker,
    pool: FeaturePool,
    names: Tensor,
    recipe: LanguageRecipe,
    spent: float,
) -> tuple[Tensor, dict[str, float]]:
    """The whole loss on some scenes of the pool, and what to log."""
    rng = packer.rng
    where = rng.choice(pool.size, recipe.batch, replace=False)
    mix: Mapping[str, float] = QUERY_MIX if spent < recipe.query_share else FULL_MIX
    if spent > recipe.late_share:
        mix = recipe.late_mix
    rows = packer.pack(pool.told(where), mix)
    objects = torch.from_numpy(pool.objects[where].astype(np.int64))
    cells = torch.from_numpy(pool.cells[where].astype(np.int64))
    seen = finish(trainee.model.transformer.visual, torch.from_numpy(pool.normal[where]).float())
    with training_precision():
        trace = run(trainee, rows, seen, packer.first_cell)
        labels = torch.from_numpy(rows.labels)[:, 1:]
        told = labels >= 0
        logits = trainee.model.lm_head(trace.last[:, :-1][told]).float()
    each = F.cross_entropy(logits, labels[told], reduction="none")
    weights = torch.from_numpy(rows.weights)[:, 1:][told]
    words = (each * weights).sum() / weights.sum()
    looks, figures = looks_loss(rows, trace, rng)
    fade = min(1.0, max(0.0, (spent - recipe.query_share) / 0.1))
    look_weight = recipe.look_weight + fade * (recipe.late_look_weight - recipe.look_weight)
    named, figures["named"] = name_loss(trainee, seen, cells, objects, names)
    loss = words + look_weight * looks + recipe.name_weight * named
    if rows.boxes:
        read, figures["coordinate"] = coordinate_loss(trainee, rows, trace, objects, rng)
        loss = loss + recipe.coordinate_weight * read
    if rows.phrases:
        listed = phrase_loss(trainee, rows, trace, names)
        figures["listed"] = float(listed.detach())
        loss = loss + recipe.phrase_weight * listed
    figures["words"] = float(words.detach())
    figures["loss"] = float(loss.detach())
    figures.update(judge(packer, rows, logits.argmax(-1), told))
    return loss, figures


class LanguageOptimiser:
    """AdamW for everything, or Muon for the hidden matrices where `muon_rate` is given."""

    def __init__(self, trainee: Trainee, recipe: LanguageRecipe) -> None:
        hidden: list[nn.Parameter] = []
        matrices: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for name, parameter in trainee.named_parameters():
            if not parameter.requires_grad:
                continue
            if recipe.muon_rate and ".h." in name and parameter.ndim == 2:
                hidden.append(parameter)
            else:
                (matrices if parameter.ndim >= 2 else plain).append(parameter)
        groups = [
            {"params": matrices, "weight_decay": recipe.decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        adam = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), foreach=True)
        self.parts: list[tuple[torch.optim.Optimizer, float]] = [(adam, recipe.rate)]
        if hidden:
            muon = Muon(
                hidden, lr=recipe.muon_rate, weight_decay=recipe.decay, adjust_lr_fn="original"
            )
            self.parts.append((muon, recipe.muon_rate))

    def step(self, share: float) -> None:
        """Take a step at `share` of the full rates, and clear the gradients."""
        for optimiser, rate in self.parts:
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state(self) -> list[dict[str, Any]]:
        """Everything needed to go on later."""
        return [optimiser.state_dict() for optimiser, _ in self.parts]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Go on from `state()`."""
        for (optimiser, _), part in zip(self.parts, state, strict=True):
            optimiser.load_state_dict(part)


def language_share(spent: float, step: int, recipe: LanguageRecipe) -> float:
    """Share of the full learning rate: warm-up, constant, then linear to almost nothing."""
    fall = max(0.0, (spent - recipe.constant) / (1 - recipe.constant))
    return min(1.0, (step + 1) / recipe.warm_up) * max(0.01, 1 - fall)


def freeze_tower(model: QwenVLForCausalLM) -> None:
    """Leave of the visual tower only its last affine layer to be trained."""
    tower = model.transformer.visual
    tower.requires_grad_(False)
    tower.proj.requires_grad_(True)
    tower.ln_post.requires_grad_(True)


def train_language(
    shards: Path,
    out: Path,
    tokenizer: QwenVLTokenizer,
    tower: dict[str, Tensor],
    recipe: LanguageRecipe,
    resume: bool = True,
    start: QwenVLForCausalLM | None = None,
) -> QwenVLForCausalLM:
    """Train stage two; checkpoint and log are kept in `out`.

    `tower` is the state of the tower that stage one made. `start` is a model with this tokenizer's
    vocabulary to begin with instead of an untrained one; its own tower is left aside. Goes on from
    the checkpoint where there is one and `resume` is true.
    """
    torch.manual_seed(recipe.seed)
    prepare_processor()
    stage = _Stage(shards, RunFolder(out), tokenizer, tower, recipe)
    stage.begin(resume, start)
    stage.go()
    return stage.trainee.model


class _Stage:
    """Everything that a run of stage two consists of."""

    def __init__(
        self,
        shards: Path,
        folder: RunFolder,
        tokenizer: QwenVLTokenizer,
        tower: dict[str, Tensor],
        recipe: LanguageRecipe,
    ) -> None:
        self.folder, self.tokenizer, self.recipe = folder, tokenizer, recipe
        self.rng = np.random.default_rng(recipe.seed)
        model = new_model(tokenizer, recipe.layers)
        model.transformer.visual.load_state_dict(tower)
        freeze_tower(model)
        model.train()
        self.trainee = Trainee(model, recipe.compiled)
        self.optimiser = LanguageOptimiser(self.trainee, recipe)
        self.budget, self.step = Budget(recipe.minutes, recipe.steps), 0
        reader = ShardReader(shards)
        reader.refresh()
        self.pool = FeaturePool(model.transformer.visual, reader, recipe.pool)
        self.packer = TurnPacker(
            tokenizer,
            recipe.length,
            self.rng,
            recipe.leave_out,
            recipe.chinese,
            recipe.long,
            recipe.apart,
        )

    def begin(self, resume: bool, start: QwenVLForCausalLM | None) -> None:
        """From the checkpoint, from trained weights, or from the start."""
        state = self.folder.load() if resume else None
        if state is None:
            self.pool.fill(self.rng)
            if start is None:
                align(self.trainee.model, self.tokenizer, self.pool)
            else:
                eyes = self.trainee.model.transformer.visual.state_dict(prefix=_EYES)
                self.trainee.model.load_state_dict(start.state_dict() | eyes)
            return
        self.trainee.load_state_dict(state["trainee"])
        self.optimiser.load(state["optimiser"])
        self.budget.spent, self.step = state["seconds"], state["step"]
        self.pool.load(state["pool"])
        self.rng.bit_generator.state = state["numpy"]
        torch.set_rng_state(state["torch"])

    def save(self) -> None:
        """Replace the checkpoint."""
        self.folder.save(
            {
                "trainee": self.trainee.state_dict(),
                "optimiser": self.optimiser.state(),
                "pool": self.pool.state(),
                "seconds": self.budget.elapsed(),
                "step": self.step,
                "numpy": self.rng.bit_generator.state,
                "torch": torch.get_rng_state(),
            }
        )

    def go(self) -> None:
        """Train until the budget is spent."""
        recipe, names = self.recipe, noun_table(self.tokenizer)
        saved, seen = self.budget.elapsed(), Averages()
        while (spent := self.budget.progress(self.step)) < 1:
            self.pool.renew(self.rng, recipe.batch // 2)
            loss, figures = batch_loss(self.trainee, self.packer, self.pool, names, recipe, spent)
            loss.backward()
            nn.utils.clip_grad_norm_(self.trainee.parameters(), 1.0)
            self.optimiser.step(language_share(spent, self.step, recipe))
            self.step += 1
            seen.add(figures)
            if self.step % recipe.log_every == 0:
                minutes = self.budget.elapsed() / 60
                self.folder.log(step=self.step, minutes=minutes, **seen.take())
            if self.budget.elapsed() - saved > 60 * recipe.save_minutes:
                saved = self.budget.elapsed()
                self.save()
                self.pool.reader.refresh()
        self.save()
