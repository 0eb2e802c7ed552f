"""Edit a picture through its masks, without touching it: a list of edits, applied when asked for.

    edits = [Edit("erase", ["r2"]), Edit("blur", ["r1"], {"where": "rest", "strength": 12})]
    apply(image, regions, edits).save("out.png")

An `Edit` is plain data (operation, ids of regions, parameters), so that a session can keep the list
and replay it. Edges are feathered. Pictures for new backgrounds are named in an edit and handed to
`apply`, so that reading a list of edits never opens a file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from types import MappingProxyType
from typing import Any

import PIL.Image

from segue.edit.inpaint import INPAINTERS, Inpainter
from segue.edit.operations import OPERATIONS, Canvas
from segue.errors import InputError, UnknownName
from segue.runtime.catalog import unknown_name_message
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Region


@dataclass(frozen=True, slots=True)
class Edit:
    """One step. The parameters are checked when it is made.

    >>> Edit("blur", ["r1"], {"strength": 4}).to_json()
    {'operation': 'blur', 'regions': ['r1'], 'parameters': {'strength': 4}}
    """

    operation: str
    """One of OPERATIONS: cut_out, blur, recolour, erase, background."""
    regions: Sequence[str]
    """Ids of the regions whose masks together are the object."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the operation, plain JSON values."""

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise UnknownName(unknown_name_message("edit", self.operation, OPERATIONS))
        if isinstance(self.regions, str) or not self.regions:
            raise InputError(
                f"An edit needs a list with at least one region id, got {self.regions!r}."
            )
        parameters = _parameters(OPERATIONS[self.operation])
        for name in self.parameters:
            if name not in parameters:
                raise InputError(
                    f"{self.operation!r} has no parameter {name!r}. "
                    f"It has: {', '.join(parameters)}."
                )
        object.__setattr__(self, "regions", tuple(str(id) for id in self.regions))
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    def to_json(self) -> dict[str, Any]:
        """Return the edit as plain JSON values."""
        return {
            "operation": self.operation,
            "regions": list(self.regions),
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Edit":
        """Read what `to_json` wrote.

        Raises:
            InputError, UnknownName: it is not an edit, or not one that we know.
        """
        if not isinstance(value, Mapping):
            raise InputError(f"An edit must be a JSON object, got {type(value).__name__}.")
        regions, parameters = value.get("regions"), value.get("parameters", {})
        if not isinstance(regions, list | tuple) or not isinstance(parameters, Mapping):
            raise InputError(
                "An edit must have 'regions', a list of ids, and may have 'parameters', an object."
            )
        return cls(str(value.get("operation")), regions, parameters)


def apply(
    image: Image,
    regions: Sequence[Region],
    edits: Sequence[Edit],
    *,
    pictures: Mapping[str, Image] | None = None,
    inpainter: Inpainter | None = None,
    skip_crops: bool = False,
) -> PIL.Image.Image:
    """Apply edits one after the other.

    Args:
        image: the picture; it stays as it is.
        regions: regions of this picture; those that edits name must have masks.
        edits: the steps. Masks keep their places, whatever earlier steps painted.
        pictures: pictures for new backgrounds, by the names that the edits use.
        inpainter: what fills holes; "telea", which needs no weights, by default.
        skip_crops: leave crops out, so that the result lies on the picture.

    Returns:
        A PIL image: mode RGB, or RGBA once something was cut out. Its size is that of the picture
        unless an edit crops; of several crops the last counts.

    Raises:
        InputError: an edit names a region that is not there or has no mask, or a parameter does not
            fit; the message says which edit.
    """
    by_id = {region.id: region for region in regions}
    canvas = Canvas(
        image.array.copy(), None, dict(pictures or {}), inpainter or INPAINTERS.load("telea")
    )
    for number, edit in enumerate(edits, 1):
        try:
            mask = _mask_of(edit, by_id, image)
            OPERATIONS[edit.operation](canvas, mask, **edit.parameters)
        except InputError as error:
            raise InputError(f"Edit {number} ({edit.operation}): {error}") from error
    if skip_crops:
        canvas.crop = None
    return canvas.picture()


def _mask_of(edit: Edit, regions: Mapping[str, Region], image: Image) -> Mask:
    union = Mask.empty(image.size)
    for id in edit.regions:
        if id not in regions:
            raise InputError(f"There is no region {id!r}. Known: {', '.join(regions) or 'none'}.")
        mask = regions[id].mask
        if mask is None:
            raise InputError(f"Region {id!r} has no mask. Segment it first.")
        union = union | mask
    return union


def _parameters(operation: Callable[..., None]) -> list[str]:
    return list(signature(operation).parameters)[2:]
