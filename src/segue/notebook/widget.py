"""ClickWidget: a `ClickEditor` as an anywidget, for JupyterLab, VS Code and Colab."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from segue.conversation import Conversation
from segue.files.counts import count_noun
from segue.notebook.click_editor import ClickEditor
from segue.pipeline.regions import Regions


class ClickWidget(anywidget.AnyWidget):
    """Shows a picture; clicks and boxes on it become regions. Made by `click_widget`."""

    _esm = Path(__file__).parent / "widget.js"
    _css = Path(__file__).parent / "widget.css"
    _picture = traitlets.Bytes().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)

    def __init__(self, editor: ClickEditor) -> None:
        """
        Args:
            editor: what is shown.
        """
        super().__init__()
        self.editor = editor
        self._revision = 0
        self.on_msg(self._take_message)
        self.refresh()

    @property
    def regions(self) -> Regions:
        """What is marked on the picture; the last object is there before it is kept, too."""
        return self.editor.regions

    @property
    def conversation(self) -> Conversation:
        """The conversation that kept regions belong to."""
        return self.editor.conversation

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return what a notebook shows; where it shows no widgets, words that help."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        words = self._words()
        data |= {"text/plain": words, "text/html": f"<p>{escape(words)}</p>"}
        return bundle

    def _words(self) -> str:
        name = self.editor.image.name or "a picture"
        regions = count_noun(len(self.regions), "region")
        return (
            f"Click on {name}: {regions} so far. Where you read this in place of the picture, no "
            "widgets are shown: trust the notebook and run its cells, or, without a page, use "
            "widget.editor.click(x, y) and widget.editor.keep()."
        )

    def refresh(self) -> None:
        """Show what was changed in the conversation outside the widget."""
        self._revision += 1
        with self.hold_sync():
            self._picture = self.editor.picture_bytes()
            self._state = {**self.editor.to_json(), "revision": self._revision}

    def _take_message(self, _: object, content: Mapping[str, Any], buffers: list[bytes]) -> None:
        self.editor.handle(content)
        self.refresh()
