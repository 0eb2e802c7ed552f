"""One fine-tuning run: transformers' Trainer with our own examples, checkpoints and metrics."""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from segue.errors import InputError, ModelError, SegueError
from segue.finetune.adapt import adapt, count_parameters, quantise_network
from segue.finetune.callbacks import (
    CheckpointCallback,
    EvaluationCallback,
    LogCallback,
    ProgressListener,
    RunLog,
)
from segue.finetune.checkpoints import (
    FinetuneRunFolder,
    is_final_checkpoint,
    is_finished,
    record_results,
    start_or_resume,
    step_of,
)
from segue.finetune.data import (
    DialogueDataset,
    PackedDataset,
    Selection,
    file_sha256,
    select_dialogues,
)
from segue.finetune.packing import pack
from segue.finetune.processes import (
    ProcessGroup,
    StoppedElsewhere,
    connected_processes,
    device_of_process,
    is_lost_connection,
)
from segue.finetune.recipe import Recipe
from segue.finetune.token_mean import TokenMeanTrainer
from segue.finetune.trainable import TrainableModel
from segue.finetune.trainable_models import load_trainable_model
from segue.runtime.device import Placement, pick


def finetune(
    recipe: Recipe,
    *,
    fresh: bool = False,
    command: Sequence[str] = (),
    listener: ProgressListener | None = None,
    on_selection: Callable[[str, Selection], None] | None = None,
) -> Path:
    """Fine-tune a chat model, resuming an interrupted run from its latest complete checkpoint.

    A finished run is left as it is. Where a launcher has started several processes (`torchrun`,
    `accelerate launch`), each calls this, and they train one model together: a step learns from a
    batch of each of them.

    Args:
        recipe: all settings of the run.
        fresh: start over even if there are checkpoints.
        command: the command line, for `run.json`.
        listener: gets every line of the log; of several processes, in the main one.
        on_selection: gets the usable dialogues of "train" and "validation" before training starts;
            of several processes, in the main one.

    Returns:
        The folder of the adapter, or of the model with method "full".

    Raises:
        InputError: recipe, data and the contents of the output folder do not match, or the
            folder can no longer be written.
        ModelError: the base cannot be loaded, or memory does not suffice.
        MissingExtra: a package that the recipe needs is not installed.
        StoppedElsewhere: another of several processes stopped.
    """
    folder = FinetuneRunFolder(Path(recipe.output))
    with connected_processes(placement(recipe).device) as processes:
        model = load_trainable_model(recipe)

        def prepare() -> _PreparedRun:
            if fresh:
                folder.clear()
            training_data, validation_data = _select_data(recipe, model)
            if on_selection is not None:
                on_selection("train", training_data)
                if validation_data is not None:
                    on_selection("validation", validation_data)
            data_summary = _describe_data(recipe, training_data, validation_data)
            start_or_resume(folder, recipe, data_summary, command, processes.count)
            is_done = is_finished(folder, recipe)
            return _PreparedRun(training_data, validation_data, folder.latest_checkpoint(), is_done)

        run = processes.from_main(prepare)
        if run.is_finished:
            return folder.result_folder(recipe)
        with _explaining_errors(folder):
            return _train(recipe, folder, model, run, listener, processes)


@dataclass(frozen=True, slots=True)
class _PreparedRun:
    """What the main process found out for all of them."""

    training_data: Selection
    validation_data: Selection | None
    checkpoint: Path | None
    is_finished: bool


