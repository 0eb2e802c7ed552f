"""Label Studio's requests to a model, and the answers, without the network.

A project's labelling setup is XML. Its picture is the first `<Image>`; for it there may be brushes
(`<BrushLabels>`), rectangles (`<RectangleLabels>`), and smart tools whose clicks and boxes come in
as a *context*. With a context the one object meant there is segmented; without, every label is
looked for as a phrase.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from segue.assistant import Assistant
from segue.errors import InputError
from segue.export.label_studio import brush, rectangle
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.region import Region

LabelStudioResult = dict[str, Any]

_MAX_LABELS = 64


@dataclass(frozen=True, slots=True)
class LabelingTool:
    """A control of a setup that takes results."""

    kind: str
    """ "brushlabels" or "rectanglelabels"."""
    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelStudioPrediction:
    """What the models find in a picture."""

    results: list[LabelStudioResult]
    score: float
    """Mean score of the regions, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class LabelingSetup:
    """What a labelling setup says about its picture."""

    picture: str
    """The name of its tag."""
    field: str
    """Where a task keeps the picture's address."""
    tools: tuple[LabelingTool, ...]

    @classmethod
    def parse(cls, xml: str) -> "LabelingSetup":
        """Parse a labelling setup.

        Raises:
            InputError: it is not XML, or has no picture with brushes or rectangles.
        """
        if "<!" in xml.replace("<!--", ""):
            raise InputError("A labelling setup must not have a DOCTYPE or entities.")
        try:
            root = ElementTree.fromstring(xml)
        except ElementTree.ParseError as error:
            raise InputError(f"The labelling setup is not XML ({error}).") from error
        picture = root.find(".//Image")
        name = picture.get("name", "") if picture is not None else ""
        field = picture.get("value", "").lstrip("$") if picture is not None else ""
        tools = tuple(
            LabelingTool(element.tag.lower(), element.get("name", ""), _labels(element))
            for element in root.iter()
            if element.tag in ("BrushLabels", "RectangleLabels") and element.get("toName") == name
        )
        if not field or not tools:
            raise InputError(
                "The labelling setup needs an <Image> and, for it, <BrushLabels> or "
                "<RectangleLabels> with labels."
            )
        return cls(name, field, tools)

    def predict(
        self, assistant: Assistant, image: Image, context: Sequence[Mapping[str, Any]]
    ) -> LabelStudioPrediction:
        """Predict what is in a picture.

        Args:
            assistant: the models.
            image: the picture of the task.
            context: what a smart tool was used for: clicks and rectangles of one object.

        Raises:
            InputError: the context makes no sense, or a stage is missing.
        """
        if context:
            regions = self._segment_clicks(assistant, image, context)
            label = _picked_label(context)
            results = [
                self._to_result(tool, regions[0], image.size, label)
                for tool in self._tools_for(label)
            ]
        else:
            phrases = list(dict.fromkeys(label for tool in self.tools for label in tool.labels))
            regions = (
                assistant.segment_with_notices(image, phrases=phrases[:_MAX_LABELS])[0]
                if phrases
                else ()
            )
            results = [
                self._to_result(tool, region, image.size, region.phrase)
                for tool in self.tools
                for region in regions
                if region.phrase in tool.labels
            ]
        scores = [region.score for region in regions if region.score is not None]
        return LabelStudioPrediction(
            [result for result in results if result is not None],
            sum(scores) / len(scores) if scores else 0.0,
        )

    def _segment_clicks(
        self, assistant: Assistant, image: Image, context: Sequence[Mapping[str, Any]]
    ) -> tuple[Region, ...]:
        boxes: list[Box] = []
        points: list[tuple[float, float]] = []
        labels: list[int] = []
        x_scale, y_scale = image.size.width / 100, image.size.height / 100  # from per cent
        try:
            for result in context:
                value = result["value"]
                x, y = float(value["x"]) * x_scale, float(value["y"]) * y_scale
                is_rectangle = "rectangle" in str(result.get("type"))
                if "width" in value and "height" in value and is_rectangle:
                    width = float(value["width"]) * x_scale
                    height = float(value["height"]) * y_scale
                    boxes.append(Box.spanning(x, y, x + width, y + height))
                else:
                    points.append((x, y))
                    labels.append(int(bool(result.get("is_positive", 1))))
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise InputError(f"The context of a smart tool cannot be read ({error}).") from error
        if len(boxes) > 1:
            raise InputError(f"A smart tool marks one object, got {len(boxes)} rectangles.")
        regions, _ = assistant.segment_with_notices(
            image, boxes=boxes or None, points=points or None, labels=labels or None
        )
        return regions

    def _tools_for(self, label: str) -> list[LabelingTool]:
        """Return the tool that takes the answer to a click: a brush where there is one."""
        tools = [tool for tool in self.tools if label in tool.labels or not label] or self.tools
        return sorted(tools, key=lambda tool: tool.kind)[:1]

    def _to_result(
        self, tool: LabelingTool, region: Region, size: Size, label: str
    ) -> LabelStudioResult | None:
        mask = region.mask
        if tool.kind == "brushlabels":
            if mask is None or mask.is_empty:
                return None
            value = brush(mask)
        else:
            value = rectangle((mask.box if mask is not None else None) or region.box, size)
        return {
            "id": secrets.token_hex(5),
            "type": tool.kind,
            "from_name": tool.name,
            "to_name": self.picture,
            "original_width": size.width,
            "original_height": size.height,
            "image_rotation": 0,
            "readonly": False,
            "value": {**value, tool.kind: [label] if label else []},
            **({} if region.score is None else {"score": region.score}),
        }


def _labels(element: ElementTree.Element) -> tuple[str, ...]:
    values = (label.get("value", "").strip() for label in element.findall("Label"))
    return tuple(value for value in values if value)


def _picked_label(context: Sequence[Mapping[str, Any]]) -> str:
    """Return the label that the smart tool had picked."""
    for result in reversed(context):
        value = result.get("value")
        if isinstance(value, Mapping):
            for kind in ("keypointlabels", "rectanglelabels", "brushlabels"):
                labels = value.get(kind)
                if isinstance(labels, list) and labels:
                    return str(labels[0])
    return ""
