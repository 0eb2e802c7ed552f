"""The characters of JSON, read one by one: marks, strings, numbers, words, comments, white space.

What they build is up to `json_block.py`.
"""

from abc import ABC, abstractmethod

from segue.dialects.json_meaning import unescaped

LIMIT = 2000
"""Of a longer string only this much is kept; an item's text is quoted up to this length."""
UNCERTAIN = 20_000
"""JSON without any place is given up as words after this many characters."""

_WORDS = ("true", "false", "null", "None", "True", "False", "NaN")
_NUMERIC = frozenset("0123456789+-.eE")


class JsonCharacters(ABC):
    """One piece of JSON, from its opening bracket on."""

    def __init__(self) -> None:
        self.state = "open"
        """ "open", "closed", or "broken": the next character is no JSON."""
        self.points = False
        """It has held a place or tried to: it is not meant to be read by people."""
        self.opener = ""
        self.space = ""
        """White space at its end."""
        self._raw: list[str] = []
        self._item: list[str] = []
        self._length = 0
        self._quote = ""  # the mark that ends the string being read
        self._escaped = False
        self._string_start = 0
        self._scalar = ""  # the string, number or word being read
        self._comment = False

    @property
    def raw(self) -> str:
        """Its text, while it may still turn out to be words."""
        return "".join(self._raw)

    @property
    def in_string(self) -> bool:
        """Whatever comes next belongs to a string."""
        return bool(self._quote)

    def feed(self, text: str) -> int:
        """Read on; returns how many characters were taken. Stops when the state changes."""
        for at, character in enumerate(text):
            if not self._take(character):
                if self._item:
                    self._item.pop()  # it belongs to what follows
                self.state = "broken"
                return at
            self.opener = self.opener or character
            if not self.points:
                self._raw.append(character)
                if len(self._raw) > UNCERTAIN:
                    self.state = "broken"
                    return at + 1
            if not self._depth:
                self.state = "closed"
                return at + 1
        return len(text)

    # For the structure

    @property
    @abstractmethod
    def _depth(self) -> int:
        """How many brackets are open."""

    @abstractmethod
    def _push(self, opener: str) -> bool:
        """A bracket opens; False where none may."""

    @abstractmethod
    def _pop(self, closer: str) -> bool:
        """A bracket closes; False where it closes nothing."""

    @abstractmethod
    def _comma(self) -> bool:
        """The next member comes; False where there is none."""

    @abstractmethod
    def _colon(self) -> bool:
        """The value of a key comes; False where there is no key."""

    @abstractmethod
    def _string(self, text: str) -> None:
        """A string has ended."""

    @abstractmethod
    def _number_or_word(self, text: str) -> None:
        """A number, or a word like "true", has ended."""

    # Characters

    def _take(self, character: str) -> bool:
        if self._length < LIMIT:
            self._item.append(character)
            self._length += 1
        if self._quote:
            return self._in_string(character)
        if self._comment:
            self._comment = character != "\n"
            return True
        if self._scalar:
            if character in _NUMERIC or (character.isalpha() and character.isascii()):
                self._scalar += character
                return len(self._scalar) <= 40 and self._plausible()
            text, self._scalar = self._scalar, ""
            self._number_or_word(text)
        if character.isspace():
            self.space = (self.space + character)[-LIMIT:]
            return True
        before, self.space = self.space, ""
        if self._mark(character):
            return True
        self.space = before
        return False

    def _mark(self, character: str) -> bool:
        if character in "{[":
            return self._push(character)
        if character in "}]":
            return self._pop(character)
        if character in ",;":
            return self._comma()
        if character == ":":
            return self._colon()
        if character in "\"'":
            self._quote, self._scalar = character, ""
            self._string_start = max(len(self._item) - 1, 0)
            return True
        if character == "/" and self.points:
            self._comment = True
            return True
        self._scalar = character
        return character in _NUMERIC or self._plausible()

    def _plausible(self) -> bool:
        text = self._scalar
        return set(text) <= _NUMERIC or any(word.startswith(text) for word in _WORDS)

    def _in_string(self, character: str) -> bool:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == self._quote:
            text, self._scalar, self._quote = self._scalar, "", ""
            self._string(unescaped(text))
            return True
        elif character == "\n":
            return False
        if len(self._scalar) < LIMIT:
            self._scalar += character
        return True
