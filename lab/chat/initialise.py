"""How stage two begins: the network, with eyes and words in one space."""

import math
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab.chat.data import SceneArrays
from lab.chat.language_losses import HEAD_WIDTH, HEADS, LISTING, WIDTH
from lab.chat.vision_stage import visual_settings
from lab.language.tokens import noun_ids
from lab.scenes.vocabulary import nouns
from segue.models.qwen_vl.configuration import QwenVLConfig
from segue.models.qwen_vl.decoder import DecoderBlock
from segue.models.qwen_vl.modeling import QwenVLForCausalLM
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer
from segue.models.qwen_vl.visual import VisualTower


def new_model(tokenizer: QwenVLTokenizer, layers: int) -> QwenVLForCausalLM:
    """Make the embedded chat model, its language part untrained."""
    settings = QwenVLConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        kv_channels=HEAD_WIDTH,
        intermediate_size=2 * 512,
        seq_length=2048,
        tie_word_embeddings=True,
        visual=visual_settings(tokenizer.picture_start_id),
    )
    model = QwenVLForCausalLM(settings)
    for block in cast(list[DecoderBlock], model.transformer.h):
        for linear in (block.attn.c_attn, block.mlp.w1, block.mlp.w2):
            linear.reset_parameters()
        for end in (block.attn.c_proj, block.mlp.c_proj):
            nn.init.normal_(end.weight, std=0.02 / math.sqrt(2 * layers))
    nn.init.normal_(cast(Tensor, model.transformer.wte.weight), std=0.3)
    nn.init.constant_(model.transformer.ln_f.weight, 0.12)
    return model


def noun_table(tokenizer: QwenVLTokenizer) -> Tensor:
    """Return the token ids (96, 2) of each noun, in English and in Chinese."""
    table = [[0, 0] for _ in nouns()]
    for token, index in noun_ids(tokenizer).items():
        text = tokenizer.decode([token]).strip()
        table[index][0 if text.isascii() else 1] = token
    for noun in nouns():  # irregular plurals and " engines" must not stand for the noun itself
        word = noun.english.split(" ")
        table[noun.index][0] = tokenizer.encode(word[0] if len(word) == 1 else f" {word[-1]}")[-1]
    return torch.tensor(table)


@torch.no_grad()
def align(
    model: QwenVLForCausalLM, tokenizer: QwenVLTokenizer, normal: Tensor, scenes: SceneArrays
) -> None:
    """Align the embeddings of vision and words, and prepare heads that compare and copy.

    The tower's last layer becomes a whitening of what was seen, of norm 8; a noun's embedding
    leans towards the direction that tells its cells from all others. The heads that look
    at what is named next pass on the nouns' subspace.
    """
    tower = model.transformer.visual
    directions = _whiten(tower, normal, scenes)
    wte = cast(Tensor, model.transformer.wte.weight)
    blocks = cast(list[DecoderBlock], model.transformer.h)
    for token, noun in noun_ids(tokenizer).items():
        wte[token] = 0.5 * wte[token] + 4 * directions[noun]
    _match_nouns(blocks[1].attn.c_attn, directions)
    text_embeddings = wte[: len(tokenizer.ranks)]
    shapes = torch.linalg.svd(text_embeddings - text_embeddings.mean(0), full_matrices=False)[2]
    for number, layer in enumerate((2, 3)):
        _copy_attended(blocks[layer], 3, shapes[64 * number : 64 * (number + 1)])
    if len(blocks) > LISTING:
        names = torch.linalg.svd(directions, full_matrices=True)[2]
        for head in (0, 1):
            _copy_attended(blocks[LISTING], head, names[64 * head : 64 * (head + 1)])


def _copy_attended(block: DecoderBlock, head: int, basis: Tensor) -> None:
    """Make a head write what it looks at into the state, as far as it lies in `basis` (64, 256)."""
    begin = head * HEAD_WIDTH
    values = slice(2 * WIDTH + begin, 2 * WIDTH + begin + HEAD_WIDTH)
    block.attn.c_attn.weight[values] = basis
    block.attn.c_attn.bias[values] = 0
    block.attn.c_proj.weight[:, begin : begin + HEAD_WIDTH] = basis.T * 0.3


def _whiten(tower: VisualTower, normal: Tensor, scenes: SceneArrays) -> Tensor:
    """Set the tower's last layer; return one unit direction per noun, (96, 256)."""
    normal = normal.flatten(0, 1)
    row = torch.from_numpy(np.maximum(scenes.cells, 0).astype(np.int64))
    noun = torch.from_numpy(scenes.objects[..., 0].astype(np.int64)).gather(1, row).flatten()
    noun = torch.where(torch.from_numpy(scenes.cells).flatten() >= 0, noun, len(nouns()))
    total = torch.zeros(len(nouns()) + 1, WIDTH).index_add_(0, noun, normal)
    count = torch.bincount(noun, minlength=len(nouns()) + 1).clamp(min=1)
    means = total / count[:, None]
    within = torch.cov((normal - means[noun]).T)
    values, vectors = torch.linalg.eigh(within)
    whitening = (vectors * (values + 0.03 * values.mean()).clamp(min=1e-6).rsqrt()) @ vectors.T
    centre = means[:-1].mean(0)
    foreground = normal[noun < len(nouns())] - centre
    size = (foreground @ whitening).norm(dim=-1).mean()
    tower.ln_post.weight.fill_(1)
    tower.ln_post.bias.copy_(-centre)
    tower.proj.copy_(whitening * 8 / size)
    return F.normalize((means[:-1] - centre) @ whitening, dim=-1)


def _match_nouns(projection: nn.Linear, directions: Tensor) -> None:
    """Make heads 0 and 1 match what lies in the nouns' subspace, wherever it stands.

    Queries and keys share 32 directions, in the half of the channels that turns slowly.
    """
    span = torch.linalg.svd(directions, full_matrices=False)[2][:64]
    for head in (0, 1):
        begin = head * HEAD_WIDTH
        slow = torch.tensor([begin + k for k in (*range(16, 32), *range(48, 64))])
        basis = span[torch.randperm(64)[:32]] * 2
        for offset in (0, WIDTH):
            projection.weight[offset + begin : offset + begin + HEAD_WIDTH] *= 0.3
            projection.weight[slow + offset] = basis
