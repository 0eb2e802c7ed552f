"""Twelve pictures as people have them: scenes, noise, long and thin, small, large, odd kinds."""

from importlib import resources
from pathlib import Path

import numpy as np
import PIL.Image

TURNED = 6
"""The orientation in EXIF of a camera held upright: the file lies on its side."""


def write_pictures(folder: Path) -> list[Path]:
    """Write the pictures and return their files, in order."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)

    def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
        """Smooth blobs with grain on them."""
        coarse = random.integers(0, 256, (max(height // 40, 2), max(width // 40, 2), channels))
        blobs = [
            PIL.Image.fromarray(coarse[:, :, c].astype(np.uint8)).resize(
                (width, height), PIL.Image.Resampling.BICUBIC
            )
            for c in range(channels)
        ]
        grain = random.integers(-12, 13, (height, width, channels))
        return np.clip(np.stack(blobs, -1).astype(int) + grain, 0, 255).astype(np.uint8)

    samples = resources.files("segue") / "embedded" / "samples"
    pictures: dict[str, PIL.Image.Image] = {
        f"{name}.png": PIL.Image.open(str(samples / f"{name}.png")).convert("RGB")
        for name in ("airport", "beach", "meadow", "table")
    }
    sizes = {"long": (1, 3000), "small": (28, 28), "large": (3000, 4000), "odd": (333, 777),
             "tall": (1201, 397)}  # fmt: skip
    for name, size in sizes.items():
        pictures[f"{name}.png"] = PIL.Image.fromarray(noise(*size))
    pictures["rgba.png"] = PIL.Image.fromarray(noise(240, 320, 4), "RGBA")
    pictures["grey.png"] = PIL.Image.fromarray(noise(200, 300)[:, :, 0])
    turned = PIL.Image.fromarray(noise(300, 400))
    exif = turned.getexif()
    exif[0x0112] = TURNED
    for name, picture in pictures.items():
        picture.save(folder / name)
    turned.save(folder / "turned.jpg", exif=exif, quality=95)
    return [folder / name for name in (*pictures, "turned.jpg")]
