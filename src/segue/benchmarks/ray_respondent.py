"""Models in processes of Ray answer the items of a benchmark; see `segue.runs.ray_workers`.

Items go out as words and places of pictures, answers come back; the command alone writes them
to the journal, each once.
"""

import copy
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem
from segue.benchmarks.respondent import Distortion, ItemRespondent, LocatedItem, RegionMapping
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.runs.ray_workers import DIED_OVER, BlockWorker, RayWorkers
from segue.runs.settings import differences
from segue.runs.sources.locations import FileLocation, location_from_json, location_to_json
from segue.values.box import Size

RespondentFactory = Callable[[], ItemRespondent]
"""Loads the models, in a worker; it can be pickled."""


class RayRespondent(RayWorkers[ItemRespondent]):
    """Answers with models in workers of Ray; a context manager."""

    @staticmethod
    def describe(models: ItemRespondent) -> Mapping[str, Any]:
        """Return what answers depend on."""
        facts: Mapping[str, Any] = json.loads(json.dumps(models.facts()))
        return facts

    def distorted(
        self,
        picture: Distortion | None,
        words: Callable[[str], str] | None,
        restore: RegionMapping | None,
    ) -> "RayRespondent":
        """Return a respondent that is asked about worse pictures or in worse words."""
        other = copy.copy(self)
        other._factory = partial(_load_distorted, self._factory, picture, words, restore)
        return other

    def answer_all(self, items: Iterable[LocatedItem]) -> Iterator[BenchmarkAnswer]:
        """Answer items, in the order in which workers are done; missing pictures come first.

        Raises:
            InputError: a worker has other models, or does not see a picture.
            SegueError: workers died, or Ray failed.
        """
        work = []
        for located in items:
            failure = located.failure()
            if failure is not None:
                yield failure
            else:
                work.append(located_item_to_json(located))
        if work:
            arguments = (self._factory, self.facts())
            for value in self.run_blocks(ItemWorker, arguments, work):
                yield BenchmarkAnswer.from_json(value)


class ItemWorker(BlockWorker):
    """Answers blocks of items in a process of Ray."""

    def __init__(
        self, factory: RespondentFactory, facts: Mapping[str, Any], death_log: Any = None
    ) -> None:
        """Load the models.

        Args:
            factory: loads them.
            facts: what the answers of the run depend on.
            death_log: a `DeathLog` as an actor of Ray; None: nobody dies.
        """
        self._factory, self._facts = factory, facts
        super().__init__(death_log)

    def load(self) -> None:
        """Load the models, and compare them with those of the run."""
        self._respondent = self._factory()
        if changes := differences(self._facts, self._respondent.facts()):
            raise InputError(
                f"A worker on {platform.node()} has other models than the run: "
                f"{'; '.join(changes)}."
            )

    def read(self, value: Any) -> LocatedItem:
        """Return an item and its places."""
        return located_item_from_json(value)

    def name_of(self, piece: LocatedItem) -> str:
        """Return the id of its item."""
        return piece.item.id

    def do(self, pieces: Sequence[LocatedItem]) -> Iterator[Any]:
        """Answer items."""
        for located in pieces:
            for place in located.places:
                if isinstance(place, Path) and not place.is_file():
                    raise InputError(
                        f"A worker on {platform.node()} does not see {printable_path(place)}, "
                        "which is there on the machine of the command. Pictures need the same path "
                        "on all machines, such as that of a shared folder."
                    )
            yield self._respondent.answer(located.item, located.places).to_json()

    def deadly_result(self, piece: LocatedItem) -> Any:
        """Return the answer to an item over which too many workers died."""
        error = f"{DIED_OVER} Use workers with more memory, in another run."
        return BenchmarkAnswer(id=piece.item.id, size=Size(1, 1), error=error).to_json()


def located_item_to_json(located: LocatedItem) -> str:
    """Return an item and its places as JSON in ASCII; the truth stays here."""
    item = located.item
    places = [
        location_to_json(FileLocation(place.absolute()) if isinstance(place, Path) else place)
        for place in located.places
    ]
    return json.dumps([item.id, item.image_name, item.phrases, item.frame_names, places])


def located_item_from_json(value: Sequence[Any]) -> LocatedItem:
    """Read what `located_item_to_json` wrote."""
    identity, image_name, phrases, frame_names, places = value
    item = BenchmarkItem(
        id=identity,
        image_name=image_name,
        phrases=tuple(phrases),
        frame_names=tuple(frame_names),
    )
    locations = map(location_from_json, places)
    return LocatedItem(
        item, [one.path if isinstance(one, FileLocation) else one for one in locations]
    )


def _load_distorted(
    factory: RespondentFactory,
    picture: Distortion | None,
    words: Callable[[str], str] | None,
    restore: RegionMapping | None,
) -> ItemRespondent:
    return factory().distorted(picture, words, restore)
