"""autodistill's side: its Grounded SAM, the original programs of Grounding DINO and SAM ViT-H.

It looks for its weights under the home folder, and nowhere else: `write_weights` puts random ones
there, and whoever runs this gives the process a home folder of its own.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.task import Task, measure


class WithAutodistill:
    """The library as its documentation shows it; a click goes to its SAM."""

    def __init__(self, task: Task) -> None:
        """Load the models."""
        from autodistill.detection import CaptionOntology
        from autodistill_grounded_sam import GroundedSAM

        self.model = GroundedSAM(CaptionOntology({"dog": "dog"}))
        _leave_boxes(self.model, task)

    def find(self, file: str, phrase: str) -> int:
        """Make a mask for each thing that the phrase names; give their number."""
        from autodistill.detection import CaptionOntology

        self.model.ontology = CaptionOntology({phrase: phrase})
        return len(self.model.predict(file))

    def click(self, file: str, x: int, y: int) -> None:
        """Make the mask of what lies at a pixel."""
        import cv2
        import numpy as np

        self.model.sam_predictor.set_image(cv2.imread(file))
        self.model.sam_predictor.predict(np.array([[x, y]]), np.array([1]), multimask_output=False)


def _leave_boxes(model: Any, task: Task) -> None:
    """Set the threshold so that the random detector finds about as many things as the others."""
    import cv2

    file, phrase, _ = task.questions[0]
    found = model.grounding_dino_model.predict_with_classes(
        image=cv2.imread(file), classes=[phrase], box_threshold=0.0, text_threshold=0.0
    )
    model.box_threshold = float(sorted(found.confidence)[-task.n_boxes - 1])
    model.text_threshold = 0.0


def write_weights(home: Path, words: Path) -> None:
    """Write random weights where the library looks for them.

    Args:
        home: the home folder that it will be given.
        words: a folder with BERT's `vocab.txt`.
    """
    import groundingdino
    import torch
    from groundingdino.models import build_model
    from groundingdino.util.slconfig import SLConfig
    from segment_anything import sam_model_registry
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(0)
    bert = home / "bert"
    BertModel(BertConfig()).save_pretrained(bert)
    BertTokenizer(str(words / "vocab.txt")).save_pretrained(bert)
    cache = home / ".cache" / "autodistill"
    folder = cache / "groundingdino"
    folder.mkdir(parents=True)
    package = Path(groundingdino.__file__).parent
    config = (package / "config" / "GroundingDINO_SwinT_OGC.py").read_text("utf-8")
    file = folder / "GroundingDINO_SwinT_OGC.py"
    file.write_text(config.replace("bert-base-uncased", str(bert)), "utf-8")
    settings = SLConfig.fromfile(str(file))
    settings.device = "cpu"
    torch.save(
        {"model": build_model(settings).state_dict()}, folder / "groundingdino_swint_ogc.pth"
    )
    (cache / "segment_anything").mkdir()
    segmenter = sam_model_registry["vit_h"]().state_dict()
    torch.save(segmenter, cache / "segment_anything" / "sam_vit_h_4b8939.pth")


if __name__ == "__main__":
    if sys.argv[1] == "weights":
        write_weights(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        steps = (WithAutodistill.__init__, WithAutodistill.find, WithAutodistill.click)
        measure(WithAutodistill, steps)
