"""The way to a widget: it is imported only when one is made."""

from typing import TYPE_CHECKING

from segue.assistant import Assistant
from segue.conversation import Conversation
from segue.errors import InputError, MissingExtra
from segue.notebook.click_editor import ClickEditor
from segue.values.image import ImageSource

if TYPE_CHECKING:
    from segue.notebook.widget import ClickWidget


def click_widget(
    source: Assistant | Conversation, image: "ImageSource | int | None" = None
) -> "ClickWidget":
    """Show a picture on which clicks and boxes become regions.

    A click marks an object, Shift+click what does not belong to it, dragging draws a box around
    it. The mask is drawn at once; Enter keeps it, and the next click begins another object.

    Args:
        source: makes the masks. Kept regions become regions of a conversation.
        image: with an assistant, the picture: anything `Image.open` takes. With a conversation, the
            index of one of its pictures; None: the newest.

    Returns:
        A widget for the end of a cell; `regions` are what was clicked.

    Raises:
        MissingExtra: anywidget is not installed.
        InputError: there is no such picture, or no segmenter.
    """
    if isinstance(source, Conversation):
        if image is not None and not isinstance(image, int):
            raise InputError(
                "With a conversation, name one of its pictures by its index. Add another with "
                "conversation.add_images(…) first."
            )
        editor = ClickEditor(source, image)
    else:
        if image is None or isinstance(image, int):
            raise InputError("Give the picture: click_widget(assistant, 'photo.jpg').")
        editor = ClickEditor(source.open(image))
    try:
        from segue.notebook.widget import ClickWidget
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "segue":
            raise
        raise MissingExtra(
            f"Clicking in a notebook needs the 'notebook' extra ({error.name} is not installed). "
            "Run: pip install 'segue[notebook]'"
        ) from error
    return ClickWidget(editor)
