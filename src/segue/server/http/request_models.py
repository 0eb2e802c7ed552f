"""JSON that comes in, checked before anything is done with it. What the fields mean is in
docs/http-api.md, and the examples here are those of the OpenAPI document."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from segue.detect import Exemplar
from segue.server.http.errors import UnsupportedField
from segue.values.box import Box
from segue.values.message import Sampling

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e7, le=1e7)]
Corners = Annotated[list[Number], Field(min_length=4, max_length=4)]
PointPair = Annotated[list[Number], Field(min_length=2, max_length=2)]
Label = Annotated[int, Field(ge=0, le=1)]
Points = Annotated[list[PointPair], Field(min_length=1, max_length=256)]
Labels = Annotated[list[Label], Field(max_length=256)]
RequiredPhrase = Annotated[str, Field(min_length=1, max_length=200)]
Phrase = Annotated[str, Field(max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Index = Annotated[int, Field(ge=0, le=10_000)]
MAX_TEXT = 20_000
LongText = Annotated[str, Field(max_length=MAX_TEXT)]
Stop = str | Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=4)] | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class SamplingFields(_Body):
    """How the chat model picks its words; what is left out is as its weights say."""

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, strict=True)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63, strict=True)] | None = None
    stop: Stop = None
    route: Literal["reply", "auto", "box", "tag"] | None = None
    """Who answers: see docs/routes.md. None: as the server was started."""

    def sampling(self, max_tokens: int, tokens: int | None = None) -> Sampling:
        """Convert to the settings of a chat model, with at most `max_tokens` new tokens."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        n_tokens = tokens if tokens is not None else self.max_tokens
        return Sampling(
            max_new_tokens=min(n_tokens, max_tokens) if n_tokens is not None else None,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=None if self.seed is None else self.seed % 2**63,
            stop=tuple(stop for stop in stops if stop),
        )


class LoginRequest(_Body):
    key: Annotated[str, Field(max_length=1000)]


class NewConversationRequest(_Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"title": "Airport"}]})
    title: Phrase = ""
    system: LongText | None = None


class RenameRequest(_Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Airport"}]})
    title: Annotated[str, Field(min_length=1, max_length=200)]


class PictureSource(_Body):
    """Where a picture comes from: a sample, or an address."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sample": "airport"}]})
    sample: Name | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _check_single_source(self) -> "PictureSource":
        if (self.sample is None) == (self.url is None):
            raise ValueError("give either 'sample' or 'url'")
        return self


class ForgetRequest(_Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"turns": 2}]})
    turns: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """How many of the oldest turns that are still sent; null: all."""


class MarkRequest(_Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"phrases": ["airplane"]}]})
    phrases: Annotated[list[Annotated[Phrase, Field(min_length=1)]], Field(max_length=16)] = []
    """What to look for; empty: what the question and its answer speak of."""


class AskRequest(SamplingFields):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"question": "框出图片中飞机的位置"}]}
    )
    question: LongText

    @field_validator("question")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("the question is empty")
        return value


class _Clicks(_Body):
    box: Corners | None = None
    points: Annotated[list[PointPair], Field(max_length=256)] | None = None
    labels: Annotated[list[Label], Field(max_length=256)] | None = None
    preview: bool = False

    @model_validator(mode="after")
    def _match(self) -> "_Clicks":
        if self.labels is not None and len(self.labels) != len(self.points or []):
            raise ValueError("there must be one label for each point")
        return self


class ExemplarIn(_Body):
    """A box that shows the detector what is meant, or what is not."""

    box: Corners
    positive: bool = True

    def to_exemplar(self) -> Exemplar:
        """Return what a detector takes."""
        return Exemplar(Box.spanning(*self.box), self.positive)


Exemplars = Annotated[list[ExemplarIn], Field(max_length=64)]


class NewRegionRequest(_Clicks):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"image": 0, "points": [[300, 170]], "labels": [1]}]}
    )
    image: Index | None = None
    phrase: Phrase = ""

    @model_validator(mode="after")
    def _somewhere(self) -> "NewRegionRequest":
        if self.box is None and not self.points:
            raise ValueError("give a 'box', or 'points' on the object")
        return self


class RegionsLikeRequest(_Body):
    """Examples of what shall become regions."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"exemplars": [{"box": [40, 30, 120, 90]}], "phrase": "taxi"}]
        }
    )
    exemplars: Annotated[list[ExemplarIn], Field(min_length=1, max_length=64)]
    image: Index | None = None
    phrase: Phrase = ""
    preview: bool = False


