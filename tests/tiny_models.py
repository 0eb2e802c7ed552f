"""Networks of every kind in miniature, with random weights: they run in milliseconds.

What they find means nothing; what is promised about its form holds for them as for trained ones.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

WORDS = ("cat", "dog", "hot", "cup", "red", "the", "a", "remote", "control", "##s")


def tiny_sam(folder: Path, side: int = 64, **options: Any) -> Path:
    """A SamModel of `side` x `side` pixels in transformers' form."""
    from transformers import SamConfig, SamModel
    from transformers.models.sam.configuration_sam import (
        SamMaskDecoderConfig,
        SamPromptEncoderConfig,
        SamVisionConfig,
    )

    vision = SamVisionConfig(
        hidden_size=16,
        output_channels=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=side,
        patch_size=8,
        mlp_dim=32,
        window_size=4,
        global_attn_indexes=[1],
        num_pos_feats=16,
        initializer_range=0.2,  # the default, 1e-10, is a network of zeros
    )
    prompts = SamPromptEncoderConfig(hidden_size=32, image_size=side, patch_size=8)
    decoder = SamMaskDecoderConfig(hidden_size=32, mlp_dim=32, num_attention_heads=4)
    config = SamConfig(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    model = _seeded(lambda: SamModel(config))
    with torch.no_grad():
        for holder in (model.shared_image_embedding, model.prompt_encoder.shared_embedding):
            holder.positional_embedding.div_(vision.scale)  # else a pixel moves every sine
        _liven(model)
    return _saved(model, folder, options)


def tiny_sam_hq(folder: Path, side: int = 64, **options: Any) -> Path:
    """A SamHQModel of `side` x `side` pixels."""
    from transformers import SamHQConfig, SamHQModel

    vision = {
        "hidden_size": 16, "output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": side, "patch_size": 8, "mlp_dim": 32, "window_size": 4,
        "global_attn_indexes": [1], "num_pos_feats": 16, "initializer_range": 0.2,
    }  # fmt: skip
    config = SamHQConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 32, "image_size": side, "patch_size": 8},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 4, "vit_dim": 16,
        },
    )  # fmt: skip
    model = _seeded(lambda: SamHQModel(config))
    with torch.no_grad():
        for holder in (model.shared_image_embedding, model.prompt_encoder.shared_embedding):
            holder.positional_embedding.copy_(
                holder.positional_embedding / config.vision_config.scale
            )
        _liven(model)
    return _saved(model, folder, options)


def tiny_sam2(folder: Path, side: int = 64, **options: Any) -> Path:
    """A Sam2Model of `side` x `side` pixels."""
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig
    from transformers.models.sam2.configuration_sam2 import (
        Sam2MaskDecoderConfig,
        Sam2PromptEncoderConfig,
    )

    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[side, side],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 2, 2, 2],
        window_size_per_stage=[4, 4, 4, 2],
        global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        fpn_hidden_size=32,
        backbone_feature_sizes=[[side // step] * 2 for step in (4, 8, 16)],
    )
    config = Sam2Config(
        vision_config=vision,
        prompt_encoder_config=Sam2PromptEncoderConfig(
            hidden_size=32, image_size=side, patch_size=16
        ),
        mask_decoder_config=Sam2MaskDecoderConfig(
            hidden_size=32, mlp_dim=32, num_attention_heads=4, iou_head_hidden_dim=32
        ),
    )
    model = _seeded(lambda: Sam2Model(config))
    with torch.no_grad():
        _liven(model)
    return _saved(model, folder, options)


def tiny_video_model(folder: Path, kind: str = "sam2_video", **options: Any) -> Path:
    """A video model with a memory of frames, of 64 x 64 pixels: a type of `MODEL_CLASSES`."""
    import transformers

    from segue.trackers.video_memory import MODEL_CLASSES

    prefix = MODEL_CLASSES[kind]
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[64, 64],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 2, 2, 2],
        window_size_per_stage=[4, 4, 4, 2],
        global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        fpn_hidden_size=128,
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
    )
    if kind == "sam3_tracker_video":
        vit = transformers.Sam3ViTConfig(
            hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            image_size=64, patch_size=16, window_size=2, global_attn_indexes=[1],
            pretrain_image_size=32,
        )  # fmt: skip
        vision = transformers.Sam3VisionConfig(
            backbone_config=vit,
            fpn_hidden_size=128,
            backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        )
    module = __import__(
        f"transformers.models.{kind}.configuration_{kind}", fromlist=["configuration"]
    )
    extra: dict[str, Any] = {}
    if kind == "edgetam_video":
        extra |= {
            "perceiver_resampler_num_latents": 4,
            "perceiver_resampler_num_latents_2d": 4,
            "memory_attention_rope_k_sizes": [2, 2],
        }
    config = getattr(module, f"{prefix}Config")(
        vision_config=vision,
        prompt_encoder_config=getattr(module, f"{prefix}PromptEncoderConfig")(
            hidden_size=128, image_size=64, patch_size=16
        ),
        mask_decoder_config=getattr(module, f"{prefix}MaskDecoderConfig")(
            hidden_size=128, mlp_dim=32, num_attention_heads=4, iou_head_hidden_dim=32
        ),
        num_maskmem=3,
        max_object_pointers_in_encoder=4,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
        image_size=64,
        **extra,
    )
    model = _seeded(lambda: getattr(transformers, f"{prefix}Model")(config))
    with torch.no_grad():
        _liven(model)
        model.mask_decoder.pred_obj_score_head.proj_out.bias.add_(2)  # so that it sees something
    return _saved(model, folder, options)


