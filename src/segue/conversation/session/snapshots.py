"""The state and the steps of a conversation as plain JSON values."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from segue.conversation.history import MAX_STEPS, History, Snapshot, Step
from segue.edit import Edit
from segue.errors import InputError
from segue.pipeline.answer import Answer, PhraseVerdict
from segue.values.image import Image
from segue.values.message import Message
from segue.values.region import Region
from segue.values.serialize import region_from_json, region_to_json

Steps = list[tuple[Step | None, Snapshot]]
"""Every snapshot with the step that led to it."""


def snapshot_to_json(snapshot: Snapshot) -> dict[str, Any]:
    """Write a snapshot as plain JSON values; pictures by their digests."""
    return {
        "turns": _turns_to_json(snapshot),
        "regions": [region_to_json(region) for region in snapshot.regions],
        "edits": [edit.to_json() for edit in snapshot.edits],
        "backgrounds": _digests(snapshot),
        **({"history_start": snapshot.history_start} if snapshot.history_start else {}),
    }


class RegionReader:
    """Reads regions; equal ones become one object, so that many steps share one mask."""

    def __init__(self) -> None:
        self._regions: dict[str, Region] = {}

    def __call__(self, value: Mapping[str, Any]) -> Region:
        """See `region_from_json`."""
        key = json.dumps(value, sort_keys=True)
        if key not in self._regions:
            self._regions[key] = region_from_json(value)
        return self._regions[key]


def snapshot_from_json(
    document: Mapping[str, Any],
    images: Mapping[str, Image],
    region_of: Callable[[Mapping[str, Any]], Region] | None = None,
) -> Snapshot:
    """Read what `snapshot_to_json` wrote.

    Args:
        document: the JSON values; "regions" may be missing, then they are those of the answers.
        images: the pictures it names, by digest.
        region_of: reads regions; give the same `RegionReader` for snapshots that share some.

    Raises:
        InputError: a region or an edit makes no sense.
        KeyError, TypeError, AttributeError: a field is missing or of another kind.
    """
    region_of = region_of or RegionReader()
    turns: list[tuple[Message, Message]] = []
    answers: list[Answer] = []
    images_so_far: tuple[Image, ...] = ()
    for turn in document["turns"]:
        new_images = tuple(images[digest] for digest in turn["images"])
        images_so_far += new_images
        answer = replace(_answer_from_json(turn, region_of), images=images_so_far)
        prompt = turn.get("prompt", turn.get("asked", turn["question"]))  # "asked": format 2
        user = Message("user", prompt, new_images)
        turns.append((user, Message("assistant", answer.raw)))
        answers.append(answer)
    regions = [region for answer in answers for region in answer.regions]
    if "regions" in document:
        regions = [region_of(region) for region in document["regions"]]
    return Snapshot(
        tuple(turns),
        tuple(answers),
        tuple(regions),
        tuple(Edit.from_json(edit) for edit in document["edits"]),
        {name: images[digest] for name, digest in document["backgrounds"].items()},
        _history_start(document, len(turns)),
    )


def history_to_json(history: History) -> dict[str, Any]:
    """Write all that can be undone or redone.

    What snapshots share is written once: a snapshot counts the turns it has, and names its regions
    by their places in one list. "later" are the turns that were undone. Answers that a step changed
    stand with the snapshots that have them otherwise, by the indexes of their turns.
    """
    steps, at = history.steps()
    furthest = steps[-1][1]
    usual = (*history.now.answers, *furthest.answers[len(history.now.answers) :])
    regions: dict[int, Region] = {}  # by identity: a step leaves what it does not change
    for _, snapshot in steps:
        regions |= {id(region): region for region in snapshot.regions}
    places = {key: place for place, key in enumerate(regions)}
    return {
        "at": at,
        "steps": [
            {
                **({} if step is None else {"what": step.what, "name": step.name}),
                "turns": len(snapshot.turns),
                **_other_answers(snapshot, usual),
                "regions": [places[id(region)] for region in snapshot.regions],
                "edits": [edit.to_json() for edit in snapshot.edits],
                "backgrounds": _digests(snapshot),
                **({"history_start": snapshot.history_start} if snapshot.history_start else {}),
            }
            for step, snapshot in steps
        ],
        "regions": [region_to_json(region) for region in regions.values()],
        "later": _turns_to_json(furthest)[len(history.now.turns) :],
    }


def history_from_json(
    value: Mapping[str, Any], current: Mapping[str, Any], images: Mapping[str, Image]
) -> tuple[Steps, int]:
    """Read what `history_to_json` wrote.

    Args:
        value: that.
        current: the present snapshot as JSON; it goes before what the history says of it.
        images: the pictures that both name, by digest.

    Returns:
        The steps, and the index of the present one.

    Raises:
        InputError: it makes no sense.
        KeyError, TypeError, AttributeError: a field is missing or of another kind.
    """
    region_of = RegionReader()
    present = snapshot_from_json(current, images, region_of)
    later = {**current, "turns": [*current["turns"], *value["later"]]}
    all_turns = snapshot_from_json(later, images, region_of)
    regions = [region_of(region) for region in value["regions"]]
    at, entries = value["at"], value["steps"]
    if not 0 < len(entries) <= MAX_STEPS + 1:
        raise InputError(f"A history has 1 to {MAX_STEPS + 1} steps, got {len(entries)}.")
    _check_index(at, len(entries))
    steps: Steps = []
    for entry in entries:
        count, places = entry["turns"], entry["regions"]
        _check_index(count, len(all_turns.turns) + 1)
        for place in places:
            _check_index(place, len(regions))
        if len(set(places)) < len(places):
            raise InputError(f"A step of the history names a region twice: {places}.")
        answers = list(all_turns.answers[:count])
        for number, answer in entry.get("answers", {}).items():
            _check_index(int(number), count)
            images_then = answers[int(number)].images
            answers[int(number)] = replace(_answer_from_json(answer, region_of), images=images_then)
        snapshot = Snapshot(
            all_turns.turns[:count],
            tuple(answers),
            tuple(regions[place] for place in places),
            tuple(Edit.from_json(edit) for edit in entry["edits"]),
            {name: images[digest] for name, digest in entry["backgrounds"].items()},
            _history_start(entry, count),
        )
        step = Step(str(entry["what"]), str(entry["name"])) if steps else None
        steps.append((step, snapshot))
    if len(steps[at][1].turns) != len(present.turns):
        raise InputError(f"Step {at} of the history has other turns than the conversation.")
    steps[at] = (steps[at][0], present)
    return steps, at


def _other_answers(snapshot: Snapshot, usual: Sequence[Answer]) -> dict[str, Any]:
    """Write the answers of a snapshot that are not the usual ones."""
    answers = {
        str(number): {
            "question": answer.question,
            **answer.reply_to_json(),
            "seconds": dict(answer.seconds),
        }
        for number, (answer, other) in enumerate(zip(snapshot.answers, usual))
        if answer is not other and answer != other
    }
    return {"answers": answers} if answers else {}


def _history_start(value: Mapping[str, Any], n_turns: int) -> int:
    start: int = value.get("history_start", 0)
    _check_index(start, n_turns + 1)
    return start


def _check_index(value: Any, count: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
        raise InputError(f"A number of the history must be from 0 to {count - 1}, got {value!r}.")


def _digests(snapshot: Snapshot) -> dict[str, str]:
    return {name: image.digest for name, image in snapshot.backgrounds.items()}


def _turns_to_json(snapshot: Snapshot) -> list[dict[str, Any]]:
    pairs = zip(snapshot.turns, snapshot.answers)
    return [_turn_to_json(user, answer) for (user, _), answer in pairs]


def _turn_to_json(user: Message, answer: Answer) -> dict[str, Any]:
    prompt = {} if user.text == answer.question else {"prompt": user.text}
    return {
        "question": answer.question,
        **prompt,
        "images": [image.digest for image in user.images],
        **answer.reply_to_json(),
        "seconds": dict(answer.seconds),
    }


def _answer_from_json(
    turn: Mapping[str, Any], region_of: Callable[[Mapping[str, Any]], Region]
) -> Answer:
    return Answer(
        question=turn["question"],
        text=turn["text"],
        raw=turn["raw"],
        regions=tuple(region_of(region) for region in turn["regions"]),
        not_found=tuple(turn["not_found"]),
        broken=tuple(turn["broken"]),
        cut=bool(turn.get("cut", False)),
        finish=turn["finish"],
        thought=int(turn.get("thought", 0)),
        notices=tuple(map(_sentence, turn.get("notices", ()))),
        marked=tuple(map(_sentence, turn.get("marked", ()))),
        verdicts=tuple(map(PhraseVerdict.from_json, turn.get("verdicts", ()))),
        choices=tuple(map(_sentence, turn.get("choices", ()))),
        from_register=bool(turn.get("from_register", False)),
        seconds=dict(turn.get("seconds", {})),
    )


def _sentence(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a notice or phrase is {value!r}, not a text")
    return value
