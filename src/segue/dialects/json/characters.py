"""The characters of JSON, read one by one: marks, strings, numbers, words, comments, white space.

What they build is up to `json/block.py`. Models are no JSON writers, so this also takes keys
without quotation marks, round brackets for lists, line breaks and apostrophes within strings, and
quotation marks within strings that are not escaped: what stands between the second and the last of
them is skipped and reported.
"""

from abc import ABC, abstractmethod

from segue.dialects.json.meaning import unescaped

LIMIT = 2000
"""Of a longer string only this much is kept; an item's text is quoted up to this length."""
ITEM = 20_000
"""Of the text of one item this much is kept."""
UNCERTAIN = 20_000
"""JSON without any place is given up as words after this many characters outside strings."""
LONGEST = 4_000_000
"""The same, strings included: pictures are written as strings of many characters."""

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
        self.unfinished = ""
        """A word at its end that was none, where it stopped being JSON."""
        self._raw: list[str] = []
        self._bare = 0  # characters outside strings
        self._item: list[str] = []
        self._length = 0
        self._quote = ""  # the mark that ends the string being read
        self._escaped = False
        self._string_start = 0
        self._scalar = ""  # the string, number or word being read
        self._comment = False
        self._apostrophe = False  # a single quotation mark that may not end its string
        self._after_string = False  # only a mark may follow
        self._debris: str | None = None  # what follows a string instead

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
                self.unfinished = "" if self._quote else self._scalar[:-1]
                self.state = "broken"
                return at
            self.opener = self.opener or character
            if not self.points:
                self._raw.append(character)
                self._bare += not self._quote
                if self._bare > UNCERTAIN or len(self._raw) > LONGEST:
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
        """Open a bracket; return False where none may open."""

    @abstractmethod
    def _pop(self, closer: str) -> bool:
        """Close a bracket; return False where it closes nothing."""

    @abstractmethod
    def _comma(self) -> bool:
        """Begin the next member; return False where there is none."""

    @abstractmethod
    def _colon(self) -> bool:
        """Begin the value of a key; return False where there is no key."""

    @abstractmethod
    def _string(self, text: str) -> None:
        """End a string."""

    @abstractmethod
    def _number_or_word(self, text: str) -> None:
        """End a number, or a word like "true"."""

    @abstractmethod
    def _take_debris(self, text: str) -> None:
        """Text behind a string that belongs to nothing."""

    @property
    @abstractmethod
    def _in_object(self) -> bool:
        """The innermost bracket is that of an object."""

    @property
    @abstractmethod
    def _awaits_key(self) -> bool:
        """A key may come."""

    # Characters

    def _take(self, character: str) -> bool:
        if self._length < ITEM:
            self._item.append(character)
            self._length += 1
        return self._read(character)

    def _read(self, character: str) -> bool:
        if self._quote:
            return self._in_string(character)
        if self._debris is not None:
            return self._in_debris(character)
        if self._comment:
            self._comment = character != "\n"
            return True
        if self._scalar:
            word = character.isalnum() and character.isascii()
            if character in _NUMERIC or word or character == "_":
                self._scalar += character
                return len(self._scalar) <= 40 and self._plausible()
            text, self._scalar = self._scalar, ""
            self._number_or_word(text)
        if character.isspace():
            self.space = (self.space + character)[-LIMIT:]
            return True
        space_before, self.space = self.space, ""
        if self._mark(character):
            return True
        self.space = space_before
        return False

    def _mark(self, character: str) -> bool:
        after_string, self._after_string = self._after_string, False
        if character in "{[":
            return self._push(character)
        if character in "}]":
            return self._pop(character)
        if character in ",;":
            return self._comma()
        if character == ":":
            return self._colon()
        if character == "/" and self.points:
            self._comment = True
            return True
        if character in "\"'":
            self._quote, self._scalar = character, ""
            self._string_start = max(len(self._item) - 1, 0)
            return True
        if after_string and self._in_object:
            self._debris = character
            return True
        if character in "()" and self._depth:  # a tuple
            return self._push("(") if character == "(" else self._pop(")")
        self._scalar = character
        return self._plausible()

    def _plausible(self) -> bool:
        text = self._scalar
        if self._awaits_key:
            return text.isascii() and text.isidentifier()
        return set(text) <= _NUMERIC or any(word.startswith(text) for word in _WORDS)

    def _in_string(self, character: str) -> bool:
        if self._apostrophe:
            self._apostrophe = False
            if not (character.isalnum() or character == "_"):
                self._end_string()
                return self._read(character)
            self._scalar += "'"
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == self._quote:
            if character == "'":
                self._apostrophe = True
            else:
                self._end_string()
            return True
        elif character == "\n" and not self._in_object:
            return False
        if len(self._scalar) < LIMIT:
            self._scalar += character
        return True

    def _end_string(self) -> None:
        text, self._scalar, self._quote = self._scalar, "", ""
        self._after_string = not self._awaits_key
        self._string(unescaped(text))

    def _in_debris(self, character: str) -> bool:
        """Skip what follows a string, up to a quotation mark that stands before a mark."""
        assert self._debris is not None
        if character in ",}]" and self._debris.rstrip()[-1:] in ("'", '"'):
            text, self._debris = self._debris, None
            self._take_debris(text)
            return self._mark(character)
        self._debris += character
        return len(self._debris) <= LIMIT
