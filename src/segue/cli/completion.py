"""What a shell offers while a command is typed: names of presets, models, dialects and formats."""

from collections.abc import Callable, Iterable


def _starting_with(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a function that lists the names that begin with what is typed so far."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def _presets() -> Iterable[str]:
    from segue.pipeline.presets import PRESETS

    return PRESETS


def _models(kind: str) -> Callable[[], Iterable[str]]:
    def names() -> Iterable[str]:
        from segue.pipeline.presets import nicknames

        return [*nicknames(kind), "none"]

    return names


def _dialects() -> Iterable[str]:
    from segue.dialects import DIALECTS

    return DIALECTS


def _export_formats() -> Iterable[str]:
    from segue.export import EXPORT_FORMATS

    return EXPORT_FORMATS


complete_preset = _starting_with(_presets)
complete_chat = _starting_with(_models("chat"))
complete_detector = _starting_with(_models("detect"))
complete_segmenter = _starting_with(_models("segment"))
complete_dialect = _starting_with(_dialects)
complete_export_format = _starting_with(_export_formats)
complete_device = _starting_with(lambda: ("auto", "cpu", "cuda", "mps"))
complete_dtype = _starting_with(lambda: ("auto", "float32", "bfloat16", "float16"))
complete_route = _starting_with(lambda: ("auto", "reply", "box", "tag"))
