"""Callbacks of the Trainer: the log, the evaluation questions, and complete checkpoints."""

from collections.abc import Callable, Mapping
from typing import Any

from transformers import TrainerCallback

from segue.errors import InputError
from segue.finetune.checkpoints import FinetuneRunFolder, mark_complete
from segue.finetune.data import Selection
from segue.finetune.eval_questions import answer_questions, headline_scores, select_questions
from segue.finetune.recipe import Recipe
from segue.finetune.trainable import TrainableModel

ProgressListener = Callable[[Mapping[str, Any]], None]
"""Gets every line of the log; `step` and `of` are in all of them."""

_LOGGED_KEYS = ("loss", "grad_norm", "learning_rate", "eval_loss")
_SAMPLE_SIZE = 4
"""Replies that the log holds word for word at each evaluation."""


class LogCallback(TrainerCallback):
    """Writes what the Trainer reports into the log, and passes it to the listener."""

    def __init__(self, folder: FinetuneRunFolder, listener: ProgressListener | None) -> None:
        self.folder, self.listener = folder, listener

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        logged_values = {
            key: round(float(value), 8)
            for key, value in (logs or {}).items()
            if key in _LOGGED_KEYS
        }
        if not logged_values:
            return
        log_line = {"step": state.global_step, "of": state.max_steps, **logged_values}
        if logged_values.get("loss") != logged_values.get("loss"):
            raise InputError(
                f"The loss became NaN at step {state.global_step}. Lower learning_rate, "
                "or use precision = 'bfloat16' in place of 'float16'."
            )
        self.folder.append_log(**log_line)
        if self.listener is not None:
            self.listener(log_line)


class EvaluationCallback(TrainerCallback):
    """Answers a fixed set of questions at every evaluation."""

    def __init__(
        self,
        recipe: Recipe,
        folder: FinetuneRunFolder,
        model: TrainableModel,
        validation_data: Selection,
        listener: ProgressListener | None,
    ) -> None:
        self.recipe, self.folder, self.model, self.listener = recipe, folder, model, listener
        self.questions = select_questions(validation_data.dialogues, recipe.eval_questions)

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        base_network = model.get_base_model() if hasattr(model, "get_base_model") else model
        was_training = model.training
        with self.model.chat(base_network) as chat:
            report, predictions = answer_questions(
                chat, self.questions, self.recipe.eval_max_new_tokens
            )
        model.train(was_training)
        sample = [
            {"question": prediction.question.text, "reply": prediction.raw}
            for prediction in predictions[:_SAMPLE_SIZE]
        ]
        log_line = {"step": state.global_step, "of": state.max_steps, **headline_scores(report)}
        self.folder.append_log(**log_line, sample=sample)
        if self.listener is not None:
            self.listener({**log_line, "sample": sample})


class CheckpointCallback(TrainerCallback):
    """Marks each checkpoint as complete, and deletes old ones."""

    def __init__(self, folder: FinetuneRunFolder, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        mark_complete(self.folder.checkpoints / f"checkpoint-{state.global_step}")
        self.folder.prune_checkpoints(self.keep)
