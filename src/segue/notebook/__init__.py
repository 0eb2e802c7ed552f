"""Pictures in notebooks: click on them, and watch answers being written.

    from segue.notebook import click_widget, show_answer

    widget = click_widget(assistant, "photo.jpg")
    widget                                          # at the end of a cell: click on the picture
    widget.regions                                  # in a later cell: what was clicked

    answer = show_answer(conversation, "Where is the dog?")

Works in JupyterLab, Notebook 7, VS Code and Colab. The widget needs the extra "notebook"; what
shows itself without it (answers, regions, masks) is in `segue.draw.rich_display`.
"""

from segue.notebook.click_editor import ClickEditor
from segue.notebook.clicks import click_widget
from segue.notebook.streaming import show_answer

__all__ = ["ClickEditor", "click_widget", "show_answer"]
