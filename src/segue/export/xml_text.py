"""Text inside XML files, and XML files read without what could exhaust memory."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from segue.annotations.entry_log import EntryLog
from segue.errors import InputError
from segue.export.files import read_text
from segue.files.unicode import REPLACEMENT

_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def xml_text(text: str) -> str:
    """Return a text with U+FFFD in place of the few characters that XML cannot hold.

    >>> xml_text("a & b"), xml_text("bell \\x07")
    ('a & b', 'bell �')
    """
    return _NOT_XML.sub(REPLACEMENT, text)


def xml_file(root: ET.Element) -> str:
    """Return the text of a file with this root, indented."""
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def read_xml(source: str | Path, kind: str, log: EntryLog) -> ET.Element:
    """Read the root of an XML file that declares no document type.

    Args:
        source: the file.
        kind: what it should be, for the message: "a CVAT for images file".
        log: names the file in messages.

    Raises:
        InputError: it cannot be read, is no XML, or declares a document type.
    """
    text = read_text(source)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # never needed, and a way to exhaust memory
        raise InputError(f"{log.source} declares a document type, expected {kind}: it has none.")
    with log.whole(kind):
        return ET.fromstring(text)
