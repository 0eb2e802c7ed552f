"""Callbacks of the Trainer: the log, the evaluation questions, and complete checkpoints."""

from collections.abc import Callable, Mapping
from typing import Any

from transformers import TrainerCallback

from segue.errors import InputError
from segue.evaluate.tags import score_tags
from segue.finetune.checkpoints import FinetuneRunFolder, mark_complete
from segue.finetune.data import Selection
from segue.finetune.eval_questions import answer_questions, headline_scores, select_questions
from segue.finetune.processes import ProcessGroup
from segue.finetune.recipe import Recipe
from segue.finetune.trainable import TrainableModel

ProgressListener = Callable[[Mapping[str, Any]], None]
"""Gets every line of the log; `step` and `of` are in all of them."""

_LOGGED_KEYS = ("loss", "grad_norm", "learning_rate", "eval_loss")
_SAMPLE_SIZE = 4
"""Replies that the log holds word for word at each evaluation."""


class RunLog:
    """The log of a run and its listener; of several processes, the main one writes."""

    def __init__(
        self,
        folder: FinetuneRunFolder,
        listener: ProgressListener | None,
        processes: ProcessGroup,
    ) -> None:
        self.folder, self.listener, self.processes = folder, listener, processes

    def append(self, state: Any, fields: Mapping[str, Any]) -> None:
        """Append one line about the step that the Trainer is at, and tell the listener."""
        if not self.processes.is_main:
            return
        log_line = {"step": state.global_step, "of": state.max_steps, **fields}
        self.folder.append_log(**log_line)
        if self.listener is not None:
            self.listener(log_line)


class LogCallback(TrainerCallback):
    """Writes what the Trainer reports into the log."""

    def __init__(self, log: RunLog) -> None:
        self.log = log

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        logged_values = {
            key: round(float(value), 8)
            for key, value in (logs or {}).items()
            if key in _LOGGED_KEYS
        }
        if not logged_values:
            return
        if logged_values.get("loss") != logged_values.get("loss"):
            raise InputError(
                f"The loss became NaN at step {state.global_step}. Lower learning_rate, "
                "or use precision = 'bfloat16' in place of 'float16'."
            )
        self.log.append(state, logged_values)


class EvaluationCallback(TrainerCallback):
    """Answers a fixed set of questions at every evaluation; each process answers its share."""

    def __init__(
        self, recipe: Recipe, log: RunLog, model: TrainableModel, validation_data: Selection
    ) -> None:
        self.recipe, self.log, self.model = recipe, log, model
        self.questions = select_questions(validation_data.dialogues, recipe.eval_questions)

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        base_network = model.get_base_model() if hasattr(model, "get_base_model") else model
        was_training = model.training
        processes = self.log.processes
        with self.model.chat(base_network) as chat:
            own_predictions = answer_questions(
                chat, processes.share(self.questions), self.recipe.eval_max_new_tokens
            )
            predictions = processes.gather(own_predictions)
            report = score_tags(predictions, dialect=chat.dialect, has_detector=False)
        model.train(was_training)
        sample = [
            {"question": prediction.question.text, "reply": prediction.raw}
            for prediction in predictions[:_SAMPLE_SIZE]
        ]
        self.log.append(state, {**headline_scores(report), "sample": sample})


class CheckpointCallback(TrainerCallback):
    """Marks each checkpoint as complete once all processes have written, and deletes old ones."""

    def __init__(self, folder: FinetuneRunFolder, keep: int, processes: ProcessGroup) -> None:
        self.folder, self.keep, self.processes = folder, keep, processes

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.processes.wait()
        if self.processes.is_main:
            mark_complete(self.folder.checkpoints / f"checkpoint-{state.global_step}")
            self.folder.prune_checkpoints(self.keep)
