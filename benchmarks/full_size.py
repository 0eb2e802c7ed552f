"""Full-size networks with random weights, as folders that segue loads like any other."""

from pathlib import Path

import torch

import segue

EMBEDDED_WEIGHTS = Path(segue.__file__).parent / "embedded" / "weights"
SPREAD = 0.1
"""Of the decoder's last normalisation: else almost all scores of random weights are 0 or 1."""


_SAM_SIZES = {
    "base": {},
    "huge": {
        "hidden_size": 1280,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "global_attn_indexes": [7, 15, 23, 31],
    },
}


def write_segmenter(folder: Path, size: str = "base") -> None:
    """SAM ViT-B, or ViT-H. The stock initialisation leaves the encoder dead: it is drawn anew."""
    from transformers import SamConfig, SamModel, SamVisionConfig
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    torch.manual_seed(0)
    config = SamConfig(
        vision_config=SamVisionConfig(initializer_range=0.02, **_SAM_SIZES[size]).to_dict()
    )
    SamModel(config).save_pretrained(folder)
    SamImageProcessorPil().save_pretrained(folder)


def write_sam2_large(folder: Path) -> None:
    """SAM 2.1 with the large Hiera backbone."""
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

    torch.manual_seed(0)
    backbone = Sam2HieraDetConfig(
        hidden_size=144,
        blocks_per_stage=[2, 6, 36, 4],
        embed_dim_per_stage=[144, 288, 576, 1152],
        num_attention_heads=2,
        num_attention_heads_per_stage=[2, 4, 8, 16],
        window_size_per_stage=[8, 4, 16, 8],
        global_attention_blocks=[23, 33, 43],
    )
    vision = Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=[1152, 576, 288, 144])
    Sam2Model(Sam2Config(vision_config=vision)).save_pretrained(folder)


def write_detector(folder: Path) -> None:
    """Grounding DINO with the Swin-T backbone, and a word list of the right length."""
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
        GroundingDinoImageProcessorPil,
    )

    torch.manual_seed(0)
    config = GroundingDinoConfig(disable_custom_kernels=True)
    network = GroundingDinoForObjectDetection(config)
    network.model.decoder.layer_norm.weight.data.mul_(SPREAD)
    network.save_pretrained(folder)
    GroundingDinoImageProcessorPil().save_pretrained(folder)
    words = [f"[unused{n}]" for n in range(30522)]
    fixed = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    plain = {1012: ".", 1029: "?", 4937: "cat", 3899: "dog"}
    for index, word in {**fixed, **plain}.items():
        words[index] = word
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
