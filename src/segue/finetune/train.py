"""One fine-tuning run: transformers' Trainer with our own examples, checkpoints and measures."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import Trainer, TrainerCallback, TrainingArguments

from segue.errors import InputError, ModelError, SegueError
from segue.finetune.adapt import adapt, counted, quantise
from segue.finetune.checkpoints import RunFolder, begin, finish, is_finished, is_last, seal, step_of
from segue.finetune.data import Conversations, Selection, digest, select
from segue.finetune.recipe import Recipe
from segue.finetune.trainable import TrainableModel
from segue.finetune.trainable_models import load_trainable
from segue.finetune.trial import figures, fixed_questions, try_out
from segue.runtime.device import Placement, pick

Watcher = Callable[[Mapping[str, Any]], None]
"""Is told of every line of the log; `step` and `of` are in all of them."""


def finetune(
    recipe: Recipe,
    *,
    fresh: bool = False,
    command: Sequence[str] = (),
    watch: Watcher | None = None,
    chosen: Callable[[str, Selection], None] | None = None,
) -> Path:
    """Fine-tune a chat model; a run that was stopped goes on from its last whole checkpoint.

    A run that came to its end is left as it is.

    Args:
        recipe: everything there is to say.
        fresh: begin anew even if there are checkpoints.
        command: what was typed, for `run.json`.
        watch: is told how it goes.
        chosen: is told of "train" and "validation" what can be learned from, before it begins.

    Returns:
        The folder of the adapter, or of the model with method "full".

    Raises:
        InputError: recipe, data and what is in the output folder do not fit together, or the
            folder cannot be written any more.
        ModelError: the base cannot be loaded, or memory does not suffice.
        MissingExtra: a package that the recipe needs is not installed.
    """
    folder = RunFolder(Path(recipe.output))
    pupil = load_trainable(recipe)
    if fresh:
        folder.forget()
    learn, check = _selections(recipe, pupil)
    if chosen is not None:
        chosen("train", learn)
        if check is not None:
            chosen("validation", check)
    begin(folder, recipe, _about(recipe, learn, check), command)
    if is_finished(folder, recipe):
        return folder.result(recipe)
    checkpoint = folder.last()
    with _in_words(folder):
        return _train(recipe, folder, pupil, learn, check, checkpoint, watch)


def _train(
    recipe: Recipe,
    folder: RunFolder,
    pupil: TrainableModel,
    learn: Selection,
    check: Selection | None,
    checkpoint: Path | None,
    watch: Watcher | None,
) -> Path:
    folder.rewind(step_of(checkpoint) if checkpoint else -1)
    folder.tidy(recipe.keep_checkpoints)
    network = prepare(recipe, pupil)
    trainer = _trainer(recipe, folder, pupil, network, learn, check, checkpoint is None)
    trainer.add_callback(_Log(folder, watch))
    if check is not None and recipe.eval_questions:
        trainer.add_callback(_Trial(recipe, folder, pupil, check, watch))
    trainer.add_callback(_Seal(folder, recipe.keep_checkpoints))
    try:
        ended = _trained(trainer, checkpoint)
    except UnpicklingError as error:
        raise ModelError(
            f"{checkpoint} holds more than numbers, which is refused because it can run code. "
            "Delete that folder to go on from the one before, or start anew with --fresh."
        ) from error
    learning, every = counted(network)
    target = _save(recipe, folder, pupil, trainer)
    finish(
        folder,
        **ended,
        trained_parameters=learning,
        parameters=every,
        device=str(trainer.args.device),
    )
    return target


@contextmanager
def _in_words(folder: RunFolder) -> Iterator[None]:
    """What goes wrong while it runs, for a person: a full disk, too little memory, a bad picture.

    Raises:
        InputError, ModelError: in place of what PyTorch and safetensors raise.
    """
    try:
        yield
    except InputError as error:  # from a process that reads pictures it comes with its traceback
        said = str(error)
        if "Original Traceback" not in said:
            raise
        raise InputError(said.rpartition("InputError: ")[2].strip()) from error
    except torch.OutOfMemoryError as error:
        raise ModelError(
            "The device has too little memory for this run. Lower batch_size, max_length or "
            "max_pixels, say method = 'qlora', or use a larger device; --preflight estimates it."
        ) from error
    except (OSError, SafetensorError, RuntimeError) as error:
        full = isinstance(error, OSError | SafetensorError) or "Writer failed" in str(error)
        if not full or isinstance(error, SegueError):
            raise
        reason = re.sub(r"^\[.*?\]\s*[.:]?\s*", "", " ".join(str(error).split()))[:200]
        raise InputError(
            f"The run in {folder.path} cannot be written any more: {reason}. Make room; the same "
            "command then goes on from the last checkpoint."
        ) from error


def prepare(recipe: Recipe, pupil: TrainableModel) -> Any:
    """The network, frozen and adapted as the recipe says, where it is to run."""
    torch.manual_seed(recipe.seed)
    place = placement(recipe)
    if recipe.method == "qlora":
        network = quantise(pupil.network(place.dtype, torch.device("cpu")), pupil, place.dtype)
        network = network.to(place.device)
    else:
        dtype = torch.float32 if recipe.method == "full" else place.dtype
        network = pupil.network(dtype, place.device)
    return adapt(network, pupil, recipe)


def placement(recipe: Recipe) -> Placement:
    """Device and number format of a recipe."""
    return pick(recipe.device, recipe.precision)


def _selections(recipe: Recipe, pupil: TrainableModel) -> tuple[Selection, Selection | None]:
    cut = recipe.too_long == "cut"
    learn = select(recipe.data, pupil, recipe.max_length, cut=cut)
    if recipe.validation is None:
        return learn, None
    return learn, select(recipe.validation, pupil, recipe.max_length, cut=cut)


def _about(recipe: Recipe, learn: Selection, check: Selection | None) -> dict[str, Any]:
    about = {"train": {"file": recipe.data, "sha256": digest(recipe.data), **learn.to_json()}}
    if check is not None and recipe.validation is not None:
        hashed = digest(recipe.validation)
        about["validation"] = {"file": recipe.validation, "sha256": hashed, **check.to_json()}
    return about


def _trainer(
    recipe: Recipe,
    folder: RunFolder,
    pupil: TrainableModel,
    network: Any,
    learn: Selection,
    check: Selection | None,
    first: bool,
) -> Trainer:
    transformers.utils.logging.set_verbosity_error()
    arguments = _arguments(recipe, folder, check is not None, first)
    trainer = Trainer(
        model=network,
        args=arguments,
        data_collator=pupil.collate,
        train_dataset=Conversations(learn.dialogues, pupil.example),
        eval_dataset=Conversations(check.dialogues, pupil.example) if check else None,
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    if recipe.gradient_checkpointing:
        network.enable_input_require_grads()
    return trainer


def _trained(trainer: Trainer, checkpoint: Path | None) -> dict[str, Any]:
    """Train from a checkpoint, or from the start, and say how it ended."""
    if checkpoint is not None and is_last(checkpoint):  # killed while it wrote its result
        trainer._load_from_checkpoint(str(checkpoint))
        return {"steps": step_of(checkpoint)}
    done = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return {"steps": done.global_step, "loss": done.training_loss}


def _arguments(recipe: Recipe, folder: RunFolder, checked: bool, first: bool) -> TrainingArguments:
    place = placement(recipe)
    if recipe.tensorboard:
        _need_tensorboard()
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
        bf16=place.dtype == torch.bfloat16,
        fp16=place.dtype == torch.float16,
        use_cpu=place.device.type == "cpu",
        activation_checkpointing=recipe.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False}
        if recipe.gradient_checkpointing
        else None,
        logging_steps=recipe.log_steps,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        eval_strategy="steps" if checked else "no",
        eval_steps=recipe.eval_steps,
        eval_on_start=checked and first,
        prediction_loss_only=True,
        label_names=["labels"],
        remove_unused_columns=False,
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=place.device.type == "cuda",
        seed=recipe.seed,
        report_to=["tensorboard"] if recipe.tensorboard else [],
        disable_tqdm=True,
    )
    if arguments.world_size > 1:
        raise InputError(
            f"A run uses one process on one device, got {arguments.world_size} processes. "
            "Start it without torchrun."
        )
    if arguments.n_gpu > 1:  # one process, one device: pictures cannot be dealt out with rows
        arguments._n_gpu = 1
    return arguments


def _need_tensorboard() -> None:
    from importlib.util import find_spec

    from segue.errors import MissingExtra

    if find_spec("tensorboard") is None and find_spec("tensorboardX") is None:
        raise MissingExtra(
            "tensorboard = true needs TensorBoard, which is not installed. "
            "Run: pip install tensorboard"
        )


def _save(recipe: Recipe, folder: RunFolder, pupil: TrainableModel, trainer: Trainer) -> Path:
    """Write what was learned beside an earlier result, then in its place."""
    from segue.finetune.merge import write_adapter, write_model

    target = folder.result(recipe)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    if recipe.method == "full":
        write_model(trainer.model, pupil.folder, part)
    else:
        write_adapter(trainer.model, recipe.base, part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return target


class _Log(TrainerCallback):
    """Writes what the Trainer reports into the log, and tells the watcher."""

    def __init__(self, folder: RunFolder, watch: Watcher | None) -> None:
        self.folder, self.watch = folder, watch

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        known = {"loss", "grad_norm", "learning_rate", "eval_loss"}
        found = {name: round(float(v), 8) for name, v in (logs or {}).items() if name in known}
        if not found:
            return
        line = {"step": state.global_step, "of": state.max_steps, **found}
        if found.get("loss") != found.get("loss"):
            raise InputError(
                f"The loss is no number any more at step {state.global_step}. Lower learning_rate, "
                "or use precision = 'bfloat16' in place of 'float16'."
            )
        self.folder.note(**line)
        if self.watch is not None:
            self.watch(line)


class _Trial(TrainerCallback):
    """Answers the fixed questions at every evaluation."""

    def __init__(
        self,
        recipe: Recipe,
        folder: RunFolder,
        pupil: TrainableModel,
        check: Selection,
        watch: Watcher | None,
    ) -> None:
        self.recipe, self.folder, self.pupil, self.watch = recipe, folder, pupil, watch
        self.questions = fixed_questions(check.dialogues, recipe.eval_questions)

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        plain = model.get_base_model() if hasattr(model, "get_base_model") else model
        was_training = model.training
        with self.pupil.chat(plain) as chat:
            report, answered = try_out(chat, self.questions, self.recipe.eval_max_new_tokens)
        model.train(was_training)
        sample = [{"asked": p.question.text, "said": p.raw} for p in answered[:4]]
        line = {"step": state.global_step, "of": state.max_steps, **figures(report)}
        self.folder.note(**line, sample=sample)
        if self.watch is not None:
            self.watch({**line, "sample": sample})


class _Seal(TrainerCallback):
    """Declares each checkpoint whole, and deletes old ones."""

    def __init__(self, folder: RunFolder, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        seal(self.folder.checkpoints / f"checkpoint-{state.global_step}")
        self.folder.tidy(self.keep)
