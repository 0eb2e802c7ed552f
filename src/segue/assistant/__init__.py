"""An assistant: the stages of a preset, loaded, and a conversation about pictures to begin.

`load` puts an assistant together; `Assistant.open` begins a conversation; `Assistant.segment` makes
masks without a chat model.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from segue.assistant.loading import FindProfile, find_stage, find_stages
from segue.chat import ChatModel
from segue.conversation import Conversation
from segue.deprecated import renamed
from segue.detect import ConceptDetector, Detector, Exemplar
from segue.dialects import DIALECTS
from segue.errors import InputError
from segue.pipeline.answer import NotFound
from segue.pipeline.chat_detector import chat_as_detector
from segue.pipeline.photographs import PhotographWarning, photograph_notice
from segue.pipeline.pipeline import Pipeline, check_history
from segue.pipeline.presets import preset_of
from segue.pipeline.regions import Regions
from segue.pipeline.routing import Route, check_route
from segue.pipeline.same_place import same_place_notice
from segue.presence import PresenceCalibration
from segue.prompting.phrases import split_phrases
from segue.runtime.memory import MemoryBudget
from segue.segment import Boxes, Labels, Points, Segmenter
from segue.values.image import Image, ImageSource
from segue.values.region import Region
from segue.video.frames import Video, VideoFrame
from segue.video.sampling import sample_frames


class _FromPreset:
    """The type of `FROM_PRESET`; printed in signatures."""

    def __repr__(self) -> str:
        return "FROM_PRESET"


FROM_PRESET: Final = _FromPreset()
"""This stage is the preset's."""

StageSource = str | Path | None | _FromPreset
"""How a stage is named: a nickname, hub id, folder, checkpoint or URL; None leaves it out."""


def load(
    preset: str = "embedded",
    *,
    chat: StageSource | ChatModel = FROM_PRESET,
    detect: StageSource | Detector = FROM_PRESET,
    segment: StageSource | Segmenter = FROM_PRESET,
    device: str = "auto",
    dtype: str | None = None,
    dialect: str | None = None,
    teach_tag: bool = False,
    route: Route = "reply",
    memory: "str | MemoryBudget | None" = None,
    history: int | str = "auto",
    calibration: "str | Path | PresenceCalibration | None" = None,
    second_look: int = 0,
    find_profile: FindProfile | None = None,
    phrases_only: bool = False,
) -> "Assistant":
    """Put an assistant together.

    Args:
        preset: a name from `segue models`; it fills the stages that are not given below.
        chat: the chat model. A nickname, a hub id, a folder, an original checkpoint, a URL,
            "backend:source", or an object that is a `ChatModel`. None leaves the stage out.
        detect: the detector, named likewise; "chat" lets the chat model find phrases itself.
        segment: the segmenter, named likewise.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: "float32", "bfloat16" or "float16"; None lets each model choose for the device.
        dialect: the markup of the chat model's replies; None: as it says of itself.
        teach_tag: a system prompt teaches the chat model the tag `<gsam>`; for models that were not
            tuned to it.
        route: how questions are answered, see `segue.pipeline.routing`; `Conversation.ask` can
            override it.
        memory: how much all caches may hold together, "2GiB"; None: a quarter of what is free,
            2 GiB at most. See `segue.runtime.memory`.
        history: how many earlier turns the chat model is sent: a number, "auto" (as many as it can
            follow), or "all".
        calibration: what `segue evaluate calibrate` fitted for these models, or its file; it turns
            evidence into verdicts. None: the bundled one, where the models are the bundled ones.
        second_look: how many second looks an answer may cost, where a verdict is unsure.
        find_profile: gives the profile that `segue doctor` made of a chat model, by its name:
            `segue.runtime.profile.load` for the profiles of this user, as the command line does;
            None: no profile is used.
        phrases_only: all that will be asked is phrases, of the detector; then the segmenter is not
            loaded where the detector segments what it finds.

    Raises:
        UnknownName: no such preset or nickname.
        MissingExtra: a package that a stage needs is not installed.
        ModelError: weights are missing, cannot be read, or do not fit into memory.

    Warns (`segue.assistant.memory.MemoryWarning`) where they fit with little to spare.
    """
    defaults = preset_of(preset)
    budget = MemoryBudget.parse(memory) if isinstance(memory, str) else memory
    if dialect is not None:
        _ = DIALECTS[dialect]
    check_route(route)

    def stage(kind: str, source: Any, default: str | None) -> Callable[[], Callable[[], Any]]:
        source = default if source is FROM_PRESET else source
        if source is None or not isinstance(source, str | Path):
            return lambda: lambda: source
        return partial(
            find_stage, kind, source, device=device, dtype=dtype, find_profile=find_profile
        )

    is_chat_detecting = detect == "chat"
    stages = find_stages(
        {
            "chat": stage("chat", chat, defaults.chat),
            "detect": stage("detect", None if is_chat_detecting else detect, defaults.detect),
            "segment": stage("segment", segment, defaults.segment),
        },
        optional=("segment",) if phrases_only else (),
    )
    chat_model: ChatModel | None = stages["chat"]()
    if is_chat_detecting and chat_model is None:
        raise InputError('detect="chat" needs a chat model, got chat=None.')
    detector: Detector | None = (
        chat_as_detector(chat_model, dialect=dialect)
        if is_chat_detecting and chat_model is not None
        else stages["detect"]()
    )
    is_segmented = phrases_only and isinstance(detector, ConceptDetector)
    return Assistant(
        chat=chat_model,
        detector=detector,
        segmenter=None if is_segmented else stages["segment"](),
        box_threshold=defaults.box_threshold if detect is FROM_PRESET else None,
        text_threshold=defaults.text_threshold if detect is FROM_PRESET else None,
        dialect=dialect,
        teach_tag=teach_tag,
        route=route,
        memory=budget,
        history=check_history(history),
        calibration=(
            PresenceCalibration.read(Path(calibration))
            if isinstance(calibration, str | Path)
            else calibration
        ),
        second_look=second_look,
    )


