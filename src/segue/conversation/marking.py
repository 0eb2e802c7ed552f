"""Marking what an answer only spoke of, at once or afterwards."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from segue.conversation.editing import EditableConversation
from segue.conversation.history import Step
from segue.conversation.picture_focus import about_picture, reference_in
from segue.conversation.register import ObjectRegister, update_regions
from segue.errors import InputError
from segue.pipeline.answer import Answer, Event, Notice
from segue.pipeline.answer_builder import AnswerBuilder
from segue.pipeline.photographs import photograph_notice
from segue.pipeline.pipeline import Pipeline
from segue.pipeline.same_place import same_place_notice
from segue.prompting.picture_reference import PictureReference
from segue.prompting.spoken import spoken_of
from segue.values.image import Image


class MarkableConversation(EditableConversation):
    """A conversation whose answers in words can be marked on the pictures."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline.grounder)
        self.pipeline = pipeline

    def _mark(
        self,
        builder: AnswerBuilder,
        phrases: Sequence[str],
        images: Sequence[Image],
        reference: PictureReference,
        register: ObjectRegister,
    ) -> Iterator[Event]:
        """Look for phrases that the reply only spoke of, and add what is found to the answer."""
        if self.pipeline.detector is None:
            return
        builder.marked = tuple(phrase for phrase in phrases if phrase not in builder.not_found)
        for event in self.pipeline.mark(
            builder.marked,
            images,
            text="".join(builder.text),
            pictures=reference.indexes or None,
            identify=register.identify,
        ):
            builder.add(event)
            yield event

    def _photograph_notices(self) -> list[str]:
        """Return a sentence for each new picture on which the models know nothing."""
        stages = (self.pipeline.chat, self.pipeline.detector)
        notices = (photograph_notice(stages, image) for image in self._new_images)
        return [notice for notice in notices if notice is not None]

    def _reference(self, question: str) -> PictureReference:
        """Find the pictures that a question names, or the one that was added again for it."""
        reference = reference_in(question, self.images)
        again = self._shown_again
        return reference if again is None else about_picture(reference, again)

    def _notices_of_shown_again(self) -> list[str]:
        """Say that a picture was not added again."""
        if self._shown_again is None:
            return []
        name = f"picture {self._shown_again + 1}"
        return [f"This is {name} of the conversation, so it was not added again; it is meant here."]

    def _notice_of_same_places(self, builder: AnswerBuilder) -> Notice | None:
        """Say where an answer found, under another name, what is known or found already."""
        known_ids = {region.id for region in self.regions}
        new_ids = builder.regions.keys() - known_ids
        regions = update_regions(self.regions, builder.regions.values()) if new_ids else []
        notice = same_place_notice(regions, new_ids)
        return None if notice is None else Notice(notice)

    def mark(
        self, phrases: str | Sequence[str] | None = None, *, turn: int | None = None
    ) -> Answer:
        """Mark what an answer only spoke of: let the detector look for it.

        Args:
            phrases: what to look for; None: what the question speaks of, else the objects that the
                answer names, as far as they are known words.
            turn: index of the turn; None: the newest.

        Returns:
            The answer with the regions that were found. Undoing takes them back.

        Raises:
            InputError: there is no such turn, no detector, or nothing is named.
        """
        index = len(self.answers) - 1 if turn is None else turn
        if not 0 <= index < len(self.answers):
            raise InputError(f"There is no turn {index}; there are {len(self.answers)}.")
        answer = self.answers[index]
        named = [phrases] if isinstance(phrases, str) else phrases
        phrases = list(named or spoken_of(answer.question, answer.text))
        if not phrases:
            raise InputError(
                "Neither the question nor the answer names a known object. Say what to mark."
            )
        if self.pipeline.detector is None:
            raise InputError("Marking needs a detector. Load one: segue.load(detect=…).")
        images = answer.images
        builder = AnswerBuilder(answer.question)
        builder.text.append(answer.text)
        register = ObjectRegister(self.regions, self.new_ids(), index)
        reference = reference_in(answer.question, images)
        for _ in self._mark(builder, phrases, images, reference, register):
            pass
        same_places = self._notice_of_same_places(builder)
        for notice in (*builder.contradictions(), same_places):
            if notice is not None:
                builder.add(notice)
        found = {region.id: region for region in (*answer.regions, *builder.regions.values())}
        updated = replace(
            answer,
            regions=tuple(found.values()),
            not_found=tuple(dict.fromkeys((*answer.not_found, *builder.not_found))),
            notices=(*answer.notices, *builder.notices),
            marked=tuple(dict.fromkeys((*answer.marked, *builder.marked))),
        )
        self.history.push(
            Step("mark", ", ".join(phrases)),
            answers=(*self.answers[:index], updated, *self.answers[index + 1 :]),
            regions=tuple(update_regions(self.regions, builder.regions.values())),
        )
        return updated