def _train(
    recipe: Recipe,
    folder: FinetuneRunFolder,
    model: TrainableModel,
    run: _PreparedRun,
    listener: ProgressListener | None,
    processes: ProcessGroup,
) -> Path:
    validation_data, checkpoint = run.validation_data, run.checkpoint
    if processes.is_main:
        folder.truncate_log(step_of(checkpoint) if checkpoint else -1)
        folder.prune_checkpoints(recipe.keep_checkpoints)
    network = prepare_network(recipe, model)
    trainer = _build_trainer(
        recipe, folder, model, network, run.training_data, validation_data, checkpoint is None
    )
    log = RunLog(folder, listener, processes)
    trainer.add_callback(LogCallback(log))
    if validation_data is not None and recipe.eval_questions:
        trainer.add_callback(EvaluationCallback(recipe, log, model, validation_data))
    trainer.add_callback(CheckpointCallback(folder, recipe.keep_checkpoints, processes))
    try:
        outcome = _run_training(trainer, checkpoint)
    except UnpicklingError as error:
        raise ModelError(
            f"{checkpoint} holds more than numbers, which is refused because it can run code. "
            "Delete that folder to resume from the previous one, or start over with --fresh."
        ) from error
    trained_parameters, all_parameters = count_parameters(network)
    if processes.is_main:
        _save_result(recipe, folder, model, trainer)
        record_results(
            folder,
            **outcome,
            trained_parameters=trained_parameters,
            parameters=all_parameters,
            device=str(trainer.args.device),
            processes=processes.count,
        )
    processes.wait()
    return folder.result_folder(recipe)


@contextmanager
def _explaining_errors(folder: FinetuneRunFolder) -> Iterator[None]:
    """Turn failures of a run into messages for the user: disk full, out of memory, damaged picture.

    Raises:
        InputError, ModelError: in place of what PyTorch and safetensors raise.
    """
    try:
        yield
    except InputError as error:  # a data loader process adds its traceback
        message = str(error)
        if "Original Traceback" not in message:
            raise
        raise InputError(message.rpartition("InputError: ")[2].strip()) from error
    except torch.OutOfMemoryError as error:
        raise ModelError(
            "The device ran out of memory. Lower batch_size, max_length or "
            "max_pixels, set method = 'qlora', or use a larger device; --preflight estimates it."
        ) from error
    except (OSError, SafetensorError, RuntimeError) as error:
        if is_lost_connection(error):
            raise StoppedElsewhere(
                "Another process of this run stopped; its message says why. The same command "
                "resumes from the latest checkpoint."
            ) from error
        is_write_error = isinstance(error, OSError | SafetensorError) or "Writer failed" in str(
            error
        )
        if not is_write_error or isinstance(error, SegueError):
            raise
        reason = re.sub(r"^\[.*?\]\s*[.:]?\s*", "", " ".join(str(error).split()))[:200]
        raise InputError(
            f"The run in {folder.path} can no longer be written: {reason}. Free some space; the "
            "same command then resumes from the latest checkpoint."
        ) from error


def prepare_network(recipe: Recipe, model: TrainableModel) -> Any:
    """Return the network, frozen and adapted by the recipe, on the device that trains it."""
    torch.manual_seed(recipe.seed)
    device_placement = placement(recipe)
    if recipe.method == "qlora":
        network = quantise_network(
            model.network(device_placement.dtype, torch.device("cpu")),
            model,
            device_placement.dtype,
        )
        network = network.to(device_placement.device)
    else:
        dtype = torch.float32 if recipe.method == "full" else device_placement.dtype
        network = model.network(dtype, device_placement.device)
    return adapt(network, model, recipe)


def placement(recipe: Recipe) -> Placement:
    """Return the device of this process, and the number format of a recipe."""
    device = device_of_process(recipe.device, torch.cuda.device_count())
    return pick(device, recipe.precision)


def _select_data(recipe: Recipe, model: TrainableModel) -> tuple[Selection, Selection | None]:
    truncate = recipe.too_long == "cut"
    training_data = select_dialogues(recipe.data, model, recipe.max_length, truncate=truncate)
    if recipe.validation is None:
        return training_data, None
    return training_data, select_dialogues(
        recipe.validation, model, recipe.max_length, truncate=truncate
    )


def _describe_data(
    recipe: Recipe, training_data: Selection, validation_data: Selection | None
) -> dict[str, Any]:
    summary = {
        "train": {
            "file": recipe.data,
            "sha256": file_sha256(recipe.data),
            **training_data.to_json(),
        }
    }
    if validation_data is not None and recipe.validation is not None:
        sha256 = file_sha256(recipe.validation)
        summary["validation"] = {
            "file": recipe.validation,
            "sha256": sha256,
            **validation_data.to_json(),
        }
    return summary


