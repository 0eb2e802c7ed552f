"""Inpainters: a picture with a hole in, the same picture with the hole filled out."""

from typing import Protocol, runtime_checkable

import numpy as np

from segue.runtime.catalog import Catalog, Entry


@runtime_checkable
class Inpainter(Protocol):
    """What every inpainter promises."""

    @property
    def name(self) -> str:
        """Nickname, hub id or folder it was loaded from."""

    def fill(
        self, array: np.ndarray, hole: np.ndarray, *, prompt: str = "", seed: int | None = None
    ) -> np.ndarray:
        """Invent what is behind a hole.

        Args:
            array: (H, W, 3) uint8 RGB; not changed.
            hole: (H, W) bool, True where pixels are to be invented; may be empty.
            prompt: what should be there; inpainters that only continue what is around ignore it.
            seed: makes inpainters that throw dice repeatable.

        Returns:
            (H, W, 3) uint8 RGB, equal to `array` outside the hole.
        """


INPAINTERS = Catalog(
    "inpainter",
    {
        "telea": Entry(
            "segue.edit.inpaint.telea:Telea", "continues the surroundings; fast, no weights"
        ),
        "diffusion": Entry(
            "segue.edit.inpaint.diffusion:load",
            "a diffusion model, by hub id or folder",
            extra="inpaint",
        ),
    },
)
