"""Colours that people with any kind of colour vision can tell apart.

Source: Okabe & Ito 2008, "Color Universal Design", https://jfly.uni-koeln.de/color/; without black.
"""

from collections.abc import Iterable

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

OKABE_ITO: tuple[Colour, ...] = (
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # bluish green
    (213, 94, 0),  # vermilion
    (204, 121, 167),  # reddish purple
    (240, 228, 66),  # yellow
    (0, 114, 178),  # blue
)
_SHADES = (0.0, 0.45, -0.3, 0.7, -0.5)
"""Towards white (positive) or black, for the second, third … of a kind."""


def key(phrase: str) -> str:
    """Return what makes two phrases the same for colouring: not case, not spaces."""
    return " ".join(phrase.casefold().split())


def palette(phrases: Iterable[str]) -> dict[str, Colour]:
    """Return a colour for each phrase, in the order in which they come; equal phrases share theirs.

    After seven different phrases the colours come again, lighter or darker.

    >>> palette(["cat", "dog", "Cat "]) == {
    ...     "cat": (230, 159, 0), "dog": (86, 180, 233), "Cat ": (230, 159, 0)}
    True
    """
    numbers: dict[str, int] = {}
    colours = {}
    for phrase in phrases:
        number = numbers.setdefault(key(phrase), len(numbers))
        turn, place = divmod(number, len(OKABE_ITO))
        colours[phrase] = shade(OKABE_ITO[place], turn)
    return colours


def shade(colour: Colour, number: int) -> Colour:
    """Return the colour itself (number 0), or a lighter or darker relative of it."""
    amount = _SHADES[number % len(_SHADES)]
    target = 255 if amount > 0 else 0
    red, green, blue = (round(value + (target - value) * abs(amount)) for value in colour)
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance in [0, 1], as WCAG 2 defines it."""

    def linear(value: int) -> float:
        part = value / 255
        return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)

    red, green, blue = colour
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def contrast_colour(colour: Colour) -> Colour:
    """Near-black or white, whichever has the higher WCAG contrast with `colour`."""
    return (255, 255, 255) if luminance(colour) < 0.18 else (16, 16, 16)