def _build_trainer(
    recipe: Recipe,
    folder: FinetuneRunFolder,
    model: TrainableModel,
    network: Any,
    training_data: Selection,
    validation_data: Selection | None,
    is_first_run: bool,
) -> Trainer:
    transformers.utils.logging.set_verbosity_error()
    training_arguments = _training_arguments(
        recipe, folder, validation_data is not None, is_first_run
    )
    examples = DialogueDataset(training_data.dialogues, model.example)
    train_dataset: Dataset[Any] = examples
    if recipe.packing:
        rows = pack(training_data.lengths, recipe.max_length, recipe.seed)
        train_dataset = PackedDataset(examples, rows)
    trainer = TokenMeanTrainer(
        model=network,
        args=training_arguments,
        data_collator=lambda examples: (
            model.collate_packed(examples)
            if isinstance(examples[0], list)
            else model.collate(examples)
        ),
        train_dataset=train_dataset,
        eval_dataset=DialogueDataset(validation_data.dialogues, model.example)
        if validation_data
        else None,
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    if recipe.gradient_checkpointing:
        network.enable_input_require_grads()
    return trainer


def _run_training(trainer: Trainer, checkpoint: Path | None) -> dict[str, Any]:
    """Train from a checkpoint or from the start, and return how it ended."""
    if checkpoint is not None and is_final_checkpoint(
        checkpoint
    ):  # killed while writing its result
        trainer._load_from_checkpoint(str(checkpoint))
        return {"steps": step_of(checkpoint)}
    train_output = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return {"steps": train_output.global_step, "loss": train_output.training_loss}


def _training_arguments(
    recipe: Recipe, folder: FinetuneRunFolder, has_validation: bool, is_first_run: bool
) -> TrainingArguments:
    device_placement = placement(recipe)
    if recipe.tensorboard:
        _require_tensorboard()
    arguments = TrainingArguments(
        output_dir=str(folder.checkpoints),
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation_steps,
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps or -1,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_beta1,
        adam_beta2=recipe.adam_beta2,
        max_grad_norm=recipe.max_grad_norm,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup,
        optim="adamw_torch",
        bf16=device_placement.dtype == torch.bfloat16,
        fp16=device_placement.dtype == torch.float16,
        use_cpu=device_placement.device.type == "cpu",
        activation_checkpointing=recipe.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False}
        if recipe.gradient_checkpointing
        else None,
        logging_steps=recipe.log_steps,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        eval_strategy="steps" if has_validation else "no",
        eval_steps=recipe.eval_steps,
        eval_on_start=has_validation and is_first_run,
        prediction_loss_only=True,
        label_names=["labels"],
        remove_unused_columns=False,
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=device_placement.device.type == "cuda",
        seed=recipe.seed,
        report_to=["tensorboard"] if recipe.tensorboard else [],
        disable_tqdm=True,
        # A batch without pictures leaves a vision side without gradients in its process.
        ddp_find_unused_parameters=recipe.train_vision != "none",
    )
    if arguments.n_gpu > 1:  # one device a process: pictures cannot be split along with rows
        arguments._n_gpu = 1
    if device_placement.dtype == torch.float32:
        arguments.mixed_precision = "no"  # whatever a launcher is set to
    return arguments


def _require_tensorboard() -> None:
    from importlib.util import find_spec

    from segue.errors import MissingExtra

    if find_spec("tensorboard") is None and find_spec("tensorboardX") is None:
        raise MissingExtra(
            "tensorboard = true needs TensorBoard, which is not installed. "
            "Run: pip install tensorboard"
        )


def _save_result(
    recipe: Recipe, folder: FinetuneRunFolder, model: TrainableModel, trainer: Trainer
) -> None:
    """Write the result beside an earlier one, then replace that."""
    from segue.finetune.merge import write_adapter, write_model

    target = folder.result_folder(recipe)
    partial_folder = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial_folder, ignore_errors=True)
    if recipe.method == "full":
        write_model(trainer.model, model.folder, partial_folder)
    else:
        write_adapter(trainer.model, recipe.base, partial_folder)
    shutil.rmtree(target, ignore_errors=True)
    partial_folder.rename(target)
