"""Sixteen boxes in one call of the segmenter, against sixteen calls."""

from benchmarks.timing import compare
from segue.assistant.loading import load_stage
from segue.embedded.samples import samples
from segue.values.box import Box


def main() -> None:
    """Print the ratio."""
    image = samples()[0].image
    view = load_stage("segment", "embedded-segmenter").look(image)
    across, down = image.size.width / 5, image.size.height / 5
    boxes = [
        Box(x * across, y * down, (x + 1.5) * across, (y + 1.5) * down)
        for y in range(4)
        for x in range(4)
    ]
    print(
        compare(
            "16 boxes of one picture",
            ("one call", lambda: view.mask(boxes=boxes)),
            ("16 calls", lambda: [view.mask(boxes=[box]) for box in boxes]),
        )
    )
