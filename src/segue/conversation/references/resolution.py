"""Decides which objects a referring expression means.

An expression is looked up among the objects of one picture: the one that was asked about, else that
of the objects spoken of last, else the newest that has objects. A noun that names nothing there is
looked up on the other pictures. Wherever the words leave several objects, they are choices.
"""

from collections.abc import Iterable, Sequence

from segue.conversation.references.chinese import read_chinese
from segue.conversation.references.english import read_english
from segue.conversation.references.expressions import (
    LAST,
    Among,
    Description,
    Exclusion,
    Expression,
    Numbers,
    Others,
    Pronoun,
    Side,
    Union,
)
from segue.conversation.references.ordering import Order, order_by_side, order_by_size
from segue.conversation.references.reasons import key_of_place, reason
from segue.conversation.references.referents import NOTHING, Referent, Resolution
from segue.prompting.intent import is_chinese
from segue.prompting.synonyms import names_object


def read_expression(text: str) -> Expression | None:
    """Read a referring expression in English or Chinese; None: the rules do not know it.

    >>> read_expression("the left dog").noun
    'dog'
    >>> read_expression("what is it doing") is None
    True
    """
    return read_chinese(text) if is_chinese(text) else read_english(text)


def resolve(
    text: str,
    referents: Sequence[Referent],
    *,
    image: int | None = None,
    salient: Iterable[str] = (),
) -> Resolution:
    """Say which objects an expression means.

    Args:
        text: an expression, without a verb: "the left one", "除了狗以外的".
        referents: the objects, in the order in which they were found.
        image: index of the picture that was asked about; None: it was not said.
        salient: ids of the objects spoken of last.

    Returns:
        The objects; or choices; or neither, and the chat model has to be asked.

    >>> from segue.values.box import Box
    >>> dogs = [Referent("r1", ("dog",), Box(0, 0, 9, 9), 81),
    ...         Referent("r2", ("dog",), Box(20, 0, 32, 9), 108)]
    >>> resolve("the left one", dogs)
    Resolution(ids=('r1',), choices=(), reason='the leftmost of 2')
    >>> resolve("the dog", dogs).choices
    ('r1', 'r2')
    """
    expression = read_expression(text)
    if expression is None:
        return NOTHING
    return resolve_expression(
        expression, referents, image=image, salient=salient, chinese=is_chinese(text)
    )


def resolve_expression(
    expression: Expression,
    referents: Sequence[Referent],
    *,
    image: int | None = None,
    salient: Iterable[str] = (),
    chinese: bool = False,
) -> Resolution:
    """Say which objects an expression that was read means. See `resolve`.

    Args:
        chinese: give reasons in Chinese.
    """
    resolver = _Resolver(referents, image, frozenset(salient), chinese)
    return resolver.resolve(expression)


