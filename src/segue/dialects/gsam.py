"""Plain words with `<gsam>` tags: a model that was taught the tag and no other markup.

    There is <gsam>a dog</gsam> on the left.                a detector must find it

Every dialect reads the tag; this one reads nothing else: boxes of another markup stay words.
"""

from segue.dialects.parsing.reading import ReplyDialect
from segue.dialects.parsing.reply import ReplyParser


def dialect() -> ReplyDialect:
    """Return the `<gsam>` tag alone."""
    return ReplyDialect(ReplyParser)
