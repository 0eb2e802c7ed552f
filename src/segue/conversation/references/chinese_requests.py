"""Reads requests about objects in Chinese."""

import re

from segue.conversation.references.english_requests import english_colour
from segue.conversation.references.expressions import Numbers
from segue.conversation.references.object_request import (
    ObjectRequest,
    all_objects,
    colour_in,
    edit_request,
    target_in,
)
from segue.conversation.references.resolution import read_expression

_POLITE = re.compile(
    r"^(?:请你?|麻烦你?|帮我|帮忙|你能不能|能不能|能否|你?可以|现在|然后|再|接着|给我)+"
)
_TAIL = re.compile(r"(?:吧|一下|一点|好吗|可以吗|吗|谢谢|了)+$")
_UNDO = re.compile(r"^(?:撤销|撤回|取消)(?:刚才的?|上一步|这一步|这个|那个|它|操作|修改|编辑)*$")
_REDO = re.compile(r"^(?:重做|恢复)(?:刚才的?|上一步|这一步|操作|修改|编辑)*$")
_COLOUR = (
    r"(?P<colour>(?:浅|淡|深|暗|亮|鲜)?"
    r"(?:粉红|天蓝|红|橙|黄|绿|蓝|紫|粉|棕|褐|黑白|黑|白|灰|青|金|银)色?)"
)
_TAKE = r"(?:把|将|(?=除))"
_BLUR = re.compile(
    rf"^{_TAKE}(?P<target>.+?)(?:都|全部)?(?:模糊|虚化|打码)(?:处理|掉)?$|"
    r"^(?:模糊|虚化)(?P<other>.+)$|^(?P<third>背景)(?:模糊|虚化)$"
)
_ERASE = re.compile(
    rf"^{_TAKE}(?P<target>.+?)(?:都|全部)?(?:擦除|擦|抹掉|抹去|抹|去掉|去除|移除|消除|消|删除|删掉|删|清除|除)"
    r"(?:掉|去)?$|"
    r"^(?:擦除|擦掉|抹掉|抹去|去掉|去除|移除|消除|删除|删掉|清除)(?P<other>.+)$"
)
_CUT_OUT = re.compile(
    rf"^{_TAKE}(?P<target>.+?)(?:都|全部)?(?:抠出来|抠下来|抠出|抠|剪下来|剪出来)$|^(?:抠出|抠)(?P<other>.+)$"
)
_NO_BACKGROUND = re.compile(
    rf"^(?:{_TAKE}(?:(?P<target>.+)的)?背景(?:去掉|去除|移除|删掉|删除|变透明|变成透明|抠掉)|"
    r"(?:去掉|去除|移除|删除)(?:(?P<other>.+)的)?背景)$"
)
_BACKGROUND = re.compile(
    rf"^(?:{_TAKE})?(?:(?P<target>.+)的)?背景(?:都|全部)?(?:变成|变为|换成|改成|改为|设为|涂成|变|换)"
    rf"(?:纯)?{_COLOUR}(?:的)?$"
)
_RECOLOUR = re.compile(
    rf"^(?:{_TAKE}|让)(?P<target>.+?)(?:的颜色)?(?:都|全部)?(?:变成|变为|涂成|染成|改成|改为|换成|刷成|变|涂)"
    rf"{_COLOUR}(?:的)?$"
)
_DELETE = re.compile(r"^(?:删除|删掉|去掉|取消)(?P<target>.+?)的?(?:掩码|掩膜|标记|标注|区域|框)$")
_MERGE = re.compile(
    rf"^{_TAKE}(?P<target>.+?)(?:合并|合起来|合在一起)(?:起来)?$|^合并(?P<other>.+)$"
)
_RENAME = re.compile(
    rf"^(?:{_TAKE}(?P<target>.+?)(?:改名为|重命名为|命名为|叫做|叫作|改叫)|给(?P<other>.+?)(?:改名|取名|起名)(?:为|叫)?)"
    r"(?P<name>.+)$"
)
_COLOURS = {
    "红": "red", "橙": "orange", "黄": "yellow", "绿": "green", "蓝": "blue", "紫": "purple",
    "粉": "pink", "粉红": "pink", "棕": "brown", "褐": "brown", "黑": "black", "白": "white",
    "青": "cyan", "金": "gold", "银": "silver", "天蓝": "skyblue", "灰": "grey",
}  # fmt: skip
_SHADES = {"浅": "light", "淡": "light", "深": "dark", "暗": "dark"}


def read_chinese_request(text: str) -> ObjectRequest | None:
    # Words of other scripts keep the spaces between them: "把the left one模糊".
    text = re.sub(r"(?<![!-~])[\s,，]+|[\s,，]+(?![!-~])", "", text)
    text = _TAIL.sub("", _POLITE.sub("", text))
    if _UNDO.match(text):
        return ObjectRequest("undo")
    if _REDO.match(text):
        return ObjectRequest("redo")
    if match := _DELETE.match(text):
        return ObjectRequest("delete", target_in(match))
    if match := _RENAME.match(text):
        if re.search(r"^(?:什么|啥|谁|哪)", match.group("name")):
            return None
        return ObjectRequest("rename", target_in(match), name=match.group("name").strip("“”‘’\"' "))
    if match := _NO_BACKGROUND.match(text):
        return edit_request("cut_out", target_in(match) or all_objects(text))
    if match := _BACKGROUND.match(text):
        return edit_request(
            "background",
            target_in(match) or all_objects(text),
            colour=_chinese_colour(colour_in(match)),
        )
    if match := _RECOLOUR.match(text):
        words = colour_in(match)
        if words.removesuffix("色") in ("灰", "黑白"):
            return edit_request("recolour", target_in(match))
        return edit_request("recolour", target_in(match), colour=_chinese_colour(words))
    for operation, pattern in (("blur", _BLUR), ("erase", _ERASE), ("cut_out", _CUT_OUT)):
        if match := pattern.match(text):
            target = target_in(match)
            if "删" in text and isinstance(read_expression(target), Numbers):
                return ObjectRequest("delete", target)  # of the list of objects
            return edit_request(operation, target)
    if match := _MERGE.match(text):
        return ObjectRequest("merge", target_in(match))
    return None


def _chinese_colour(words: str) -> str:
    """Return the CSS name of a colour that `_COLOUR` has matched."""
    word = words.removesuffix("色")
    if word in _COLOURS:
        return _COLOURS[word]
    shade, colour = _SHADES.get(word[0], ""), _COLOURS.get(word[1:], "")
    return english_colour(f"{shade} {colour}".strip()) or colour
