"""The sample scenes that are bundled with the package.

`samples()` lists them: pictures of 640 x 480 pixels in `samples/`, with the truth in
`samples/truth.json`. The training lab draws them (`lab/scenes/samples.py`).
"""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from segue.errors import UnknownName
from segue.runtime.catalog import unknown_name_message
from segue.values.image import Image


@dataclass(frozen=True)
class TrueObject:
    """One object of a sample: its names, its visible box in pixels and its COCO mask."""

    english: str
    chinese: str
    box: tuple[float, float, float, float]
    rle: dict[str, object]


@dataclass(frozen=True)
class SampleScene:
    """A bundled scene: its picture, its background, its objects and questions about them."""

    name: str
    file: Path
    background: str
    objects: tuple[TrueObject, ...]
    questions: tuple[str, ...]

    @property
    def image(self) -> Image:
        """The picture, read anew at every access."""
        return Image.open(self.file)


def _questions(first: TrueObject, last: TrueObject) -> tuple[str, ...]:
    """Return the reference questions of the project, asked about these objects."""
    return (
        "这是什么?",
        "What is in the picture?",
        f"框出图片中{first.chinese}的位置",
        f"Frame the {last.english} in the picture.",
        f"Can you segment the {first.english} in this image?",
        f"分割图片中的{last.chinese}",
    )


def samples() -> tuple[SampleScene, ...]:
    """Return the bundled sample scenes."""
    folder = Path(str(resources.files("segue.embedded"))) / "samples"
    scenes = []
    for row in json.loads((folder / "truth.json").read_text("utf-8")):
        objects = tuple(
            TrueObject(item["noun"], item["chinese"], tuple(item["box"]), item["rle"])
            for item in row["objects"]
        )
        file = folder / f"{row['name']}.png"
        questions = _questions(objects[0], objects[-1])
        scenes.append(SampleScene(row["name"], file, row["background"], objects, questions))
    return tuple(scenes)


PREFIX = "sample:"
"""Before the name of a sample scene, where it stands in the place of a file."""


def sample(name: str) -> SampleScene:
    """Return the bundled sample scene of that name.

    Raises:
        UnknownName: there is no such scene; the message suggests the nearest name.
    """
    by_name = {scene.name: scene for scene in samples()}
    if name not in by_name:
        raise UnknownName(unknown_name_message("sample scene", name, by_name))
    return by_name[name]
