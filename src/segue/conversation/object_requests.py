"""Answers from the register, without the chat model: "the left one", "blur it", "undo that".

Only under the route "auto". What the words mean is decided in `segue.conversation.references`; here
the decision becomes a turn, with regions, edits and one step that can be undone.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace

from segue.conversation.editing import edits_after_merge
from segue.conversation.history import Step
from segue.conversation.marking import MarkableConversation
from segue.conversation.picture_focus import reference_in
from segue.conversation.prompted_regions import union_of_regions
from segue.conversation.references import NOTHING, Referent, Resolution
from segue.conversation.references.colours import basic_colours
from segue.conversation.references.expressions import (
    Among,
    Description,
    Exclusion,
    Expression,
    Union,
    has_pronouns,
    nouns_of,
    speaks_of_colours,
)
from segue.conversation.references.object_request import ObjectRequest
from segue.conversation.references.ordering import places_of
from segue.conversation.references.requests import is_anaphoric, read_request
from segue.conversation.references.resolution import read_expression, resolve_expression
from segue.conversation.references.wording import (
    Wording,
    ask_which,
    describe_done,
    say_equal,
    undone,
    unknown_object,
)
from segue.conversation.register import ObjectRegister, update_regions
from segue.conversation.undo_requests import changes_to_take_back
from segue.edit import Edit
from segue.errors import InputError
from segue.pipeline.answer import Done, Event, MaskReady, Notice, RegionFound, TextAdded
from segue.pipeline.answer_builder import AnswerBuilder
from segue.prompting.intent import is_chinese
from segue.prompting.picture_reference import PictureReference
from segue.prompting.spoken import spoken_of
from segue.values.message import Message
from segue.values.region import Region


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """A request, and the objects it is about."""

    request: ObjectRequest
    resolution: Resolution = NOTHING
    image: int | None = None
    """Index of the picture that was named."""
    missing: tuple[str, ...] = ()
    """What the detector has to find first."""
    asked: str = ""
    """The earlier question, where this one only says which object was meant."""

    @property
    def reason(self) -> str:
        """Why no model is asked, or what for."""
        if self.missing:
            return f"{', '.join(map(repr, self.missing))} must be found first"
        return "it is about objects that are known"


@dataclass(slots=True)
class _Change:
    """What a request does to a conversation."""

    regions: tuple[Region, ...]
    edits: tuple[Edit, ...]
    wording: Wording
    shown: tuple[Region, ...] = ()
    """Regions that the answer shows."""
    choices: tuple[str, ...] = ()
    step: str = "ask"


class ReferringConversation(MarkableConversation):
    """A conversation in which one can refer to objects that were found."""

    def resolve(self, text: str, *, image: int | None = None) -> Resolution:
        """Say which of the regions an expression means, without a model.

        Args:
            text: a referring expression, such as "the left one" or "除了狗以外的".
            image: index of the picture it is about; None: what `segue.conversation.references`
                takes.

        Returns:
            The ids of the regions; or choices; or neither where the words are not understood.
        """
        expression = read_expression(text)
        if expression is None:
            return Resolution()
        return self._resolve(expression, self.regions, image, self._salient(), is_chinese(text))

    def _resolve(
        self,
        expression: Expression,
        regions: Sequence[Region],
        image: int | None,
        salient: Iterable[str],
        chinese: bool,
    ) -> Resolution:
        with_colours = speaks_of_colours(expression)
        referents = [self._referent(region, with_colours) for region in regions]
        return resolve_expression(
            expression, referents, image=image, salient=salient, chinese=chinese
        )

    def _referent(self, region: Region, with_colours: bool) -> Referent:
        mask = region.mask
        colours: frozenset[str] = frozenset()
        if with_colours and mask is not None:
            colours = basic_colours(self.images[region.image], mask)
        return Referent(
            region.id,
            region.names or (region.phrase,),
            region.box,
            region.box.area if mask is None else mask.area,
            region.image,
            colours,
        )

    def _salient(self) -> list[str]:
        """Return the ids of the objects spoken of last."""
        ids = {region.id for region in self.regions}
        for answer in reversed(self.answers):
            salient_ids = [region.id for region in answer.regions if region.id in ids]
            if salient_ids:
                return salient_ids
            for phrase in spoken_of(answer.question, ""):
                if expression := read_expression(f"the {phrase}") or read_expression(phrase):
                    salient_ids += self._resolve(expression, self.regions, None, (), False).ids
            if salient_ids:
                return salient_ids
        return []

    def _open_choice(self) -> tuple[ObjectRequest, str, tuple[Region, ...]] | None:
        """Return the request whose objects the user was asked for last, its words, the choices."""
        if not self.answers or not self.answers[-1].choices:
            return None
        choices = tuple(r for r in self.regions if r.id in self.answers[-1].choices)
        for answer in reversed(self.answers):
            request = read_request(reference_in(answer.question, answer.images).neutral)
            if not answer.choices or request is None:
                return None
            if not request.is_bare:
                return request, answer.question, choices
        return ObjectRequest("point"), "", choices

    def _plan_request(self, reference: PictureReference) -> RequestPlan | None:
        """Decide whether a question is answered from the register; None: it is not."""
        text = reference.neutral
        image = reference.indexes[-1] if reference.indexes else None
        request = read_request(text)
        if plan := self._plan_choice(text, request, image):
            return plan
        if request is None:
            return None
        if request.action in ("undo", "redo"):
            return RequestPlan(request)
        expression = request.expression
        if expression is None:
            return None
        chinese = is_chinese(text)
        resolution = self._resolve(expression, self.regions, image, self._salient(), chinese)
        if request.is_comparison:
            is_told = (resolution.ids or resolution.choices) and self._compares(expression, image)
            return RequestPlan(request, resolution, image) if is_told else None
        if request.action == "point":
            is_answerable = request.is_bare or is_anaphoric(expression)
            if not is_answerable and not self._tells_apart(expression):
                return None
            return (
                RequestPlan(request, resolution, image)
                if resolution.ids or resolution.choices
                else None
            )
        missing: tuple[str, ...] = ()
        if not resolution.ids and not resolution.choices and request.action == "edit":
            missing = tuple(nouns_of(expression)) if self.pipeline.detector is not None else ()
        return RequestPlan(request, resolution, image, missing)

    def _plan_choice(
        self, text: str, request: ObjectRequest | None, image: int | None
    ) -> RequestPlan | None:
        """Read the answer to a choice that was offered."""
        choice = self._open_choice()
        if choice is None or (request is not None and not request.is_bare):
            return None
        asked_for, asked_question, choices = choice
        text = text.strip(" .。!！?？")
        expression = read_expression(f"number {text}" if text.isdecimal() else text)
        if expression is None:
            return None
        ids = [region.id for region in choices]
        chinese = is_chinese(text)
        resolution = self._resolve(expression, choices, None, ids, chinese)
        if not resolution.ids:
            return (
                RequestPlan(asked_for, resolution, image, asked=asked_question)
                if resolution.choices
                else None
            )
        asked_expression = asked_for.expression
        if isinstance(asked_expression, Exclusion | Union):
            new_resolution = self._resolve(
                asked_expression, self.regions, image, resolution.ids, chinese
            )
            if new_resolution.ids:
                return RequestPlan(asked_for, new_resolution, image, asked=asked_question)
        return RequestPlan(asked_for, resolution, image, asked=asked_question)

    def _tells_apart(self, expression: Expression) -> bool:
        """Whether an expression chooses among several known objects of one name."""
        if not isinstance(expression, Description) or expression.noun is None:
            return False
        says_which = expression.side or expression.size or expression.ordinal or expression.colours
        return bool(says_which) and self._compares(expression, None)

    def _compares(self, expression: Expression, image: int | None) -> bool:
        """Whether an expression chooses among several known objects."""
        if isinstance(expression, Among):
            whole: Expression = expression.whole
        elif isinstance(expression, Description):
            whole = Description(expression.noun, plural=True, every=True)
        else:
            return False
        salient = self._salient()
        return len(self._resolve(whole, self.regions, image, salient, False).ids) > 1

    def _stream_request(
        self, question: str, reference: PictureReference, plan: RequestPlan
    ) -> Generator[Event, None, None]:
        """Answer a request about objects, and keep the turn."""
        builder = AnswerBuilder(question)
        builder.from_register = True
        regions = self.regions
        for sentence in self._notices_of_shown_again():
            builder.add(Notice(sentence))
            yield Notice(sentence)
        if plan.missing:
            for sentence in self._photograph_notices():
                builder.add(Notice(sentence))
                yield Notice(sentence)
            register = ObjectRegister(self.regions, self.new_ids(), len(self.turns))
            for event in self.pipeline.mark(
                plan.missing, self.images, pictures=reference.indexes or None,
                identify=register.identify,
            ):  # fmt: skip
                builder.add(event)
                yield event
            if notice := self._notice_of_same_places(builder):
                builder.add(notice)
                yield notice
            found_regions = list(builder.regions.values())
            regions = tuple(update_regions(self.regions, found_regions))
            ids = [region.id for region in found_regions]
            plan = self._plan_with(plan, regions, ids, chinese=is_chinese(question))
        change = self._change(question, plan, regions)
        words = TextAdded(change.wording.text)
        builder.add(words)
        yield words
        builder.raw.append(change.wording.text)
        builder.choices = change.choices
        for region in change.shown:
            span = change.wording.spans.get(region.id)
            phrase = region.phrase if span is None else change.wording.text[slice(*span)]
            turns = tuple(dict.fromkeys((*region.turns, len(self.turns))))
            shown_region = replace(region, span=span, phrase=phrase, turns=turns)
            builder.add(RegionFound(shown_region))
            yield RegionFound(shown_region)
            if shown_region.mask is not None:
                yield MaskReady(shown_region)
        answer = builder.answer(self.images)
        self._push_turn(
            Message("user", question, self._new_images),
            answer,
            regions=change.regions,
            edits=change.edits,
            step=Step(change.step, f"{plan.asked}: {question}" if plan.asked else question),
        )
        yield Done(answer)

    def _plan_with(
        self, plan: RequestPlan, regions: Sequence[Region], found: Sequence[str], *, chinese: bool
    ) -> RequestPlan:
        """Decide again, once the detector has found what was missing."""
        expression = plan.request.expression
        assert expression is not None
        # "It and the cat": the cat was found now, but it was spoken of before.
        salient = self._salient() if has_pronouns(expression) else found
        resolution = self._resolve(expression, regions, plan.image, salient, chinese)
        if not resolution.ids and not resolution.choices and isinstance(expression, Description):
            # "The cat behind the tree": the detector has read what the rules cannot.
            simple = replace(expression, noun=None)
            found_regions = [region for region in regions if region.id in found]
            resolution = self._resolve(simple, found_regions, plan.image, (), chinese)
        return replace(plan, resolution=resolution, missing=())

    def _change(self, question: str, plan: RequestPlan, regions: tuple[Region, ...]) -> _Change:
        """Work out what a request does; nothing of the conversation changes here."""
        request, resolution = plan.request, plan.resolution
        chinese = is_chinese(question)
        if request.action in ("undo", "redo"):
            return self._change_back(request.action, chinese=chinese)
        by_id = {region.id: region for region in regions}
        if resolution.choices and request.is_comparison:
            equal_regions = [by_id[id] for id in resolution.choices]
            wording = say_equal(equal_regions, chinese=chinese)
            return _Change(regions, self.edits, wording, tuple(equal_regions))
        if resolution.choices:
            choices = [by_id[id] for id in resolution.choices]
            wording = ask_which(
                resolution.reason, choices, places_of(
                    [self._referent(region, False) for region in choices], chinese=chinese
                ), chinese=chinese,
            )  # fmt: skip
            return _Change(regions, self.edits, wording, tuple(choices), resolution.choices)
        if not resolution.ids:
            text = unknown_object(request.target, chinese=chinese)
            return _Change(regions, self.edits, Wording(text, {}))
        ids, parameters = resolution.ids, dict(request.parameters)
        rest = parameters.get("where") == "rest"
        chosen_regions = [by_id[id] for id in ids]
        wording = describe_done(
            request, chosen_regions, resolution.reason, chinese=chinese, rest=rest
        )
        change = _Change(regions, self.edits, wording, tuple(chosen_regions))
        match request.action:
            case "edit":
                self._add_edits(change, chosen_regions, request.operation, parameters)
            case "delete":
                change.regions = tuple(region for region in regions if region.id not in ids)
                change.edits = tuple(e for e in self.edits if not set(ids) & set(e.regions))
                change.shown = ()
            case "rename":
                change.regions = tuple(
                    _renamed(region, request.name) if region.id in ids else region
                    for region in regions
                )
                change.shown = tuple(region for region in change.regions if region.id in ids)
            case "merge":
                self._merge(change, chosen_regions)
        return change

    def _add_edits(
        self,
        change: _Change,
        chosen: Sequence[Region],
        operation: str,
        parameters: dict[str, object],
    ) -> None:
        """Add an edit for each picture, and see that it can be painted."""
        for image in dict.fromkeys(region.image for region in chosen):
            ids = [region.id for region in chosen if region.image == image]
            change.edits = (*change.edits, Edit(operation, ids, parameters))
            self._apply(change.edits, self.backgrounds, image, all_regions=change.regions)

    def _merge(self, change: _Change, chosen: Sequence[Region]) -> None:
        if len(chosen) < 2:
            raise InputError(f"Merging needs at least two regions, got only {chosen[0].id}.")
        merged = union_of_regions(chosen, None)
        ids = [region.id for region in chosen]
        change.regions = tuple(
            merged if region.id == ids[0] else region
            for region in change.regions
            if region.id not in ids[1:]
        )
        change.edits = edits_after_merge(change.edits, ids)
        change.shown = (merged,)

    def _change_back(self, action: str, *, chinese: bool) -> _Change:
        """Take back the last change of regions and edits that still counts, or redo it."""
        undoable, redoable = changes_to_take_back(*self.history.steps())
        if not (undoable if action == "undo" else redoable):
            text = undone(action, "", chinese=chinese)
            return _Change(self.regions, self.edits, Wording(text, {}))
        change, step = (undoable[-1], undoable[-1].step) if action == "undo" else redoable[-1]
        regions, edits = change.take_back(self.history.now)
        text = undone(action, str(step), chinese=chinese)
        return _Change(regions, edits, Wording(text, {}), step=action)


def _renamed(region: Region, name: str) -> Region:
    return replace(region, phrase=name, names=tuple(dict.fromkeys((name, *region.names))))