class Assistant(Pipeline):
    """A chat model, a detector and a segmenter that work together; each may be missing."""

    def open(self, *images: ImageSource, allow_urls: bool = False) -> Conversation:
        """Begin a conversation about pictures.

        Args:
            images: paths, bytes, PIL images, arrays or `segue.Image`s; none is fine,
                `Conversation.add_images` adds some later.
            allow_urls: let http(s) addresses among them be fetched.
        """
        return Conversation(self).add_images(*images, allow_urls=allow_urls)

    def open_video(
        self,
        source: str | Path | Video,
        *,
        n_frames: int = 8,
        start_s: float = 0.0,
        end_s: float | None = None,
    ) -> Conversation:
        """Begin a conversation about a film: some of its frames as pictures, in the order of time.

        A system message tells the chat model when each of them is shown. It must be one that takes
        several pictures; what happens between two of them it does not see.

        Args:
            source: a file of any container that PyAV reads, a folder of numbered pictures, or a
                `segue.video.frames.Video`.
            n_frames: how many, evenly over the part; all of them where it has fewer.
            start_s: where the part begins, in seconds from the first frame.
            end_s: where it ends, in seconds; None: with the film.

        Raises:
            InputError: there is no video, or no frame of it in that part.
            MissingExtra: PyAV is not installed (extra `video`).
        """
        return self.open_frames(sample_frames(source, n_frames, start_s=start_s, end_s=end_s))

    def open_frames(self, frames: Sequence[VideoFrame]) -> Conversation:
        """Begin a conversation about frames of one film, as `open_video` does with its own.

        Args:
            frames: in the order of time.
        """
        listing = ", ".join(
            f"{place} at {frame.seconds:.2f} s" for place, frame in enumerate(frames, 1)
        )
        system = f"The pictures are frames of one film, in the order of time: {listing}."
        return Conversation(self, system=system).add_images(*[frame.image for frame in frames])

    def segment(
        self,
        image: ImageSource,
        phrases: str | Sequence[str] | None = None,
        boxes: Boxes | None = None,
        points: Points | None = None,
        labels: Labels | None = None,
        exemplars: Sequence[Exemplar] = (),
    ) -> Regions:
        """Make masks without a chat model: by phrase, by box, by points, or by example.

        Args:
            image: anything `Image.open` takes.
            phrases: what the detector shall look for; a phrase that is not there adds nothing. One
                text may hold several with commas between, "dog, sheep"; '"box, red"' is one phrase.
                A list is taken as it is.
            boxes: one object each, in pixels of the upright picture: `Box`es, (x0, y0, x1, y1), or
                an (N, 4) array.
            points: clicks (x, y) of one object, or of several (see `View.mask`).
            labels: 1 (on the object) or 0 (not on it) for each point.
            exemplars: boxes on what is meant and on what is not, for a detector that takes them;
                every instance is found. One phrase at most may say what it is called.

        Returns:
            The regions found by phrase or example, then those of the boxes and points: a tuple that
            knows its picture and what was not found.

        Raises:
            InputError: nothing was asked for, a text holds no words, or the stage it needs is
                missing.

        Warns (`PhotographWarning`) where bundled models are shown a photograph.
        """
        regions, notice = self._segment(image, phrases, boxes, points, labels, exemplars)
        if notice is not None:
            warnings.warn(notice, PhotographWarning, stacklevel=2)
        return regions

    def segment_with_notices(
        self,
        image: ImageSource,
        phrases: str | Sequence[str] | None = None,
        boxes: Boxes | None = None,
        points: Points | None = None,
        labels: Labels | None = None,
        exemplars: Sequence[Exemplar] = (),
    ) -> tuple[Regions, list[str]]:
        """Do as `segment`, and return what there is to say instead of warning.

        That is a photograph shown to bundled models, and one place found under two names.
        """
        regions, notice = self._segment(image, phrases, boxes, points, labels, exemplars)
        about_places = same_place_notice(regions, {region.id for region in regions})
        return regions, [sentence for sentence in (notice, about_places) if sentence is not None]

    def _segment(
        self,
        image: ImageSource,
        phrases: str | Sequence[str] | None,
        boxes: Boxes | None,
        points: Points | None,
        labels: Labels | None,
        exemplars: Sequence[Exemplar],
    ) -> tuple[Regions, str | None]:
        """Make masks as `segment` says, and return what there is to say of a photograph."""
        phrase_list = split_phrases(phrases) if isinstance(phrases, str) else list(phrases or ())
        is_by_hand = not (_is_empty(boxes) and _is_empty(points))
        if not (phrase_list or is_by_hand or exemplars):
            raise InputError("Nothing to segment: give phrases, boxes or points.")
        if exemplars and len(phrase_list) > 1:
            raise InputError(
                f"Examples show one thing, got {len(phrase_list)} phrases. Ask for one at a time."
            )
        picture = Image.open(image)
        is_detecting = bool(phrase_list or exemplars)
        is_segmenting = is_by_hand or not self.grounder.detects_masks
        stages = (
            self.detector if is_detecting else None,
            self.segmenter if is_segmenting else None,
        )
        notice = photograph_notice(stages, picture)
        regions = self.grounder.segment(picture, phrase_list, boxes, points, labels, exemplars)
        if (presence := self.presence_assessment()) is not None:
            regions = tuple(presence.with_verdict(region) for region in regions)
        found = {region.phrase for region in regions}
        missing = [phrase for phrase in phrase_list if phrase not in found]
        return Regions(regions, picture, missing), notice

    def __repr__(self) -> str:
        stages = (("chat", self.chat), ("detector", self.detector), ("segmenter", self.segmenter))
        named = [f"{kind}={getattr(stage, 'name', stage)!r}" for kind, stage in stages if stage]
        return f"<Assistant {', '.join(named)}>"

    def missing(self, image: Image, phrase: str) -> NotFound:
        """Return what there is to say of a phrase that `segment` did not find."""
        presence = self.presence_assessment()
        verdict = None
        if presence is not None and self.detector is not None:
            verdict = presence.verdict(presence.evidence_of_missing(phrase, image))
        return NotFound(phrase, verdict=verdict)

    follow = renamed("Assistant.follow", Pipeline.process_reply)
    checked = renamed("Assistant.checked", Pipeline.cross_check)
    speaks = renamed("Assistant.dialect_name", Pipeline.dialect_name)

    def detect(self, image: Image, phrases: Sequence[str]) -> list[Region]:
        """Find every instance of every phrase. See `Grounder.detect`."""
        return self.grounder.detect(image, phrases)


def _is_empty(values: Any) -> bool:
    """Return True for None and for no values; arrays have no truth value."""
    return values is None or len(values) == 0
