"""Sentences that say why an expression means what it means, in the language of the question."""

from segue.conversation.references.expressions import Side

_ENGLISH = {
    "number": "by number",
    "only": "there is only one",
    "recent": "spoken of last",
    "all": "all {n}",
    "first left": "the leftmost of {n}",
    "first right": "the rightmost of {n}",
    "first top": "the topmost of {n}",
    "first bottom": "the lowest of {n}",
    "middle": "in the middle of {n}",
    "left": "number {k} of {n} from the left",
    "right": "number {k} of {n} from the right",
    "top": "number {k} of {n} from the top",
    "bottom": "number {k} of {n} from the bottom",
    "order": "number {k} of {n}",
    "big": "the largest of {n}",
    "small": "the smallest of {n}",
    "ranked big": "number {k} of {n}, the largest first",
    "ranked small": "number {k} of {n}, the smallest first",
    "colour": "by its colour",
    "others": "what else there is",
    "exclusion": "all but {k}",
    "union": "as named",
    "which": "Which one do you mean?",
    "which of them": "Which ones do you mean?",
}
_CHINESE = {
    "number": "按编号",
    "only": "只有一个",
    "recent": "刚刚说到的",
    "all": "全部{n}个",
    "first left": "{n}个里最左边的",
    "first right": "{n}个里最右边的",
    "first top": "{n}个里最上面的",
    "first bottom": "{n}个里最下面的",
    "middle": "{n}个里中间的",
    "left": "从左数第{k}个,共{n}个",
    "right": "从右数第{k}个,共{n}个",
    "top": "从上数第{k}个,共{n}个",
    "bottom": "从下数第{k}个,共{n}个",
    "order": "第{k}个,共{n}个",
    "big": "{n}个里最大的",
    "small": "{n}个里最小的",
    "ranked big": "第{k}大的,共{n}个",
    "ranked small": "第{k}小的,共{n}个",
    "colour": "按颜色",
    "others": "其余的",
    "exclusion": "除了{k}个以外的",
    "union": "如所说",
    "which": "您指的是哪一个?",
    "which of them": "您指的是哪些?",
}
KEYS = tuple(_ENGLISH)


def reason(key: str, *, chinese: bool, n: int = 0, k: int = 0) -> str:
    """Return a sentence by its key.

    Args:
        key: one of `KEYS`.
        chinese: in Chinese instead of English.
        n: of how many objects.
        k: which of them, from 1; or how many are left out.
    """
    return (_CHINESE if chinese else _ENGLISH)[key].format(n=n, k=k)


def key_of_place(side: Side | None, ordinal: int) -> str:
    """Return the key for a place in an order.

    Args:
        side: where the order begins; None: in the order of the picture.
        ordinal: from 1; negative: counted from the end.
    """
    if side == "middle":
        return "middle"
    if side is None or ordinal < 0:
        return "order"
    return f"first {side}" if ordinal == 1 else side