def tiny_edgetam(folder: Path, side: int = 64, **options: Any) -> Path:
    """An EdgeTamModel of `side` x `side` pixels, its files as written with timm."""
    from transformers import EdgeTamConfig, EdgeTamModel

    from segue.models.repvit import RepVitConfig

    sizes = {"embed_dim": [8, 16, 16, 32], "depth": [1, 2, 1, 1]}
    vision: dict[str, Any] = {
        "backbone_config": RepVitConfig(channels=sizes["embed_dim"], depths=sizes["depth"]),
        "backbone_channel_list": [32, 16, 16, 8],
        "backbone_feature_sizes": [[side // step] * 2 for step in (4, 8, 16)],
        "fpn_hidden_size": 32,
    }
    config = EdgeTamConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 32, "image_size": side, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 4, "iou_head_hidden_dim": 32,
        },
    )  # fmt: skip
    model = _seeded(lambda: EdgeTamModel(config))
    with torch.no_grad():
        _liven(model)
    _saved(model, folder, options)
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    arguments = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3], **sizes}
    settings["vision_config"]["backbone_config"] = {
        "model_type": "timm_wrapper", "architecture": "repvit_m1", "model_args": arguments,
        "num_classes": 2, "label_names": ["cat", "dog"],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def tiny_grounding_dino(folder: Path, kind: str = "grounding-dino", **options: Any) -> Path:
    """A Grounding DINO, or with kind "mm-grounding-dino" an MM-Grounding-DINO, of 64 pixels."""
    import transformers

    prefix = {"grounding-dino": "GroundingDino", "mm-grounding-dino": "MMGroundingDino"}[kind]
    swin = transformers.SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=8,
        depths=[1, 1, 1],
        num_heads=[1, 1, 2],
        window_size=4,
        out_indices=[2, 3],
    )
    bert = transformers.BertConfig(
        vocab_size=1040,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    config = getattr(transformers, f"{prefix}Config")(
        backbone_config=swin,
        text_config=bert,
        num_queries=20,
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_feature_levels=2,
        max_text_len=32,
        dropout=0.0,
    )
    model = _seeded(lambda: getattr(transformers, f"{prefix}ForObjectDetection")(config))
    with torch.no_grad():
        _liven(model)
    pixels = {"size": {"shortest_edge": 64, "longest_edge": 128}}
    tiny_vocabulary(folder)
    return _saved(model, folder, options, pixels)


def tiny_vocabulary(folder: Path) -> Path:
    """`vocab.txt` with the separators where bert-base-uncased has them."""
    words = [f"[unused{i}]" for i in range(1040)]
    words[0], words[100:104] = "[PAD]", ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words[1012], words[1029] = ".", "?"
    words[200 : 200 + len(WORDS)] = WORDS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "vocab.txt"
    path.write_text("\n".join(words) + "\n", encoding="utf-8")
    return path


def tiny_sam3(folder: Path, **options: Any) -> Path:
    """SAM 3 of 56 x 56 pixels with a vocabulary of letters, as facebook/sam3 is published.

    One folder holds the detector and the tracker, which share the backbone; `segue.json` gets the
    options, and `processor_config.json` what the published one says of pictures.
    """
    from safetensors.torch import save_file
    from transformers import Sam3Config, Sam3TrackerConfig, Sam3TrackerVideoConfig, Sam3VideoConfig
    from transformers.models.sam3.modeling_sam3 import Sam3Model
    from transformers.models.sam3_tracker.modeling_sam3_tracker import Sam3TrackerModel

    size = len(tiny_letters(folder))
    backbone = {
        "model_type": "sam3_vit_model", "hidden_size": 32, "intermediate_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56, "patch_size": 14,
        "window_size": 2, "global_attn_indexes": [1], "pretrain_image_size": 28,
    }  # fmt: skip
    vision = {
        "model_type": "sam3_vision_model", "backbone_config": backbone, "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }  # fmt: skip
    text = {
        "model_type": "clip_text_model", "vocab_size": size, "hidden_size": 16,
        "intermediate_size": 16, "projection_dim": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 32, "bos_token_id": size - 2,
        "eos_token_id": size - 1, "pad_token_id": 0,
    }  # fmt: skip
    part = {
        "hidden_size": 32, "num_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
        "dropout": 0.0,
    }  # fmt: skip
    detector_config = Sam3Config(
        vision_config=vision,
        text_config=text,
        geometry_encoder_config={**part, "roi_size": 3},
        detr_encoder_config=part,
        detr_decoder_config={**part, "num_queries": 12},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )
    heads = {
        "prompt_encoder_config": {"hidden_size": 32, "image_size": 56, "patch_size": 14},
        "mask_decoder_config": {
            "hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 4, "iou_head_hidden_dim": 32,
        },
    }  # fmt: skip
    tracker_config = Sam3TrackerConfig(vision_config=vision, **heads)
    detector = _seeded(lambda: Sam3Model(detector_config)).eval()
    tracker = _seeded(lambda: Sam3TrackerModel(tracker_config)).eval()
    with torch.no_grad():
        _liven(detector)
        _liven(tracker)
    tensors = {f"detector_model.{name}": value for name, value in detector.state_dict().items()}
    for name, value in tracker.state_dict().items():
        if name.startswith("vision_encoder.neck."):
            tensors[f"tracker_neck.{name.removeprefix('vision_encoder.neck.')}"] = value
        elif not name.startswith("vision_encoder."):
            tensors[f"tracker_model.{name}"] = value
    tensors["tracker_model.memory_encoder.projection.weight"] = torch.zeros(2, 2)
    save_file(
        {name: value.clone().contiguous() for name, value in tensors.items()},
        str(folder / "model.safetensors"),
        metadata={"format": "pt"},
    )
    video_config = Sam3TrackerVideoConfig(vision_config=vision, image_size=56, **heads)
    whole = Sam3VideoConfig(
        detector_config=detector_config.to_dict(), tracker_config=video_config.to_dict()
    )
    pixels = {
        "size": {"height": 56, "width": 56}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
    }  # fmt: skip
    files = {
        "config.json": whole.to_dict(),
        "processor_config.json": {"image_processor": pixels},
        "segue.json": options,
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def tiny_letters(folder: Path) -> dict[str, int]:
    """A CLIP tokenizer that knows the letters, saved; its vocabulary."""
    import transformers

    letters = [f"{c}{end}" for c in "abcdefghijklmnopqrstuvwxyz" for end in ("", "</w>")]
    vocabulary = {"!": 0, **{token: i + 1 for i, token in enumerate(letters)}}
    for token in ("<|startoftext|>", "<|endoftext|>"):  # the end has the largest id: it is pooled
        vocabulary[token] = len(vocabulary)
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="!")
    tokenizer.save_pretrained(str(folder))
    return vocabulary


def tiny_owlv2(folder: Path, side: int = 32, word_pieces: int = 16, **options: Any) -> Path:
    """An OWLv2 of `side` x `side` pixels with a vocabulary of letters."""
    import transformers

    vocabulary = tiny_letters(folder)
    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    text = transformers.Owlv2TextConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=word_pieces,
        pad_token_id=0,
        bos_token_id=start,
        eos_token_id=end,
    )
    vision = transformers.Owlv2VisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=side,
        patch_size=8,
    )
    config = transformers.Owlv2Config(text_config=text, vision_config=vision, projection_dim=16)
    model = _seeded(lambda: transformers.Owlv2ForObjectDetection(config))
    with torch.no_grad():
        _liven(model)
    return _saved(model, folder, options)


