"""Second stage of the embedded chat model: train the language model to talk about images.

The visual tower is frozen but for its last affine layer. Beside the next token, training-only
losses teach a few attention heads where to look (see `packed_rows.AttentionTarget`): without them,
the use of the question's noun to select an object does not emerge in any reasonable time. The
network is the ordinary `segue.models.qwen_vl` one, and nothing but its own weights is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.chat.data import DrawScene, SceneStream, stack
from lab.chat.dialogue_stream import DialogueBatch, DialogueStream
from lab.chat.features import apply_last_layer, resample
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
from lab.chat.packed_rows import Markers
from lab.chat.packing import FULL_MIX, LATE_MIX, QUERY_MIX, WARM_START_MIX, TurnPacker
from lab.chat.weights import write_weights
from lab.training.feed import BatchFeed, tensor, to_tensors
from lab.training.loop import Figures, RandomState, TrainingLoop
from lab.training.optimisers import separate_optimisers
from lab.training.precision import CPU, training_precision
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
    that follow another); `fresh` is the share of new scenes in a batch, the
    others come from the latest `pool`; answers are counted at every `measure_every`th step;
    `chinese_share`, `long_share` and `max_gap` are those of `TurnPacker`.
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
    fresh: float = 0.5
    compiled: bool = True
    log_every: int = 25
    measure_every: int = 1
    save_minutes: float = 4.0
    seed: int = 0


_VISION_PREFIX = "transformer.visual."
_SEEN_SCENES, _SEEN_FIRST = 3000, 1 << 40
"""How many scenes fresh embeddings are aligned on, and the number of their first batch."""
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


CUDA_WARM_START = replace(
    WARM_START, batch=96, rate=8e-4, compiled=False, measure_every=10, save_minutes=1.0, seed=14
)
"""The same with large batches, for an accelerator."""


def mix_of(recipe: LanguageRecipe, progress: float) -> Mapping[str, float]:
    """Return the weight of each kind of turn when `progress` of the budget is spent."""
    if progress > recipe.late_share:
        return recipe.late_mix
    return QUERY_MIX if progress < recipe.query_share else FULL_MIX


def batch_loss(
    wrapper: TrainingWrapper,
    batch: DialogueBatch,
    markers: Markers,
    first_cell: int,
    names: Tensor,
    recipe: LanguageRecipe,
    progress: float,
    measures: bool = True,
) -> tuple[Tensor, Figures]:
    """Compute the whole loss on a batch, and what to log.

    Args:
        wrapper: the network and its training-only parts.
        batch: scenes and dialogues.
        markers: of the rows.
        first_cell: the token at which the first image of a row begins.
        names: the tokens of the nouns, (96, 2).
        recipe: the weights of the losses.
        progress: the share of the budget that is spent.
        measures: whether to measure, too, how many answers are right.
    """
    device, scenes = names.device, batch.scenes
    rows = to_tensors(batch.rows, device)
    objects, cells = tensor(scenes.objects, device).long(), tensor(scenes.cells, device).long()
    tower = wrapper.model.transformer.visual
    features = apply_last_layer(tower, resample(tower, scenes.images))
    with training_precision(device):
        trace = run_decoder(wrapper, rows, features, first_cell)
        labels = rows.labels[:, 1:]
        is_label = labels >= 0
        logits = wrapper.model.lm_head(trace.last[:, :-1][is_label]).float()
    token_losses = F.cross_entropy(logits, labels[is_label], reduction="none")
    weights = rows.weights[:, 1:][is_label]
    words_loss = (token_losses * weights).sum() / weights.sum()
    attention_loss, figures = attention_losses(rows, trace)
    fade = min(1.0, max(0.0, (progress - recipe.query_share) / 0.1))
    attention_weight = recipe.attention_weight + fade * (
        recipe.late_attention_weight - recipe.attention_weight
    )
    names_loss, figures["named"] = name_loss(wrapper, features, cells, objects, names)
    loss = words_loss + attention_weight * attention_loss + recipe.name_weight * names_loss
    if len(rows.boxes):
        coordinates_loss, figures["coordinate"] = coordinate_loss(wrapper, rows, trace, objects)
        loss = loss + recipe.coordinate_weight * coordinates_loss
    if len(rows.phrases):
        phrases_loss = phrase_loss(wrapper, rows, trace, names)
        figures["listed"] = phrases_loss.detach()
        loss = loss + recipe.phrase_weight * phrases_loss
    figures |= {"words": words_loss.detach(), "loss": loss.detach()}
    if not measures:
        return loss, figures
    predictions = torch.full_like(rows.ids, -1)
    predictions[:, 1:][is_label] = logits.argmax(-1)
    accuracies = token_accuracies(markers, batch.rows.ids, batch.spans, predictions.cpu().numpy())
    return loss, {**figures, **accuracies}


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
        draw: DrawScene,
        folder: Path,
        tokenizer: QwenVLTokenizer,
        tower: Mapping[str, Tensor],
        recipe: LanguageRecipe,
        device: torch.device = CPU,
        workers: int = 0,
    ) -> None:
        self.tokenizer, self.recipe = tokenizer, recipe
        network = new_model(tokenizer, recipe.layers)
        network.transformer.visual.load_state_dict(tower)
        freeze_tower(network)
        network.train()
        model = TrainingWrapper(network, recipe.compiled).to(device)
        optimisers = separate_optimisers(
            model,
            is_hidden_matrix,
            muon_rate=recipe.muon_rate,
            adam_rate=recipe.rate,
            decay=recipe.decay,
            max_norm=1.0,
        )
        scenes = SceneStream(
            draw, batch=recipe.batch, seed=recipe.seed, pool=recipe.pool, fresh=recipe.fresh
        )
        rng = np.random.default_rng(recipe.seed)
        self.packer = TurnPacker(
            tokenizer,
            recipe.length,
            rng,
            recipe.leave_out,
            recipe.chinese_share,
            recipe.long_share,
            recipe.max_gap,
        )
        self.stream = DialogueStream(scenes, self.packer, partial(mix_of, recipe), recipe.seed)
        super().__init__(
            folder,
            Budget(recipe.minutes, recipe.steps),
            model,
            optimisers,
            Schedule(recipe.warm_up, recipe.hold),
            feed=BatchFeed(self.stream, workers),
        )
        self.save_every, self.report_every = 60 * recipe.save_minutes, recipe.log_every
        self.names = noun_table(tokenizer).to(device)
        self.parts["random"] = RandomState(rng)

    def initialise(self, start: QwenVLForCausalLM | None) -> None:
        """Take the weights of `start` but for its tower, or align fresh ones."""
        network = self.model.model
        if start is None:
            device = self.names.device
            network.to(CPU)
            batches = [self.stream.scenes.batch(_SEEN_FIRST + n) for n in range(_SEEN_SCENES // 50)]
            seen = stack(batches)
            align(network, self.tokenizer, resample(network.transformer.visual, seen.images), seen)
            network.to(device)
        else:
            tower = network.transformer.visual.state_dict(prefix=_VISION_PREFIX)
            network.load_state_dict(start.state_dict() | tower)

    def export(self, model: TrainingWrapper, folder: Path) -> None:
        """Write the chat model as far as it is trained."""
        write_weights(model.model, self.tokenizer, folder)

    def compute_loss(self, progress: float) -> tuple[Tensor, Figures]:
        """Compute the loss on a batch of dialogues."""
        self.stream.progress.value = progress
        return batch_loss(
            self.model,
            self.next_batch(),
            self.packer.markers,
            self.packer.first_cell,
            self.names,
            self.recipe,
            progress,
            self.step % self.recipe.measure_every == 0,
        )


def train_language(
    draw: DrawScene,
    out: Path,
    tokenizer: QwenVLTokenizer,
    tower: Mapping[str, Tensor],
    recipe: LanguageRecipe,
    resume: bool = True,
    start: QwenVLForCausalLM | None = None,
    device: torch.device = CPU,
    workers: int = 0,
) -> QwenVLForCausalLM:
    """Train stage two.

    Args:
        draw: draws a scene to learn from.
        out: the run's folder; a checkpoint and the log go here.
        tokenizer: of the model.
        tower: the state of the tower that stage one made.
        recipe: the numbers of the training.
        resume: resume from the checkpoint in `out`, where there is one.
        start: a model with this tokenizer's vocabulary to begin with instead of an untrained one;
            its own tower is ignored.
        device: where the network is trained.
        workers: processes that draw scenes and dialogues; 0: this one.

    Raises:
        ModelError: the checkpoint cannot be used.
    """
    torch.manual_seed(recipe.seed)
    training = LanguageTraining(draw, out, tokenizer, tower, recipe, device, workers)
    training.begin(recipe, resume=resume, start=start)
    training.run()
    network: QwenVLForCausalLM = training.model.model
    return network
