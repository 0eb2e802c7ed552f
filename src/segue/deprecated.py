"""Names that have moved, kept for one version: each warns and says the new name.

Modules of 0.1 are found under their old names by an import hook; methods of 0.1 by `renamed`. This
file and every use of it goes with version 0.3.
"""

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED: Mapping[str, tuple[str, ...]] = {
    "segue.atomic_file": ("segue.files.atomic",),
    "segue.box": ("segue.values.box", "segue.values.frames"),
    "segue.catalog": ("segue.runtime.catalog",),
    "segue.chat_detector": ("segue.pipeline.chat_detector",),
    "segue.collector": ("segue.pipeline.answer_builder",),
    "segue.convert_weights": ("segue.convert.weights",),
    "segue.device": ("segue.runtime.device",),
    "segue.evaluate.synonyms": ("segue.prompting.synonyms",),
    "segue.export.fields": ("segue.annotations.fields",),
    "segue.export.json": ("segue.values.serialize",),
    "segue.follower": ("segue.pipeline.reply_processor",),
    "segue.history": ("segue.conversation.history",),
    "segue.image": ("segue.values.image",),
    "segue.mask": ("segue.values.mask",),
    "segue.memory": ("segue.runtime.memory",),
    "segue.message": ("segue.values.message", "segue.pipeline.answer"),
    "segue.presets": ("segue.pipeline.presets", "segue.assistant.loading"),
    "segue.profile": ("segue.runtime.profile",),
    "segue.region": ("segue.values.region",),
    "segue.reply": ("segue.runtime.text_stream",),
    "segue.request": ("segue.prompting.intent",),
    "segue.routes": ("segue.pipeline.routing", "segue.pipeline.cross_check"),
    "segue.session": (
        "segue.conversation.session.write",
        "segue.conversation.session.read",
        "segue.assistant.replay",
    ),
    "segue.sight": ("segue.pipeline.coordinates",),
    "segue.text_file": ("segue.files.text",),
    "segue.weights": ("segue.runtime.weights",),
}
"""Modules of 0.1, and where their names are now."""

NEW_NAMES: Mapping[str, str] = {
    "Annotated": "AnnotatedImage",
    "Choice": "RouteDecision",
    "Collector": "AnswerBuilder",
    "Event": "ReplyEvent",
    "Follower": "ReplyProcessor",
    "Found": "Detection",
    "Malformed": "MalformedMarkup",
    "Pointed": "BoxMention",
    "Reply": "TaggedReply",
    "Request": "Intent",
    "Shape": "DrawnShape",
    "Sight": "CoordinateMapping",
    "Spotted": "PointMention",
    "Text": "PlainText",
    "Wanted": "DetectRequest",
    "checked_detections": "check_detections",
    "choose": "choose_route",
    "detector_of": "chat_as_detector",
    "manifest": "make_manifest",
    "normal": "normalise_phrase",
    "policy": "default_policy",
    "preset": "preset_of",
    "read_reply": "parse_reply",
    "read_request": "parse_intent",
    "report": "make_report",
    "singular": "singularise",
    "tagged": "tag_reply",
}
"""Names of 0.1 that were replaced, in whatever module they are."""


def warn(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that a name is used which goes with the next version."""
    warnings.warn(
        f"{old} is now {new}; the old name goes with version 0.3.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


def renamed(old: str, new: Any) -> Any:
    """Return a method or property that warns and does what the new one does.

    Args:
        old: the old name, with its class.
        new: the function or property that took its place.
    """
    if isinstance(new, property):
        getter = new.fget
        assert getter is not None

        def read(self: Any) -> Any:
            warn(old, getter.__name__)
            return getter(self)

        return property(read)

    @wraps(new)
    def call(*args: Any, **kwargs: Any) -> Any:
        warn(old, new.__name__)
        return new(*args, **kwargs)

    return call


def renamed_in(module: str) -> Callable[[str], Any]:
    """Return a module's `__getattr__` that finds the old names of `NEW_NAMES` which it had.

    Args:
        module: its `__name__`.
    """

    def __getattr__(name: str) -> Any:
        new_name = NEW_NAMES.get(name)
        contents = vars(sys.modules[module])
        if new_name is None or new_name not in contents:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{module}.{name}", new_name)
        return contents[new_name]

    return __getattr__


class _MovedModule(ModuleType):
    """A module of an earlier version: its names are looked up where they are now."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for home in MOVED[self.__name__]:
            module = import_module(home)
            for now in (name, NEW_NAMES.get(name, name)):
                if hasattr(module, now):
                    return getattr(module, now)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class MovedModules(MetaPathFinder, Loader):
    """Finds modules under the names of an earlier version."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Claim the modules of `MOVED`, and nothing else."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the module that forwards."""
        return _MovedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Warn once: Python keeps the module."""
        warn(module.__name__, " and ".join(MOVED[module.__name__]), stacklevel=6)


def find_moved_modules() -> None:
    """Let Python find modules under the names of an earlier version."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