def tiny_omdet_turbo(folder: Path, word_pieces: int = 32, **options: Any) -> Path:
    """An OmDet-Turbo of 64 x 64 pixels with transformers' Swin and a vocabulary of letters."""
    import transformers

    vocabulary = tiny_letters(folder)
    swin = transformers.SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 2, 1, 1], num_heads=[1, 1, 2, 2],
        window_size=4, out_indices=[2, 3, 4],
    )  # fmt: skip
    text = transformers.CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=word_pieces, pad_token_id=0,
        bos_token_id=vocabulary["<|startoftext|>"], eos_token_id=vocabulary["<|endoftext|>"],
    )  # fmt: skip
    config = transformers.OmDetTurboConfig(
        backbone_config=swin, text_config=text, apply_layernorm_after_vision_backbone=False,
        image_size=64, text_projection_in_dim=16, text_projection_out_dim=16, class_embed_dim=16,
        task_encoder_hidden_dim=16, num_queries=12, vision_features_channels=[32, 32, 32],
        encoder_in_channels=[16, 32, 64], encoder_hidden_dim=32, encoder_dim_feedforward=32,
        encoder_attention_heads=2, decoder_hidden_dim=32, decoder_dim_feedforward=32,
        decoder_num_layers=2, decoder_num_heads=2, decoder_num_points=2,
    )  # fmt: skip
    model = _seeded(lambda: transformers.OmDetTurboForObjectDetection(config))
    with torch.no_grad():
        _liven(model)
    pixels = {
        "do_rescale": False, "image_mean": [123.675, 116.28, 103.53],
        "image_std": [58.395, 57.12, 57.375], "size": {"height": 64, "width": 64},
    }  # fmt: skip
    return _saved(model, folder, options, pixels)


