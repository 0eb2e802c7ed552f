"""Records in the form of LLaVA-Plus, and folders of pictures for them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image

from segue.convert.image_files import ImageFiles

PictureFolder = Callable[[Iterable[str]], Path]


@pytest.fixture
def folder(tmp_path: Path) -> PictureFolder:
    """Make a folder with a small picture under each name."""

    def make(names: Iterable[str], size: tuple[int, int] = (64, 48)) -> Path:
        root = tmp_path / "pictures"
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (90, 120, 150)).save(root / name)
        return root

    return make


@pytest.fixture
def files(folder: PictureFolder) -> ImageFiles:
    """One picture, a.jpg."""
    return ImageFiles({"": [folder(["a.jpg"])]})
