"""The classes of a YOLO `data.yaml`: written so that YAML readers agree, read as people write.

Understood: `names` as a list or as numbers with names, in block or flow style, plain or in quotes
of both kinds, with comments. This is no YAML parser; what is beyond it is refused.
"""

import json
import re
from collections.abc import Sequence

from segue.errors import InputError
from segue.files.unicode import well_formed

_ESCAPED = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff\ufffe\uffff]")
_ITEM = re.compile(
    r"""\s*(?:(?P<number>\d+)\s*:\s+|-\s+)?
        (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^']|'')*)'|(?P<plain>[^#,\[\]{}"'\n][^,\n\]}]*?))
        \s*(?:\#[^\n]*)?(?=[,\n\]}]|$)""",
    re.VERBOSE,
)


def yaml_names(names: Sequence[str]) -> str:
    """`names:` as block style, each name in double quotes, as the last lines of a data.yaml."""
    lines = "".join(f"  {number}: {_quoted(name)}\n" for number, name in enumerate(names))
    return f"names:{'' if names else ' {}'}\n{lines}"


def read_names(text: str) -> dict[int, str]:
    """Read the classes of a data.yaml.

    Raises:
        InputError: there is no `names`, or it is of another form.
    """
    match = re.search(r"^names[ \t]*:(?P<rest>.*)", text, re.MULTILINE | re.DOTALL)
    if match is None:
        raise InputError("data.yaml has no 'names'")
    value = match["rest"]
    first = value.lstrip(" \t")
    if first[:1] in ("[", "{"):
        closer = "]" if first[0] == "[" else "}"
        inside, is_closed, _ = first[1:].rpartition(closer)
        if not is_closed:
            raise InputError("the 'names' of data.yaml are not closed")
        return _items(inside, ",")
    block = re.match(
        r"[ \t]*(?:#[^\n]*)?(?:\n(?:[ \t]*(?:\#[^\n]*)?(?=\n|$)|[ \t]*-\s.*|[ \t]+.*))*", value
    )
    return _items(block.group() if block else "", "\n")


def _items(text: str, between: str) -> dict[int, str]:
    names: dict[int, str] = {}
    at = 0
    while at < len(text):
        gap = re.compile(r"(?:\s|,|#[^\n]*)*").match(text, at)
        at = gap.end() if gap else at
        if at >= len(text):
            break
        item = _ITEM.match(text, at)
        if item is None or item.end() == at:
            raise InputError(f"data.yaml names a class {text[at : at + 30]!r} that cannot be read")
        at = item.end()
        number = int(item["number"]) if item["number"] else len(names)
        names[number] = _unquoted(item)
    return names


def _unquoted(item: re.Match[str]) -> str:
    if item["single"] is not None:
        return item["single"].replace("''", "'")
    if item["double"] is None:
        return re.sub(r"\s+#.*", "", item["plain"]).strip()
    try:
        return str(json.loads(f'"{item["double"]}"'))
    except ValueError:
        return item["double"]


def _quoted(name: str) -> str:
    text = json.dumps(well_formed(name), ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
