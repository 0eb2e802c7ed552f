"""Image encoders that OpenVINO runs."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from segue.assistant.loading import load_stage
from segue.errors import InputError, MissingExtra
from segue.runtime.device import pick
from segue.runtime.engines import (
    FILE,
    EngineWarning,
    check_engine,
    compile_encoder,
    convert_encoder,
)
from segue.segment import edgetam, sam, sam2, sam_hq
from segue.values.box import Box
from segue.values.image import Image
from tiny_models import tiny_edgetam, tiny_sam, tiny_sam2, tiny_sam_hq

EXAMPLE = torch.zeros(1, 3, 8, 8)
CPU = pick("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


def encoder(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 2), nn.ReLU()).eval().requires_grad_(False)


def test_an_engine_that_there_is_not_is_refused():
    with pytest.raises(InputError, match="torch, compile, openvino, got 'onnx'"):
        check_engine("onnx", CPU)


def test_without_openvino_the_way_to_install_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtra, match=r"pip install 'segue\[openvino\]'"):
        check_engine("openvino", CPU)


def test_a_network_is_converted_once_and_gives_the_same_numbers(cache, capsys):
    pytest.importorskip("openvino")
    pixels = torch.randn(3, 3, 8, 8)
    first = convert_encoder(encoder(), EXAMPLE, CPU, "tiny")
    assert "once" in capsys.readouterr().err
    (file,) = cache.glob(f"*/{FILE}")
    before = file.stat().st_mtime_ns
    again = convert_encoder(encoder(), EXAMPLE, CPU, "tiny")
    assert capsys.readouterr().err == ""
    assert file.stat().st_mtime_ns == before
    expected = encoder()(pixels)
    for encode in (first, again):
        (maps,) = encode(pixels)
        assert torch.allclose(maps, expected, atol=1e-5)
    convert_encoder(encoder(seed=1), EXAMPLE, CPU, "other")
    assert len(list(cache.glob(f"*/{FILE}"))) == 2


def test_a_damaged_conversion_is_made_anew(cache):
    pytest.importorskip("openvino")
    convert_encoder(encoder(), EXAMPLE, CPU, "tiny")
    (file,) = cache.glob(f"*/{FILE}")
    file.write_text("no model")
    (maps,) = convert_encoder(encoder(), EXAMPLE, CPU, "tiny")(EXAMPLE)
    assert torch.allclose(maps, encoder()(EXAMPLE), atol=1e-5)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [file.parent.name]


def test_who_needs_a_conversion_that_is_being_made_waits_for_it(cache, capsys):
    pytest.importorskip("openvino")
    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(convert_encoder, encoder(), EXAMPLE, CPU, "tiny") for _ in range(2)]
    assert capsys.readouterr().err.count("Converting") == 1
    for result in results:
        assert torch.allclose(result.result()(EXAMPLE)[0], encoder()(EXAMPLE), atol=1e-5)


class Unconvertible(nn.Module):
    """Has an operation that no engine knows."""

    def forward(self, pixels):
        return torch.special.bessel_j0(pixels)


def test_what_cannot_be_converted_stays_in_pytorch():
    pytest.importorskip("openvino")
    with pytest.warns(EngineWarning, match="OpenVINO cannot run the image encoder of odd"):
        encode = convert_encoder(Unconvertible(), EXAMPLE, CPU, "odd")
    assert torch.equal(encode(EXAMPLE)[0], torch.special.bessel_j0(EXAMPLE))


def test_a_compiled_network_is_warmed_up_and_gives_the_same_numbers(capsys):
    compiled = []

    def backend(graph, _examples):
        compiled.append(graph)
        return graph.forward

    encode = compile_encoder(encoder(), EXAMPLE, CPU, "tiny", backend)
    assert len(compiled) == 1
    assert "Compiling the image encoder of tiny.\nCompiled in" in capsys.readouterr().err
    pixels = torch.randn(1, 3, 8, 8)
    with torch.inference_mode():
        (maps,) = encode(pixels)
    assert len(compiled) == 1
    assert torch.allclose(maps, encoder()(pixels), atol=1e-6)


def test_what_cannot_be_compiled_runs_as_it_is():
    def backend(_graph, _examples):
        raise RuntimeError("no compiler here\nat line 7")

    with pytest.warns(EngineWarning, match="which runs uncompiled: .*no compiler here$"):
        encode = compile_encoder(encoder(), EXAMPLE, CPU, "tiny", backend)
    assert torch.equal(encode(EXAMPLE)[0], encoder()(EXAMPLE))


@pytest.mark.parametrize(
    ("module", "tiny"),
    [(sam, tiny_sam), (sam_hq, tiny_sam_hq), (sam2, tiny_sam2), (edgetam, tiny_edgetam)],
)
def test_masks_of_both_engines_agree(module, tiny, tmp_path):
    pytest.importorskip("openvino")
    folder = tiny(tmp_path / "weights")
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    boxes = [Box(3, 4, 40, 30), Box(20, 10, 60, 44)]
    masks = [
        module.load(folder, device="cpu", engine=engine).look(Image(pixels)).mask(boxes)
        for engine in ("torch", "openvino")
    ]
    for mask, other in zip(*masks):
        assert mask.iou(other) > 0.99
        assert mask.score == pytest.approx(other.score, abs=1e-3)


def test_the_engine_stands_behind_the_name_of_the_model(tmp_path):
    pytest.importorskip("openvino")
    folder = tiny_sam(tmp_path / "weights")
    segmenter = load_stage("segment", f"sam:{folder}?engine=openvino", device="cpu")
    image = Image(np.zeros((48, 64, 3), np.uint8))
    assert segmenter.look(image).mask([Box(3, 4, 40, 30)])[0].size == image.size


SIGNAL_AFTER_AN_ENGINE = """
import faulthandler, signal, threading, torch
from segue.runtime.device import pick
from segue.runtime.engines import convert_encoder

faulthandler.enable()
signal.signal(signal.SIGINT, lambda *_: print("heard", flush=True))
network = torch.nn.Conv2d(3, 4, 2).eval().requires_grad_(False)
engines = [convert_encoder(network, torch.zeros(1, 3, 8, 8), pick('cpu'), "tiny")]
engines[0](torch.zeros(1, 3, 8, 8))
other = threading.Thread(target=engines.clear)
other.start()
other.join()
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_is_heard_after_another_thread_let_an_engine_go():
    """OpenVINO lends the thread that first compiles a stack for its signal handlers."""
    pytest.importorskip("openvino")
    program = [sys.executable, "-W", "ignore", "-c", SIGNAL_AFTER_AN_ENGINE]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr[-2000:]
