"""Several processes train one model as one process with larger batches would."""

import gc
import json
import multiprocessing
import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from segue.errors import InputError, SegueError
from segue.finetune.processes import (
    ProcessGroup,
    connected_processes,
    device_of_process,
    find_process_group,
)
from segue.finetune.train import finetune
from small_lessons import write_conversations


def in_two_processes(function: Callable[[int], None], folder: Path) -> list[str]:
    """Call a function in two forks that a launcher seems to have started; return their errors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(index: int) -> None:
        names = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
        os.environ.update({name: str(value) for name, value in names.items()})
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
        AcceleratorState._reset_state(reset_partial_state=True)  # of the process that forked
        gc.freeze()  # its objects need not be looked through
        try:
            function(index)
        except SegueError as error:
            (folder / f"error-{index}").write_text(f"{type(error).__name__}: {error}")
        os._exit(0)  # as the command line ends

    forks = [
        multiprocessing.get_context("fork").Process(target=run, args=(index,), daemon=True)
        for index in range(2)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forks of a process with threads
        for fork in forks:
            fork.start()
    for fork in forks:
        fork.join(100)
    assert [fork.exitcode for fork in forks] == [0, 0]
    files = [folder / f"error-{index}" for index in range(2)]
    return [file.read_text() if file.exists() else "" for file in files]


def test_two_processes_stopped_and_resumed_are_one_with_doubled_batches(a_recipe, tmp_path) -> None:
    data = write_conversations(tmp_path, 8)
    changes = {
        "data": str(data), "lora_dropout": 0.0, "max_steps": 2, "validation": str(data),
        "eval_steps": 2, "save_steps": 1, "eval_questions": 3, "eval_max_new_tokens": 2,
        "learning_rate": 1e-3,
    }  # fmt: skip
    alone = a_recipe(**changes, batch_size=4, output=str(tmp_path / "alone"))
    one = load_file(finetune(alone) / "adapter_model.safetensors")
    together = a_recipe(**changes, batch_size=1, gradient_accumulation_steps=2)
    (tmp_path / "told").mkdir()

    def stop_at_step_2(line) -> None:
        if line["step"] == 2:
            raise InputError("Enough.")

    def train(index: int) -> None:
        listener = (tmp_path / "told" / str(index)).touch
        finetune(together, listener=lambda line: (stop_at_step_2(line), listener()))

    stopped = in_two_processes(train, tmp_path)
    assert stopped[0] == "InputError: Enough."
    assert stopped[1].startswith("StoppedElsewhere: Another process of this run stopped")
    assert [p.name for p in (tmp_path / "told").iterdir()] == ["0"]
    for file in tmp_path.glob("error-*"):
        file.unlink()
    checkpoint = Path(together.output) / "checkpoints" / "checkpoint-1"
    complete = json.loads((checkpoint / "complete.json").read_text())["files"]
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= set(complete)

    with pytest.raises(InputError, match="cannot be resumed because this changed: processes: 2"):
        finetune(together)
    assert in_two_processes(lambda index: str(finetune(together)), tmp_path) == ["", ""]
    both = load_file(Path(together.output) / "adapter" / "adapter_model.safetensors")
    for name, value in one.items():
        assert torch.allclose(both[name], value, atol=2e-5), name
    logs = [
        [json.loads(line) for line in (Path(run.output) / "log.jsonl").read_text().splitlines()]
        for run in (alone, together)
    ]
    assert [line["step"] for line in logs[0]] == [line["step"] for line in logs[1]]
    for first, second in zip(*logs, strict=True):
        assert first.keys() == second.keys()
        for key in first.keys() & {"loss", "grad_norm"}:
            assert second[key] == pytest.approx(first[key], rel=1e-5)
        assert second.get("sample") == first.get("sample")
    assert json.loads((Path(together.output) / "run.json").read_text())["processes"] == 2


def test_values_are_shared_without_overlap_and_found_again_in_order() -> None:
    groups = [ProcessGroup(index, 3) for index in range(3)]
    shares = [group.share(range(8)) for group in groups]
    assert [list(share) for share in shares] == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert ProcessGroup().gather(ProcessGroup().share([1, 2])) == [1, 2]


def test_what_processes_cannot_do_together_is_refused(monkeypatch) -> None:
    assert find_process_group() == ProcessGroup()
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert find_process_group() == ProcessGroup(1, 2, 1)
    with pytest.raises(InputError, match=r"2 processes takes a GPU of its own, got .*'cuda:1'"):
        device_of_process("cuda:1", 2)
    with pytest.raises(InputError, match=r"more processes on this machine than GPUs \(1\)"):
        device_of_process("auto", 1)
    assert device_of_process("auto", 2) == "cuda:1"
    assert device_of_process("cpu", 1) == "cpu"
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with (
        pytest.raises(InputError, match="FSDP spreads one network over them"),
        connected_processes(torch.device("cpu")),
    ):
        pass