class _Resolver:
    def __init__(
        self,
        referents: Sequence[Referent],
        image: int | None,
        salient: frozenset[str],
        chinese: bool,
    ) -> None:
        self._all, self._image, self._chinese = list(referents), image, chinese
        spoken_of = [referent for referent in referents if referent.id in salient]
        if image is None:
            newest = max((referent.image for referent in spoken_of or referents), default=0)
        else:
            newest = image
        self._scope = [referent for referent in referents if referent.image == newest]
        self._salient = [referent for referent in spoken_of if referent.image == newest]

    def resolve(self, expression: Expression) -> Resolution:
        match expression:
            case Pronoun():
                return self._resolve_pronoun(expression)
            case Numbers():
                return self._resolve_numbers(expression)
            case Description():
                return self._select(expression, self._candidates(expression.noun), self._salient)
            case Others():
                return self._resolve_others(expression)
            case Exclusion():
                return self._resolve_exclusion(expression)
            case Union():
                return self._resolve_union(expression)
            case Among():
                return self._resolve_among(expression)

    def _resolve_pronoun(self, pronoun: Pronoun) -> Resolution:
        salient, scope = self._salient, self._scope
        if pronoun.plural:
            if len(salient) > 1:
                return self._resolve_to(salient, "recent")
            if pronoun.count is not None and len(scope) == pronoun.count:
                return self._resolve_to(scope, "all")
            return self._offer(scope, "which of them")
        if len(salient) == 1:
            return self._resolve_to(salient, "recent")
        return self._offer(salient or scope)

    def _resolve_numbers(self, numbers: Numbers) -> Resolution:
        by_id = {referent.id: referent for referent in self._all}
        ids = [f"r{number}" for number in numbers.numbers]
        referents = [by_id[id] for id in ids if id in by_id]
        is_named = numbers.noun is None or all(
            _is_named(referent, numbers.noun) for referent in referents
        )
        return (
            self._resolve_to(referents, "number")
            if len(referents) == len(ids) and is_named
            else NOTHING
        )

    def _resolve_others(self, others: Others) -> Resolution:
        description = others.description
        candidates = self._candidates(description.noun)
        if not self._salient:
            return self._offer(candidates) if len(candidates) > 1 else NOTHING
        remaining = [referent for referent in candidates if referent not in self._salient]
        resolution = self._select(description, remaining, ())
        return (
            self._resolve_to(self._by_id(resolution.ids), "others")
            if resolution.ids
            else resolution
        )

    def _resolve_exclusion(self, exclusion: Exclusion) -> Resolution:
        whole_referents = self._candidates(exclusion.whole.noun)
        excluded = exclusion.excluded
        if isinstance(excluded, Description) and excluded.noun is None:
            resolution = self._select(excluded, whole_referents, self._salient)
        else:
            resolution = self.resolve(excluded)
        if not resolution.ids:
            return resolution
        remaining = [referent for referent in whole_referents if referent.id not in resolution.ids]
        return self._resolve_to(remaining, "exclusion", k=len(resolution.ids))

    def _resolve_union(self, union: Union) -> Resolution:
        ids: list[str] = []
        for part in union.parts:
            resolution = self.resolve(part)
            if not resolution.ids:
                return resolution
            ids += resolution.ids
        return self._resolve_to(self._by_id(ids), "union")

    def _resolve_among(self, among: Among) -> Resolution:
        resolution = self.resolve(among.whole)
        if not resolution.ids:
            return resolution
        referents = self._by_id(resolution.ids)
        if len({referent.image for referent in referents}) > 1:
            return NOTHING  # sizes and places in different pictures say nothing
        return self._select(among.part, referents, ())

    def _candidates(self, noun: str | None) -> list[Referent]:
        """Return what a noun names in scope; on the other pictures where there is none."""
        if noun is None:
            return self._scope
        named_referents = [referent for referent in self._all if _is_named(referent, noun)]
        in_scope = [referent for referent in named_referents if referent in self._scope]
        return in_scope or ([] if self._image is not None else named_referents)

    def _select(
        self, description: Description, candidates: list[Referent], salient: Sequence[Referent]
    ) -> Resolution:
        """Choose among candidates by everything that a description says but its noun."""
        if description.colours:
            if any(not referent.colours for referent in candidates):
                return NOTHING
            coloured = [
                referent for referent in candidates if description.colours <= referent.colours
            ]
            if len(coloured) == 1 and _contradicts_side(coloured[0], candidates, description.side):
                return NOTHING
            candidates = coloured
        if not candidates:
            return NOTHING
        if description.size is not None and description.side is not None:
            return self._select_by_both(description, candidates)
        if description.size is not None:
            return self._select_by_size(description, candidates)
        if description.side is not None or description.ordinal is not None:
            return self._select_by_place(description, candidates)
        return self._select_by_number(description, candidates, salient)

    def _select_by_number(
        self, description: Description, candidates: list[Referent], salient: Sequence[Referent]
    ) -> Resolution:
        key = "colour" if description.colours else "all"
        n, count = len(candidates), description.count
        spoken_of = [referent for referent in candidates if referent in salient]
        if count is not None and count != n:
            if len(spoken_of) == count and not description.every:
                return self._resolve_to(spoken_of, "recent")
            return self._offer(candidates, "which of them") if n > 1 else NOTHING
        if n == 1:
            return self._resolve_to(candidates, "only")
        if description.plural or count is not None:
            return self._resolve_to(candidates, key, n=n)
        if len(spoken_of) == 1:
            return self._resolve_to(spoken_of, "recent")
        return self._offer(candidates)

    def _select_by_both(self, description: Description, candidates: list[Referent]) -> Resolution:
        """Choose by size and by side, where both choose the same."""
        if description.ordinal is not None:
            return NOTHING
        by_size = self._select_by_size(description, candidates)
        by_side = self._select_by_place(description, candidates)
        if by_size.ids and by_size.ids == by_side.ids:
            return by_size
        ids = {*by_size.ids, *by_size.choices, *by_side.ids, *by_side.choices}
        return self._offer(self._by_id(ids))

    def _select_by_size(self, description: Description, candidates: list[Referent]) -> Resolution:
        assert description.size is not None
        order = order_by_size(candidates, largest_first=description.size == "big")
        if description.ordinal in (None, 1):
            return self._take(order, 1, description, candidates, description.size)
        return self._take(
            order, description.ordinal or 1, description, candidates, f"ranked {description.size}"
        )

    def _select_by_place(self, description: Description, candidates: list[Referent]) -> Resolution:
        side, n = description.side, len(candidates)
        if side == "middle":
            return self._select_middle(description, candidates)
        is_group = description.plural and description.count is None
        if is_group and n > 1:
            # "The dogs on the left": how many they are is not said.
            return self._offer(candidates, "which of them")
        ordinal = 1 if description.ordinal is None else description.ordinal
        key = key_of_place(side, ordinal)
        if side is not None:
            return self._take(
                order_by_side(candidates, side), ordinal, description, candidates, key
            )
        as_found = Order(candidates, lambda first, second: False)
        from_left = order_by_side(candidates, "left")
        resolutions = [
            self._take(order, ordinal, description, candidates, key)
            for order in (as_found, from_left)
        ]
        if resolutions[0].ids == resolutions[1].ids:
            return resolutions[0]
        ids = {id for resolution in resolutions for id in (*resolution.ids, *resolution.choices)}
        return self._offer(self._by_id(ids))

    def _select_middle(self, description: Description, candidates: list[Referent]) -> Resolution:
        n = len(candidates)
        if description.ordinal is not None or (description.count or 1) > 1:
            return NOTHING
        order = order_by_side(candidates, "middle")
        if n % 2 == 0:
            taken, unclear = order.take(n // 2 - 1, 2)
            return self._offer(taken or unclear)
        return self._take(
            order, n // 2 + 1, description, candidates, "only" if n == 1 else "middle"
        )

    def _take(
        self,
        order: Order,
        ordinal: int,
        description: Description,
        candidates: Sequence[Referent],
        key: str,
    ) -> Resolution:
        """Take as many objects from an order as a description asks for."""
        n = len(candidates)
        count = description.count or 1
        if count > 1 and ordinal not in (1, LAST):
            return NOTHING
        start = n - count + ordinal + 1 if ordinal < 0 else ordinal - 1
        taken, unclear = order.take(start, count)
        if unclear:
            return self._offer(unclear, "which" if count == 1 else "which of them")
        return self._resolve_to(taken, "only" if n == 1 else key, n=n, k=start + 1)

    def _by_id(self, ids: Iterable[str]) -> list[Referent]:
        wanted_ids = set(ids)
        return [referent for referent in self._all if referent.id in wanted_ids]

    def _resolve_to(
        self, referents: Sequence[Referent], key: str, *, n: int = 0, k: int = 0
    ) -> Resolution:
        if not referents:
            return NOTHING
        ids = tuple(referent.id for referent in self._by_id(one.id for one in referents))
        return Resolution(ids, (), reason(key, chinese=self._chinese, n=n or len(ids), k=k))

    def _offer(self, referents: Sequence[Referent], key: str = "which") -> Resolution:
        """Offer a choice; of one object it is no choice."""
        if len(referents) == 1:
            return self._resolve_to(referents, "only")
        ids = tuple(referent.id for referent in self._by_id(one.id for one in referents))
        return Resolution((), ids, reason(key, chinese=self._chinese) if ids else "")


def _is_named(referent: Referent, noun: str) -> bool:
    return any(names_object(noun, name) for name in referent.names)


def _contradicts_side(referent: Referent, among: Sequence[Referent], side: Side | None) -> bool:
    """Whether an object stands at the other end than the side that was said."""
    if side is None or side == "middle" or len(among) < 2:
        return False
    last, _ = order_by_side(among, side).take(len(among) - 1)
    return last == [referent]
