"""A Trainer in which every learned token of a step weighs alike."""

from typing import Any

from torch import Tensor
from transformers import Trainer

from segue.finetune.transformers import IGNORED


class TokenMeanTrainer(Trainer):
    """Divides by the learned tokens of a whole step, over all its batches and processes.

    Many image-text-to-text classes of transformers return the mean over one batch whatever the
    step consists of (`accepts_loss_kwargs = False`). Averaging those would let tokens of short
    answers weigh more the smaller the batches are.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.model_accepts_loss_kwargs = True  # so that the tokens of a step are counted

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        """Return this batch's part of the loss of a step; see `Trainer.compute_loss`."""
        outputs = model(**inputs)
        loss = outputs.loss
        if num_items_in_batch is not None:
            labels = inputs["labels"]
            n_learned = (labels[..., 1:] if self._loss_shifts_labels else labels).ne(IGNORED).sum()
            # Gradients are averaged over the processes.
            loss = loss * (n_learned / num_items_in_batch * self.accelerator.num_processes)
        return (loss, outputs) if return_outputs else loss
