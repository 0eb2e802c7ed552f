"""Weights that fill a network in part are refused by every backend, with the names of tensors."""

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny_chats
import tiny_models
from segue.chat import CHATS
from segue.detect import DETECTORS
from segue.errors import ModelError
from segue.models.qwen_vl import save
from segue.runtime.catalog import Catalog
from segue.runtime.weights.completeness import UnusedWeightsWarning
from segue.segment import SEGMENTERS
from segue.trackers import TRACKERS
from segue.trackers.video_memory import MODEL_CLASSES
from tiny_qwen_vl import a_model, a_processor
from workers import one_worker_each

ODD_FAMILIES = ("internvl", "gemma3", "florence2")
"""Names that change while loading; windows of attention; an encoder with a decoder."""


def tiny_qwen_vl(folder: Path) -> Path:
    save(a_model(), a_processor(chat_format="chatml"), folder)
    return folder


CASES: dict[str, tuple[Catalog, str, Callable[[Path], Path]]] = {
    "qwen_vl": (CHATS, "qwen_vl", tiny_qwen_vl),
    "transformers": (CHATS, "transformers", tiny_chats.tiny_qwen2_5_vl),
    **{f: (CHATS, "transformers", tiny_chats.FAMILIES[f]) for f in ODD_FAMILIES},
    "grounding_dino": (DETECTORS, "grounding_dino", tiny_models.tiny_grounding_dino),
    "owlv2": (DETECTORS, "owlv2", tiny_models.tiny_owlv2),
    "omdet_turbo": (DETECTORS, "omdet_turbo", tiny_models.tiny_omdet_turbo),
    "sam3 as a detector": (DETECTORS, "sam3", tiny_models.tiny_sam3),
    "clipseg": (DETECTORS, "clipseg", tiny_models.tiny_clipseg),
    "sam": (SEGMENTERS, "sam", tiny_models.tiny_sam),
    "sam_hq": (SEGMENTERS, "sam_hq", tiny_models.tiny_sam_hq),
    "sam2": (SEGMENTERS, "sam2", tiny_models.tiny_sam2),
    "edgetam": (SEGMENTERS, "edgetam", tiny_models.tiny_edgetam),
    "sam3 as a segmenter": (SEGMENTERS, "sam3", tiny_models.tiny_sam3),
    **{
        kind: (TRACKERS, "video_memory", partial(tiny_models.tiny_video_model, kind=kind))
        for kind in MODEL_CLASSES
    },
}
WITHOUT_WEIGHTS = {"openai", "box_following"}
PARTS = {"sam3 as a detector": "detector_model.", "sam3 as a segmenter": "tracker_model."}
"""Where a folder holds more than one network: how the names of tensors of this one begin."""
UNUSED = ("position_ids", "num_batches_tracked", "relative_position_index", "swin.layernorm")
"""In the names of tensors that a network computes, or that are stored and not used."""


class Weights:
    """A folder whose tensors a test may change."""

    def __init__(self, case: str, folder: Path) -> None:
        self.catalog, self.backend, make = CASES[case]
        self.folder = make(folder)
        self.tensors = load_file(folder / "model.safetensors")
        part = PARTS.get(case, "")
        self.names = [
            name
            for name in self.tensors
            if name.startswith(part) and not any(text in name for text in UNUSED)
        ]

    def load(self, tensors: dict[str, torch.Tensor]) -> object:
        save_file(tensors, self.folder / "model.safetensors", {"format": "pt"})
        return self.catalog.load(self.backend, self.folder, device="cpu")

    def last_word(self, name: str) -> str:
        """The end of a name, which stays when a library renames what is before it."""
        return name.rpartition(".")[2]


@pytest.fixture(scope="module", params=one_worker_each("weights", CASES))
def weights(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    yield Weights(request.param, folder)
    shutil.rmtree(folder)


def test_every_backend_with_weights_is_here() -> None:
    for catalog in (CHATS, DETECTORS, SEGMENTERS, TRACKERS):
        backends = {name for name in catalog if not catalog[name].stand_in}
        tested = {name for of, name, _ in CASES.values() if of is catalog}
        assert backends - WITHOUT_WEIGHTS == tested


def test_whole_weights_are_loaded(weights) -> None:
    assert weights.load(weights.tensors) is not None


def test_a_missing_tensor_is_named(weights) -> None:
    for name in (weights.names[0], weights.names[len(weights.names) // 2], weights.names[-1]):
        rest = {key: value for key, value in weights.tensors.items() if key != name}
        with pytest.raises(ModelError, match=f"missing|lack .*{weights.last_word(name)}"):
            weights.load(rest)


def test_a_missing_part_is_named(weights) -> None:
    """Of each part one tensor, where the part begins: a head, an encoder, a projection."""
    parts = {name.split(".")[1 if name in PARTS else 0]: name for name in weights.names}
    for name in parts.values():
        rest = {key: value for key, value in weights.tensors.items() if key != name}
        with pytest.raises(ModelError):
            weights.load(rest)


def test_a_tensor_of_another_shape_is_named_with_both_shapes(weights) -> None:
    name = max((n for n in weights.names if weights.tensors[n].ndim == 2), key=len)
    changed = torch.cat([weights.tensors[name]] * 2)
    with pytest.raises(ModelError) as caught:
        weights.load({**weights.tensors, name: changed})
    assert weights.last_word(name) in str(caught.value)
    assert str(tuple(changed.shape)) in str(caught.value)
    assert str(tuple(weights.tensors[name].shape)) in str(caught.value)


def test_a_tensor_without_a_place_is_named(weights) -> None:
    name = max((n for n in weights.names if n.endswith(".weight")), key=len)
    extra = name.removesuffix("weight") + "further_weight"
    with pytest.raises(ModelError, match=r"further_weight"):
        weights.load({**weights.tensors, extra: weights.tensors[name].clone()})


def test_weights_of_more_layers_than_the_configuration_tells_of_are_refused(weights) -> None:
    name = next(n for n in weights.names if re.search(r"(layers?|h)\.\d+\.", n))
    further = re.sub(r"((?:layers?|h))\.\d+\.", r"\1.97.", name, count=1)
    with pytest.raises(ModelError, match=r"\.97\."):
        weights.load({**weights.tensors, further: weights.tensors[name].clone()})


def test_a_module_that_the_network_has_not_is_told(tmp_path) -> None:
    weights = Weights("sam", tmp_path)
    extra = {"mask_decoder.another_head.weight": torch.zeros(2)}
    with pytest.warns(UnusedWeightsWarning, match=r"SamModel does not use.*another_head"):
        assert weights.load({**weights.tensors, **extra}) is not None
