"""Write a conversation to a folder."""

from pathlib import Path

from segue.conversation.session.snapshots import history_to_json, snapshot_to_json
from segue.conversation.state import ConversationState
from segue.files.atomic import write_bytes, write_json
from segue.pipeline.coordinates import CoordinateMapping
from segue.pipeline.pipeline import Pipeline
from segue.version import __version__

FORMAT = 3
FILE = "session.json"


def save(
    conversation: ConversationState,
    pipeline: Pipeline,
    folder: str | Path,
    *,
    system: str | None = None,
) -> Path:
    """Write a conversation; an older file of the same folder is replaced at once or not at all.

    Args:
        conversation: what was said, and the regions.
        pipeline: whose models are named.
        folder: where to write; it is made where it is missing.
        system: the system message.

    Returns:
        The folder.

    Raises:
        InputError: it cannot be written; what was saved there before is as it was.
    """
    folder = Path(folder)
    steps, _ = conversation.history.steps()
    backgrounds = (image for _, snapshot in steps for image in snapshot.backgrounds.values())
    images = {image.digest: image for image in (*conversation.images, *backgrounds)}
    for digest, image in images.items():
        file = folder / "images" / f"{digest}.png"
        if not file.exists():
            write_bytes(file, image.to_png_bytes())
    document = {
        "format": FORMAT,
        "segue": __version__,
        "models": pipeline.model_names(),
        "coordinates": CoordinateMapping.of(pipeline.chat).to_json(
            image.size for image in images.values()
        ),
        "system": system,
        "images": [
            {"digest": digest, "file": f"images/{digest}.png", "name": image.name}
            for digest, image in images.items()
        ],
        "image_order": [image.digest for image in conversation.images],
        **snapshot_to_json(conversation.history.now),
        "history": history_to_json(conversation.history),
    }
    write_json(folder / FILE, document, indent=1)
    return folder
