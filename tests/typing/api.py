"""A user's script over the public API. It is checked by mypy and pyright, not run."""

from pathlib import Path

import numpy as np
import PIL.Image

import segue
from segue import (
    Done,
    MarkupBroken,
    MaskReady,
    NotFound,
    Notice,
    RegionFound,
    TextAdded,
    ThoughtEnded,
)

assistant: segue.Assistant = segue.load(
    "embedded", chat=None, detect=Path("weights"), device="cpu", route="auto", memory="1GiB"
)
conversation: segue.Conversation = assistant.open("a.png", Path("b.png"), np.zeros((4, 4, 3)))
conversation.add_images(b"", PIL.Image.new("RGB", (4, 4)), segue.Image.open("c.png"))

answer: segue.Answer = conversation.ask(
    "where is the dog?", segue.Sampling(temperature=0, seed=1), ground=True, route="box"
)
overlay: PIL.Image.Image = answer.draw()
overlay.save("overlay.png")
text: str = answer.text
document: dict[str, object] = answer.to_json()


def describe(event: segue.Event) -> str:
    """Every event of the stream has a case: without one, mypy finds a missing return."""
    match event:
        case TextAdded(text):
            return text
        case RegionFound(region) | MaskReady(region):
            return f"{region.phrase} {region.box.corners} {region.score}"
        case NotFound(phrase, reason=reason):
            return f"{phrase}: {reason}"
        case MarkupBroken(text) | Notice(text):
            return text
        case ThoughtEnded(characters):
            return str(characters)
        case Done(answer):
            return answer.text


for event in conversation.stream("and the cat?"):
    print(describe(event))

box = segue.Box(1, 2, 3, 4)
corners: tuple[float, float, float, float] = box.clipped(segue.Size(height=3, width=3)).corners
regions: tuple[segue.Region, ...] = assistant.segment("a.png", ["dog", "cat"])
regions += assistant.segment("a.png", boxes=[box, (1, 2, 3, 4)])
regions += assistant.segment("a.png", boxes=np.array([[1, 2, 3, 4]]))
regions += assistant.segment("a.png", boxes=[[1.0, 2.0, 3.0, 4.0]], points=[(1, 2)], labels=[1])
regions += assistant.segment("a.png", points=[[[1, 2], [3, 4]], [[5, 6]]])
regions += assistant.segment("a.png", points=np.array([[1, 2]]))

region: segue.Region = conversation.add_region(box=(1, 2, 3, 4), phrase="dog")
region = conversation.update_region(region.id, points=[(3, 4)], labels=[1])
region = conversation.merge_regions([region.id, "r2"])
conversation.delete_region(region.id)
if conversation.undo() is not None:
    conversation.redo()
if region.mask is not None:
    area: int = region.mask.area
    array: np.ndarray = region.mask.array
    mask_iou: float = region.mask.iou(region.mask)

folder: Path = conversation.save("session")
again: segue.Conversation = segue.resume(folder, assistant)
differences: tuple[str, ...] = segue.replay(folder).differences

try:
    segue.load("no-such-preset")
except (segue.UnknownName, segue.MissingExtra, segue.ModelError, segue.InputError) as error:
    message: str = str(error)
except segue.SegueError:
    pass
