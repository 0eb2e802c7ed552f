"""Live conversations: read from the store when asked for, written back after each change.

Everything that needs or changes a `Conversation` runs in the worker's thread; reading what is
stored does not. A conversation is found only with its owner's name.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from segue.assistant import Assistant
from segue.conversation import Conversation
from segue.conversation.history import Snapshot, Step
from segue.conversation.session.snapshots import RegionReader, snapshot_from_json, snapshot_to_json
from segue.errors import UnknownName
from segue.files.counts import count_noun
from segue.pipeline.answer import Done, Event
from segue.pipeline.routing import Route
from segue.runtime.byte_cache import ByteCache
from segue.server.conversations.pictures import PictureStore, clean_picture_name
from segue.server.conversations.storage import Storage
from segue.server.conversations.store import (
    ConversationRecord,
    ConversationStore,
    PictureRecord,
    SnapshotJson,
)
from segue.server.disk_errors import disk_error_code
from segue.server.http.errors import ApiError, not_found_error
from segue.server.worker import Job
from segue.values.image import Image
from segue.values.message import Sampling

TITLE_LENGTH = 80

T = TypeVar("T")


class ConversationService:
    """The conversations of a server."""

    def __init__(
        self,
        store: ConversationStore,
        pictures: PictureStore,
        models: Callable[[], Assistant],
        budget_bytes: int = 256 * 2**20,
        storage: Storage | None = None,
    ) -> None:
        """
        Args:
            store: where they are kept.
            pictures: where their pictures are kept.
            models: the assistant, once it is there.
            budget_bytes: memory for conversations that nobody is waiting for.
            storage: the folder of both, whose reserve lets one delete on a full disk.
        """
        self._storage = storage
        self.store, self.pictures, self._models = store, pictures, models
        self._live: ByteCache[str, Conversation] = ByteCache(budget_bytes, size_of=_size)
        self._answering: dict[str, Conversation] = {}  # being answered: must not be read anew
        self._jobs: dict[str, Job] = {}
        self._lock = threading.RLock()  # adding and deleting pictures, against reading them

    def find_record(self, owner: str, id: str) -> ConversationRecord:
        """Find a stored conversation.

        Raises:
            ApiError: 404.
        """
        record = self.store.find(owner, id)
        if record is None:
            raise not_found_error("conversation", id)
        return record

    def find_revision(self, owner: str, id: str) -> int:
        """How often a conversation was changed.

        Raises:
            ApiError: 404.
        """
        revision = self.store.revision(owner, id)
        if revision is None:
            raise not_found_error("conversation", id)
        return revision

    def active_job(self, id: str) -> Job | None:
        """Return the job that is writing a reply in this conversation now."""
        job = self._jobs.get(id)
        if job is not None and job.done.is_set():
            self._jobs.pop(id, None)
            return None
        return job

    def set_active_job(self, id: str, job: Job) -> None:
        """From now on the conversation is busy, until the job is done."""
        self._jobs = {key: other for key, other in self._jobs.items() if not other.done.is_set()}
        self._jobs[id] = job

    def ask(
        self, owner: str, id: str, question: str, sampling: Sampling, route: Route | None = None
    ) -> Iterator[Event]:
        """Ask; the turn is stored before `Done` is given, or when it is broken off."""
        conversation = self._open(owner, id)
        n_turns = len(conversation.turns)
        self._answering[id] = conversation
        stream = conversation.stream(question, sampling, route=route)
        is_stored = False
        try:
            for event in stream:
                if isinstance(event, Done):
                    is_stored = True
                    self._store_last(id, conversation)
                yield event
        finally:
            stream.close()
            try:
                if len(conversation.turns) > n_turns and not is_stored:
                    self._store_last(id, conversation)
            finally:
                del self._answering[id]

    def apply(self, owner: str, id: str, change: Callable[[Conversation], T]) -> T:
        """Change a conversation and store what came of it."""
        conversation = self._open(owner, id)
        snapshot_before = conversation.history.now
        result = change(conversation)
        if conversation.history.now is not snapshot_before:
            self._store_last(id, conversation)
        return result

    def undo(self, owner: str, id: str) -> None:
        """Take the last change back.

        Raises:
            ApiError: 409, there is none.
        """
        if self._open(owner, id).undo() is None:
            raise ApiError(409, "nothing_to_undo", "There is nothing to undo.")
        self._move(id, -1)

    def redo(self, owner: str, id: str) -> None:
        """Do again what was taken back last.

        Raises:
            ApiError: 409, there is nothing.
        """
        if self._open(owner, id).redo() is None:
            raise ApiError(409, "nothing_to_redo", "There is nothing to redo.")
        self._move(id, 1)

    def add_images(self, owner: str, id: str, images: list[Image], max_images: int) -> None:
        """Add pictures; in any thread. What the conversation has already is not added again.

        Raises:
            ApiError: 404; 400, there would be too many.
        """
        for image in images:
            self.pictures.keep(image)
        with self._lock:
            pictures = self.find_record(owner, id).pictures
            n_pictures = len(pictures)
            known_digests = {picture.digest for picture in pictures}
            new_images = [image for image in images if image.digest not in known_digests]
            if n_pictures + len(new_images) > max_images:
                raise ApiError(
                    400,
                    "invalid_value",
                    f"A conversation may have {count_noun(max_images, 'picture')}, this would be "
                    f"the {n_pictures + len(new_images)}th. Start a new conversation.",
                )
            for image in images:  # once more: somebody may have deleted the same one meanwhile
                self.pictures.keep(image)
            self.store.add_pictures(
                id, [_picture_record(image) for image in new_images], _title(images[0].name)
            )
            for live in (self._answering.get(id), self._live.get(id)):
                if live is not None and len(live.images) == n_pictures:
                    live.add_images(*images)

    def add_background(self, owner: str, id: str, image: Image) -> str:
        """Add a picture that edits may name; in any thread."""
        self.pictures.keep(image)
        with self._lock:
            self.find_record(owner, id)
            self.pictures.keep(image)
            return self.store.add_background(id, image.digest)

    @property
    def size_bytes(self) -> int:
        """Memory of the conversations that are kept at hand."""
        return self._live.size_bytes

    def count_pixels(self, record: ConversationRecord) -> int:
        """Of all pictures of a conversation, those behind edits included."""
        hidden = set(self.store.backgrounds(record.id).values())
        hidden -= {picture.digest for picture in record.pictures}
        return record.pixels + sum(map(self.pictures.pixels, hidden))

    def load_background(self, id: str, name: str) -> Image:
        """Load a picture that edits may name.

        Raises:
            UnknownName: there is none of that name.
        """
        digests = self.store.backgrounds(id)
        if name not in digests:
            valid_names = ", ".join(digests) or "none"
            raise UnknownName(f"There is no background {name!r}. Known: {valid_names}.")
        return self.pictures.read(digests[name], name)

    def delete(self, owner: str, id: str) -> None:
        """Delete a conversation and the pictures that only it names; in any thread."""
        with self._lock:
            self.find_record(owner, id)
            self._live.remove(id)
            try:
                freed = self.store.delete(id)
            except sqlite3.Error as error:
                if self._storage is None or disk_error_code(error) != "storage_full":
                    raise
                with self._storage.release_reserve():
                    freed = self.store.delete(id)
                    self._forget(freed)
                    self.store.shrink()
            self._forget(freed)

    def _forget(self, digests: list[str]) -> None:
        for digest in digests:
            self.pictures.forget(digest)

    def import_conversation(self, owner: str, conversation: Conversation, title: str) -> str:
        """Take over a conversation that was saved elsewhere; in any thread."""
        images = (*conversation.images, *conversation.backgrounds.values())
        steps, at = conversation.history.steps()
        documents = [(step, snapshot_to_json(snapshot)) for step, snapshot in steps]
        with self._lock:
            for image in images:
                self.pictures.keep(image)
            id = self.store.create(owner, system=conversation.system)
            if conversation.images:
                self.store.add_pictures(
                    id, [_picture_record(image) for image in conversation.images]
                )
            for name, image in conversation.backgrounds.items():
                self.store.add_background(id, image.digest, name)
            self.store.import_steps(id, documents, at, title)
        return id

    def open_snapshot(self, record: ConversationRecord) -> Conversation:
        """Open what is stored as a separate conversation, to draw and export it; in any thread."""
        images, memo = self._images(record), self._pictures_of(record.id, record.snapshot)
        snapshot = snapshot_from_json(record.snapshot, {**memo, **{i.digest: i for i in images}})
        conversation = Conversation(self._models_if_there(), system=record.system)
        return conversation.restore(images, [(None, snapshot)], 0)

    def open_with_history(self, owner: str, id: str) -> Conversation:
        """Open what is stored as a separate conversation, with all that can be undone or redone,
        to save it elsewhere; in any thread.

        Raises:
            ApiError: 404.
        """
        with self._lock:
            return self._load(self.find_record(owner, id), self._models_if_there())

    def _models_if_there(self) -> Assistant:
        try:
            return self._models()
        except ApiError:  # still loading: only the models' names are missing then
            return Assistant()

    def clean(self) -> None:
        """Delete pictures that no conversation names: what a crash left behind."""
        used_digests = self.store.digests()
        for file in self.pictures.folder.glob("*.png"):
            if file.stem not in used_digests:
                file.unlink(missing_ok=True)

    def _open(self, owner: str, id: str) -> Conversation:
        """Open the live conversation, in the worker's thread."""
        with self._lock:
            self.find_revision(owner, id)
            conversation: Conversation | None = self._answering.get(id) or self._live.get(id)
            if conversation is None:
                conversation = self._load(self.find_record(owner, id), self._models())
                self._live.put(id, conversation)
        return conversation

    def _load(self, record: ConversationRecord, assistant: Assistant) -> Conversation:
        images = self._images(record)
        by_digest = {image.digest: image for image in images}
        documents, at = self.store.history(record.id)
        steps: list[tuple[Step | None, Snapshot]] = []
        region_of = RegionReader()
        for step, document in documents:
            by_digest |= self._pictures_of(record.id, document, by_digest)
            steps.append((step, snapshot_from_json(document, by_digest, region_of)))
        conversation = Conversation(assistant, system=record.system)
        return conversation.restore(images, steps, at)

    def _images(self, record: ConversationRecord) -> list[Image]:
        images: dict[str, Image] = {}
        for picture in record.pictures:
            if picture.digest not in images:
                images[picture.digest] = self.pictures.read(picture.digest)
        return [
            replace(images[picture.digest], name=clean_picture_name(picture.name))
            for picture in record.pictures
        ]

    def _pictures_of(
        self, id: str, document: SnapshotJson, loaded: dict[str, Image] | None = None
    ) -> dict[str, Image]:
        """Load the backgrounds that a document names, by digest."""
        missing = {
            digest: name
            for name, digest in document["backgrounds"].items()
            if digest not in (loaded or {})
        }
        return {digest: self.pictures.read(digest, name) for digest, name in missing.items()}

    def _store_last(self, id: str, conversation: Conversation) -> None:
        """Store the last step; what is live and what is stored never differ."""
        step = conversation.history.last
        assert step is not None
        document = snapshot_to_json(conversation.history.now)
        title = _title(document["turns"][0]["question"]) if document["turns"] else ""
        try:
            self.store.add_step(id, step, document, title)
        except BaseException:
            self._live.remove(id)
            raise
        if self._live.get(id) is conversation:
            self._live.put(id, conversation)

    def _move(self, id: str, by: int) -> None:
        try:
            self.store.move(id, by)
        except BaseException:
            self._live.remove(id)
            raise


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1] + "…"


def _picture_record(image: Image) -> PictureRecord:
    return PictureRecord(
        image.digest, clean_picture_name(image.name), image.size.width, image.size.height
    )


def _size(conversation: Conversation) -> int:
    """Memory of a conversation with everything that can be undone, in bytes."""
    steps, _ = conversation.history.steps()
    images = {id(image.array): image.array.nbytes for image in conversation.images}
    masks: dict[int, int] = {}
    for _, snapshot in steps:
        images |= {id(i.array): i.array.nbytes for i in snapshot.backgrounds.values()}
        regions = (*snapshot.regions, *(r for a in snapshot.answers for r in a.regions))
        masks |= {id(r.mask): r.mask.size_bytes for r in regions if r.mask is not None}
    return sum(images.values()) + sum(masks.values())
