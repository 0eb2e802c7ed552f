"""What the server says of itself, as Pydantic models."""

from pydantic import BaseModel

from segue.pipeline.routing import Route


class ModelInfo(BaseModel):
    """A model at work."""

    name: str
    note: str
    embedded: bool
    """Whether it is one of the bundled models."""


class StageInfo(BaseModel):
    """The models by stage; null where a stage is left out."""

    chat: ModelInfo | None
    detect: ModelInfo | None
    segment: ModelInfo | None


class LimitInfo(BaseModel):
    """What a request may ask for."""

    body_bytes: int
    pixels: int
    images: int
    deadline_s: float
    allow_urls: bool


class VideoInfo(BaseModel):
    """What can be done with films."""

    available: bool
    """Whether films can be read: the extra `video` is installed."""
    tracker: str | None
    """What follows; null without a segmenter, or while the models are being loaded."""
    bytes: int
    """Of a film, at most."""
    frames: int
    """Of a film, at most."""


class AboutResponse(BaseModel):
    """Version, models and how they work together, limits, edits and export formats."""

    version: str
    ready: bool
    key_required: bool
    embedded: bool
    """Whether all models are bundled ones."""
    models: StageInfo
    exemplars: bool
    """Whether the detector takes boxes as examples."""
    route: Route | None
    """How questions are answered; null while the models are being loaded, as `teach_tag`."""
    teach_tag: bool | None
    limits: LimitInfo
    videos: VideoInfo
    edits: dict[str, list[str]]
    """Names of the parameters, by operation."""
    exports: dict[str, str]
    """What each export format is, by name."""


class SampleInfo(BaseModel):
    """A sample picture."""

    name: str
    width: int
    height: int
    url: str
    questions: list[str]


class SampleListResponse(BaseModel):
    """Sample pictures that the embedded models know."""

    samples: list[SampleInfo]
