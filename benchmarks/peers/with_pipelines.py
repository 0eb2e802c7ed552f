"""transformers' side: the pipeline that finds by phrase, and SAM, as its documentation has them."""

from typing import Any

from benchmarks.peers.task import Task, measure


class WithPipelines:
    """Both models, and the two calls."""

    def __init__(self, task: Task) -> None:
        """Load the models."""
        from transformers import SamModel, SamProcessor, pipeline

        self.threshold = task.threshold
        self.detector = pipeline("zero-shot-object-detection", model=task.detector)
        self.segmenter = SamModel.from_pretrained(task.segmenter)
        self.processor = SamProcessor.from_pretrained(task.segmenter)

    def find(self, file: str, phrase: str) -> int:
        """Make a mask for each thing that the phrase names; give their number."""
        from PIL import Image

        image = Image.open(file).convert("RGB")
        found = self.detector(image, candidate_labels=[f"{phrase}."], threshold=self.threshold)
        if not found:
            return 0
        boxes = [[one["box"][side] for side in ("xmin", "ymin", "xmax", "ymax")] for one in found]
        return len(self.masks(image, input_boxes=[boxes]))

    def click(self, file: str, x: int, y: int) -> None:
        """Make the mask of what lies at a pixel."""
        from PIL import Image

        self.masks(Image.open(file).convert("RGB"), input_points=[[[x, y]]])

    def masks(self, image: Any, **prompts: Any) -> Any:
        """Ask SAM."""
        import torch

        inputs = self.processor(image, return_tensors="pt", **prompts)
        with torch.no_grad():
            outputs = self.segmenter(**inputs)
        return self.processor.image_processor.post_process_masks(
            outputs.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"]
        )[0]


if __name__ == "__main__":
    steps = (WithPipelines.__init__, WithPipelines.find, WithPipelines.click, WithPipelines.masks)
    measure(WithPipelines, steps)
