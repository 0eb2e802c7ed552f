"""The sentences that answer a request about known objects, in the language of the request."""

from collections.abc import Sequence
from dataclasses import dataclass

from segue.conversation.references.object_request import ObjectRequest, all_objects
from segue.prompting.intent import is_chinese
from segue.prompting.synonyms import singularise
from segue.values.region import Region

_DONE = {
    "blur": ("Blurred", "已模糊"),
    "recolour": ("Recoloured", "已改变颜色"),
    "erase": ("Erased", "已擦除"),
    "cut_out": ("Cut out", "已抠出"),
    "background": ("Changed the background of", "已更换背景"),
    "delete": ("Deleted the region of", "已删除区域"),
    "merge": ("Merged", "已合并"),
    "rename": ("Renamed", "已改名"),
}


@dataclass(frozen=True, slots=True)
class Wording:
    """A sentence, and where it names which region."""

    text: str
    spans: dict[str, tuple[int, int]]
    """Id -> [start, end) of its name."""


class _Writer:
    """Puts a sentence together and remembers where regions are named."""

    def __init__(self) -> None:
        self._text, self._spans = "", dict[str, tuple[int, int]]()

    def add(self, text: str) -> None:
        self._text += text

    def add_regions(self, regions: Sequence[Region], *, chinese: bool) -> None:
        for number, region in enumerate(regions):
            if number:
                is_last = number == len(regions) - 1
                self.add("、" if chinese else " and " if is_last else ", ")
            name = name_in(region, chinese=chinese)
            start = len(self._text)
            self.add(f"{name} {region.id}" if name else region.id)
            self._spans[region.id] = (start, start + len(name or region.id))

    def wording(self) -> Wording:
        return Wording(self._text, self._spans)


def name_in(region: Region, *, chinese: bool) -> str:
    """Return what one region is called in a language, else in another; "" for one without a name.

    It may have been found as one of "dogs".
    """
    names = [name for name in (region.phrase, *region.names) if name]
    name = next((name for name in names if is_chinese(name) == chinese), names[0] if names else "")
    return singularise(name)


def describe_done(
    request: ObjectRequest, regions: Sequence[Region], reason: str, *, chinese: bool, rest: bool
) -> Wording:
    """Say what was chosen, why, and what was done with it.

    Args:
        request: what was asked for.
        regions: what was chosen.
        reason: why.
        chinese: in Chinese instead of English.
        rest: it was done to everything but the regions.
    """
    writer = _Writer()
    done = _DONE.get(request.operation or request.action)
    if done is None:
        writer.add("是" if chinese else "That is " if len(regions) == 1 else "Those are ")
    else:
        writer.add(done[chinese])
        excluded = "除此以外的全部:" if chinese else " everything but "
        writer.add(excluded if rest else ":" if chinese else " ")
    writer.add_regions(regions, chinese=chinese)
    if request.action == "rename":
        writer.add(f":{request.name}" if chinese else f" to {request.name}")
    if request.is_comparison:
        reason += f"{',' if chinese else ', '}{_basis(regions, chinese=chinese)}"
    if reason:
        writer.add(f"({reason})。" if chinese else f" ({reason}).")
    else:
        writer.add("。" if chinese else ".")
    return writer.wording()


def say_equal(regions: Sequence[Region], *, chinese: bool) -> Wording:
    """Say that a comparison of regions does not tell them apart, and what it was made from."""
    writer = _Writer()
    writer.add("差不多:" if chinese else "About equal: ")
    writer.add_regions(regions, chinese=chinese)
    measured = _basis(regions, chinese=chinese)
    writer.add(f"({measured})。" if chinese else f" ({measured}).")
    return writer.wording()


def _basis(regions: Sequence[Region], *, chinese: bool) -> str:
    """Say what an answer about places or sizes was read from."""
    has_masks = all(region.mask is not None for region in regions)
    if chinese:
        return "按掩膜测量" if has_masks else "按框测量"
    return "measured on the masks" if has_masks else "measured on the boxes"


def ask_which(
    question: str, regions: Sequence[Region], places: Sequence[str], *, chinese: bool
) -> Wording:
    """Ask which of several regions is meant.

    Args:
        question: "Which one do you mean?"
        regions: the choices.
        places: of each, where it stands among them, such as "left"; "" where that is not clear.
        chinese: in Chinese instead of English.
    """
    writer = _Writer()
    writer.add(question + ("" if chinese else " "))
    for number, (region, place) in enumerate(zip(regions, places)):
        if number:
            is_last = number == len(regions) - 1
            writer.add("、" if chinese else " or " if is_last else ", ")
        writer.add_regions([region], chinese=chinese)
        if place:
            writer.add(f"({place})" if chinese else f" ({place})")
    writer.add("。" if chinese else ".")
    return writer.wording()


def unknown_object(target: str, *, chinese: bool) -> str:
    """Say that no known object is meant, and that nothing was changed."""
    if target == all_objects(target):
        return (
            "还没有找到任何物体,因此没有修改。"
            if chinese
            else "No object has been found yet, so nothing was changed."
        )
    if chinese:
        return f"没有找到“{target}”,因此没有修改。"
    return f"There is no “{target}” among the objects, so nothing was changed."


def undone(action: str, what: str, *, chinese: bool) -> str:
    """Say what was undone or redone; or that there is nothing.

    Args:
        action: "undo" or "redo".
        what: the step; "" where there is none.
        chinese: in Chinese instead of English.
    """
    what = what.rstrip(" .。")
    if not what:
        if chinese:
            return "没有可以撤销的修改。" if action == "undo" else "没有可以恢复的修改。"
        return f"There is nothing to {action}."
    if chinese:
        return f"已撤销:{what}。" if action == "undo" else f"已恢复:{what}。"
    return f"Undone: {what}." if action == "undo" else f"Redone: {what}."