def tiny_clipseg(folder: Path, **options: Any) -> Path:
    """A CLIPSeg of 32 x 32 pixels with a vocabulary of letters."""
    import transformers

    vocabulary = tiny_letters(folder)
    layers = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }  # fmt: skip
    config = transformers.CLIPSegConfig(
        text_config={
            **layers, "vocab_size": len(vocabulary), "max_position_embeddings": 16,
            "pad_token_id": 0, "bos_token_id": vocabulary["<|startoftext|>"],
            "eos_token_id": vocabulary["<|endoftext|>"],
        },
        vision_config={**layers, "image_size": 16, "patch_size": 8},
        projection_dim=16,
        extract_layers=[0, 1],
        reduce_dim=8,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )  # fmt: skip
    model = _seeded(lambda: transformers.CLIPSegForImageSegmentation(config))
    with torch.no_grad():
        _liven(model)
    pixels = {
        "size": {"height": 32, "width": 32}, "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225], "resample": 2,
    }  # fmt: skip
    return _saved(model, folder, options, pixels)


def _seeded(build: Callable[[], Any]) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return build()


def _liven(model: Any) -> None:
    """Spread the weights so far that pictures, words and prompts make a difference."""
    generator = torch.Generator().manual_seed(5)
    for name, weight in model.named_parameters():
        if weight.ndim > 1 and "positional_embedding" not in name:
            spread = weight.flatten(1).shape[1] ** -0.5
            weight.copy_(torch.randn(weight.shape, generator=generator) * max(spread, 0.1))


def _saved(
    model: Any, folder: Path, options: dict[str, Any], pixels: dict[str, Any] | None = None
) -> Path:
    from transformers.utils import logging

    logging.disable_progress_bar()
    model.eval().save_pretrained(str(folder))
    for name, value in (("segue.json", options), ("preprocessor_config.json", pixels)):
        if value:
            (folder / name).write_text(json.dumps(value), encoding="utf-8")
    return folder
