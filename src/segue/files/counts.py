"""Numbers of things, as people say them."""


def count_noun(count: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    Args:
        count: how many.
        singular: the noun for one.
        plural: the noun for more; None: with an s.

    >>> count_noun(1, "region"), count_noun(0, "region"), count_noun(2, "box", "boxes")
    ('1 region', '0 regions', '2 boxes')
    """
    return f"{count} {singular if count == 1 else plural or singular + 's'}"
