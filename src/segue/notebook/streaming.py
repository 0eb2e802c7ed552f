"""An answer in a notebook cell while it is being written: words, then masks, as they come."""

import time
from contextlib import closing

from segue.conversation import Conversation
from segue.draw.rich_display import figure_html, words_html
from segue.errors import InputError, MissingExtra
from segue.pipeline.answer import Answer, Done, MaskReady, ThoughtEnded
from segue.pipeline.answer_builder import AnswerBuilder
from segue.pipeline.routing import Route
from segue.values.message import Sampling

PAUSE_S = 0.1
"""Words are shown at most so often; a mask is shown at once."""


def show_answer(
    conversation: Conversation,
    question: str,
    sampling: Sampling | None = None,
    *,
    ground: bool = False,
    route: Route | None = None,
) -> Answer:
    """Ask, and show words and masks in the cell as they come.

    Interrupting the cell stops the model; what it said is kept as a turn. Give the answer a name or
    end the line with a semicolon, else the notebook shows it a second time.

    Args:
        conversation: is asked.
        question: as for `Conversation.stream`, and so are the other arguments.

    Raises:
        InputError: this is no notebook.
        MissingExtra: IPython is not installed.
        SegueError: as `Conversation.stream`.
    """
    try:
        from IPython import get_ipython
        from IPython.display import HTML, display
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Showing an answer in a notebook needs the 'notebook' extra (IPython is not "
            "installed). Run: pip install 'segue[notebook]'"
        ) from error
    if get_ipython() is None:
        raise InputError("There is no cell to show it in. Outside a notebook use Conversation.ask.")
    events = conversation.stream(question, sampling, ground=ground, route=route)
    builder = AnswerBuilder(question)
    cell = display(HTML("…"), display_id=True)
    shown_s = 0.0
    with closing(events):
        for event in events:
            if isinstance(event, Done):
                cell.update(HTML(event.answer._repr_html_()))
                return event.answer
            builder.add(event)
            is_urgent = isinstance(event, MaskReady | ThoughtEnded)
            if is_urgent or time.monotonic() - shown_s >= PAUSE_S:
                cell.update(HTML(_html_so_far(builder.answer(conversation.images))))
                shown_s = time.monotonic()
    raise AssertionError("a stream ends with Done")


def _html_so_far(answer: Answer) -> str:
    """Return words and what is marked; no picture before there is something to mark."""
    if any(region.mask is not None for region in answer.regions):
        return answer._repr_html_()
    return figure_html(f"<p>{words_html(answer.text, answer.regions)} …</p>")
