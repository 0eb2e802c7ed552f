"""Segment Anything: a picture is encoded once, then masks for any number of boxes and clicks.

Runs `transformers.SamModel`. Reads folders and hub ids in that form, and the original
`sam_vit_{b,l,h}_*.pth`. Weights and method: Kirillov et al. 2023, arXiv:2304.02643, Apache-2.0.
"""

from collections.abc import Sequence
from pathlib import Path

from segue.runtime import device as devices
from segue.runtime.weights import locate
from segue.segment.crop_refinement import CropRefinedView
from segue.segment.sam_network import SamNetwork, SamOptions, read_sam
from segue.segment.sam_view import SamView, encode_views
from segue.values.image import Image

_PICTURES_AT_ONCE = {"cpu": 1}  # one picture keeps all cores busy
_PICTURES_AT_ONCE_ELSEWHERE = 8


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
    engine: str = "torch",
) -> "Sam":
    """Load a Segment Anything model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers'
            form, or an original `sam_vit_*.pth` by path or URL.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image encoder; None: as
            `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.
        engine: what runs the image encoder: one of `segue.runtime.engines.ENGINES`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of this model.
    """
    path = locate(source)
    model = read_sam(path)
    place = devices.pick_for_encoder(device, dtype, model.vision_encoder.num_parameters())
    return Sam(model, SamOptions.read(path), place, name or str(source), engine)


class Sam(SamNetwork):
    """A Segment Anything model as a segmenter."""

    def look(self, image: Image) -> SamView:
        """Encode `image` once.

        Raises:
            ModelError: the encoder gave numbers that are not finite.
        """
        (view,) = self.look_many([image])
        return view

    def look_many(self, images: Sequence[Image]) -> list[SamView]:
        """Encode several pictures, as many in one run as gain by it.

        Raises:
            ModelError: the encoder gave numbers that are not finite.
        """
        step = _PICTURES_AT_ONCE.get(self.device.type, _PICTURES_AT_ONCE_ELSEWHERE)
        views: list[SamView] = []
        for start in range(0, len(images), step):
            views += encode_views(self, images[start : start + step])
        if self.options.zoom:
            return [
                CropRefinedView(self, view.maps, view.size, view.inner, image)
                for view, image in zip(views, images)
            ]
        return views