class ChangeRegionRequest(_Clicks):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"phrase": "left wing"}, {"points": [[300, 170]]}]}
    )
    phrase: Phrase | None = None


class MergeRequest(_Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["r1", "r2"]}]})
    ids: Annotated[list[Name], Field(min_length=2, max_length=100)]
    phrase: Phrase | None = None


class NewEditRequest(_Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"operation": "blur", "regions": ["r1"], "parameters": {"where": "rest"}}]
        }
    )
    operation: Name
    regions: Annotated[list[Name], Field(min_length=1, max_length=100)]
    parameters: dict[str, str | Number | bool | None] = {}
    preview: bool = False


class SegmentRequest(_Body):
    """Masks without a chat model: by phrases, examples, boxes or points."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"image": "data:image/png;base64,…", "phrases": ["airplane"]}]
        }
    )
    image: str
    phrases: Annotated[list[RequiredPhrase], Field(max_length=16)] = []
    exemplars: Exemplars = []
    boxes: Annotated[list[Corners], Field(max_length=64)] = []
    points: Annotated[list[PointPair] | list[Points], Field(max_length=64)] = []
    labels: Annotated[list[Label] | list[Labels], Field(max_length=64)] | None = None

    @model_validator(mode="after")
    def _something(self) -> "SegmentRequest":
        if not (self.phrases or self.exemplars or self.boxes or self.points):
            raise ValueError("nothing to segment: give 'phrases', 'exemplars', 'boxes' or 'points'")
        return self


class ImageUrl(_Body):
    url: str
    detail: str | None = None


class TextPart(_Body):
    type: Literal["text"]
    text: LongText


class ImagePart(_Body):
    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ChatMessage(_Body):
    role: Literal["system", "developer", "user", "assistant"]
    content: LongText | Annotated[list[Part], Field(max_length=256)] | None = None
    raw: LongText | None = None
    """Of an assistant: the reply with its markup, as this server gave it."""

    @property
    def text(self) -> str:
        """All words of the message."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if isinstance(part, TextPart))
        return self.content or ""

    @property
    def images(self) -> list[str]:
        """Addresses of its pictures."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.image_url.url for part in parts if isinstance(part, ImagePart)]


class StreamOptions(_Body):
    include_usage: bool = False


class SegueOptions(_Body):
    """What this server can do beyond OpenAI's."""

    content: Literal["clean", "raw"] = "clean"
    masks: bool = True


class CompletionRequest(SamplingFields):
    """OpenAI's chat completion, with pictures."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "segue",
                    "messages": [
                        {
                            "role": "user",
                            "content": [
                                {"type": "text", "text": "框出图片中飞机的位置"},
                                {
                                    "type": "image_url",
                                    "image_url": {"url": "data:image/png;base64,…"},
                                },
                            ],
                        }
                    ],
                }
            ]
        }
    )
    model: Annotated[str, Field(min_length=1, max_length=200)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    n: int | None = 1
    user: str | None = None
    segue: SegueOptions = SegueOptions()

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_done(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for name in ("tools", "tool_choice", "functions", "function_call", "audio"):
                if values.get(name) not in (None, [], "none"):
                    raise UnsupportedField(
                        f"'{name}' is not supported: this server calls no tools."
                    )
            if values.get("logprobs") or values.get("top_logprobs"):
                raise UnsupportedField("'logprobs' is not supported.")
            form = values.get("response_format")
            if form is not None and form != {"type": "text"}:
                raise UnsupportedField("'response_format' is not supported; replies are text.")
            modalities = values.get("modalities")
            if modalities not in (None, ["text"]):
                raise UnsupportedField("'modalities' is not supported; replies are text.")
        return values

    @field_validator("n")
    @classmethod
    def _check_single_choice(cls, value: int | None) -> int | None:
        if value not in (None, 1):
            raise UnsupportedField(f"'n' must be 1, got {value}: one reply at a time.")
        return value
