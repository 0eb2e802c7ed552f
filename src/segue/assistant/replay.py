"""Read the raw replies of a saved conversation again, with today's detector and segmenter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segue.assistant import Assistant, load
from segue.conversation import Conversation
from segue.conversation.history import Snapshot, regions_by_id
from segue.conversation.picture_focus import reference_in
from segue.conversation.register import is_user_corrected
from segue.conversation.session.bounds import SessionLimits
from segue.conversation.session.read import coordinates_of, read_session
from segue.dialects.parsing.thoughts import without_thoughts
from segue.files.counts import count_noun
from segue.pipeline.answer import Answer
from segue.pipeline.answer_builder import AnswerBuilder
from segue.prompting.intent import parse_intent
from segue.values.region import Region
from segue.values.serialize import region_from_json


@dataclass(frozen=True, slots=True)
class Replay:
    """A conversation derived anew from its raw replies."""

    conversation: Conversation
    differences: tuple[str, ...]
    """One sentence each; empty when everything came out as saved."""


def replay(
    folder: str | Path,
    assistant: Assistant | None = None,
    limits: SessionLimits | None = None,
) -> Replay:
    """Read the raw replies again and derive the regions without the chat model.

    What can be undone afterwards is each question, with what the user did to its regions.

    Args:
        folder: where `save` wrote.
        assistant: whose detector and segmenter to use; by default the ones named in the file.
        limits: as for `resume`.

    Raises:
        InputError: the folder holds no session, or one that cannot be read or holds too much.
    """
    saved = read_session(Path(folder), limits or SessionLimits())
    document, images = saved.document, saved.images
    models = document["models"]
    if assistant is None:
        assistant = load(chat=None, detect=models["detect"], segment=models["segment"])
    conversation = Conversation(assistant, system=document.get("system"))
    coordinates = coordinates_of(document)
    differences: list[str] = []
    _, saved_now = saved.steps[saved.at]
    for number, (turn, saved_answer) in enumerate(zip(document["turns"], saved_now.answers), 1):
        new_images = tuple(images[digest] for digest in turn["images"])
        if saved_answer.from_register:
            conversation.append_turn(
                turn["question"], _with_current_masks(saved_answer, conversation), new_images
            )
            continue
        builder = AnswerBuilder(turn["question"])
        turn_images = conversation.images + new_images
        saved_regions = [region_from_json(region) for region in turn["regions"]]
        builder.raw.append(turn["raw"])
        phrases = parse_intent(turn["question"]).phrases
        pictures = reference_in(turn["question"], turn_images).indexes or None
        identify = _SavedIdentities(saved_regions, conversation.new_ids())
        events = assistant.process_reply(
            [without_thoughts(turn["raw"])],  # regions that a thought withdrew have no id here
            turn_images,
            dialect=models["dialect"],
            coordinates=coordinates,
            grounded=bool(phrases) or "prompt" in turn or "asked" in turn,
            phrases=phrases,
            pictures=pictures,
            identify=identify,
        )
        for event in events:
            builder.add(event)
        builder.marked = saved_answer.marked
        for event in assistant.mark(
            builder.marked,
            turn_images,
            text="".join(builder.text),
            pictures=pictures,
            identify=identify,
        ):
            builder.add(event)
        answer = replace(
            builder.answer(turn_images),
            thought=saved_answer.thought,  # what the model did stays as it was
            notices=saved_answer.notices,
            finish=saved_answer.finish,
        )
        conversation.append_turn(turn["question"], answer, new_images)
        differences += [f"turn {number}: {d}" for d in _differences(saved_regions, answer.regions)]
        if answer.text != turn["text"]:
            differences.append(f"turn {number}: the text reads differently")
    regions = _with_user_changes(saved_now, conversation.regions)
    ids = {region.id for region in regions}
    steps, at = conversation.history.steps()
    snapshot = replace(
        saved_now,
        turns=conversation.turns,
        answers=conversation.answers,
        regions=regions,
        edits=tuple(edit for edit in saved_now.edits if ids.issuperset(edit.regions)),
    )
    steps[at] = (steps[at][0], snapshot)
    conversation.restore(saved.image_order, steps, at)
    return Replay(conversation, tuple(differences))


class _SavedIdentities:
    """Gives the regions of one turn the ids they were saved with; see `Identify`."""

    def __init__(self, saved: Sequence[Region], new_ids: Iterator[str]) -> None:
        self._saved, self._new_ids = iter(saved), new_ids

    def __call__(self, regions: Sequence[Region]) -> list[Region]:
        return [self._identify(region) for region in regions]

    def _identify(self, region: Region) -> Region:
        saved = next(self._saved, None)
        if saved is None:
            return replace(region, id=next(self._new_ids))
        if is_user_corrected(saved):
            return saved
        return replace(region, id=saved.id, names=saved.names, turns=saved.turns)


def _with_user_changes(saved: Snapshot, new_regions: tuple[Region, ...]) -> tuple[Region, ...]:
    """Regions derived anew, with what the user did to them before."""
    original = regions_by_id(saved.answers)
    current = {region.id: region for region in saved.regions}
    regions = []
    for region in new_regions:
        if region.id in original and region.id not in current:
            continue  # deleted by the user
        now, answered = current.get(region.id), original.get(region.id)
        if now is None or answered is None or now == answered:
            regions.append(region)
        elif (now.box, now.mask, now.clicks) == (answered.box, answered.mask, answered.clicks):
            regions.append(replace(region, phrase=now.phrase, names=now.names, turns=now.turns))
        else:
            regions.append(now)
    of_user = [region for id, region in current.items() if id not in original]
    return (*regions, *of_user)


def _differences(saved: list[Region], new_regions: tuple[Region, ...]) -> list[str]:
    if len(saved) != len(new_regions):
        return [f"{count_noun(len(saved), 'region')} saved, {len(new_regions)} came out"]
    differences = []
    for old, new in zip(saved, new_regions):
        if old.phrase != new.phrase:
            differences.append(f"{old.id} was {old.phrase!r}, now {new.phrase!r}")
        if (iou := old.box.iou(new.box)) < 0.99:
            differences.append(f"{old.id}: the box moved (IoU {iou:.2f})")
        if (old.mask is None) != (new.mask is None):
            differences.append(
                f"{old.id}: its mask {'appeared' if old.mask is None else 'disappeared'}"
            )
        elif old.mask is not None and new.mask is not None and old.mask != new.mask:
            has_same_size = old.mask.size == new.mask.size
            iou = old.mask.iou(new.mask) if has_same_size else 0.0
            differences.append(f"{old.id}: the mask changed (IoU {iou:.3f})")
    return differences


def _with_current_masks(answer: Answer, conversation: Conversation) -> Answer:
    """Return an answer from the register with its objects as the conversation has them now."""
    current = {region.id: region for region in conversation.regions}
    regions = tuple(
        replace(
            current.get(region.id, region),
            phrase=region.phrase, span=region.span, names=region.names, turns=region.turns,
        )
        for region in answer.regions
    )  # fmt: skip
    return replace(answer, regions=regions)
