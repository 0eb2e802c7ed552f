"""Speaking of objects that were found already: "the left one", "all but the dog", "另外两个".

`resolve` answers from the objects of a conversation, without a model. It chooses only where the
words allow it; where several objects fit it asks, and what it does not understand it hands on to
the chat model. docs/references.md lists what can be said.
"""

from segue.conversation.references.referents import NOTHING, Referent, Resolution
from segue.conversation.references.resolution import read_expression, resolve

__all__ = ["NOTHING", "Referent", "Resolution", "read_expression", "resolve"]
