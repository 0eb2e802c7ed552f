"""Whether weights and a network fit one another: every tensor has its place, every place a tensor.

A network that is filled in part works, and gives nonsense: what is missing stays at random, and
what has no place changes nothing. Both are told here by name.
"""

import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from segue.errors import ModelError

COMPUTED = re.compile(
    r"(^|\.)(inv_freq|original_inv_freq|position_ids|masked_bias|attn_mask|embed_positions\.weights"
    r"|relative_position_index|relative_coords_table|num_batches_tracked)$"
)
"""Names of tensors that older versions stored and newer ones compute: no loss if left out."""
NAMED = 3
"""So many tensors are named in a sentence."""


class UnusedWeightsWarning(UserWarning):
    """Weights hold tensors for which the network has no place."""


def require_complete(model: Any, report: Mapping[str, Any], where: str, *, exact: bool) -> None:
    """Refuse weights that filled a network in part.

    Args:
        model: the network, filled.
        report: what `from_pretrained(…, output_loading_info=True)` of transformers returned, called
            with `ignore_mismatched_sizes=True`.
        where: the folder or file, for the message.
        exact: nothing at all may be left over. Otherwise whole parts of other models may be, as in
            folders that hold a detector and a tracker.

    Warns (`UnusedWeightsWarning`) where tensors are left over which this network might have been
    meant to use.

    Raises:
        ModelError: tensors are missing, have another shape, or belong to modules of the network
            that have no such tensor, as where a configuration tells of fewer layers.
    """
    kind = type(model).__name__
    reshaped = {_name(item): item for item in report["mismatched_keys"]}
    missing = sorted(set(map(_name, report["missing_keys"])) - reshaped.keys())
    problems = []
    if missing:
        problems.append(f"{_count(missing)} missing ({listed_names(missing)})")
    if reshaped:
        texts = [_with_shapes(item) for _, item in sorted(reshaped.items())]
        problems.append(f"{_count(texts)} of another shape ({listed_names(texts, quote=False)})")
    extra = sorted(name for name in report["unexpected_keys"] if not COMPUTED.search(name))
    own = extra if exact else _of_modules(model, extra)
    if own:
        problems.append(f"{_count(own)} without a place in it ({listed_names(own)})")
    if problems:
        raise ModelError(
            f"{where} does not fit {kind}: {'; '.join(problems)}. "
            "Are config and weights of the same variant of the model, and all files of it there?"
        )
    if extra := _of_parts(model, extra):
        warnings.warn(
            f"{where} holds {_count(extra)} that {kind} does not use ({listed_names(extra)}). "
            "If answers are odd, it is of a variant of this model.",
            UnusedWeightsWarning,
            stacklevel=4,
        )


def listed_names(names: Collection[str], *, quote: bool = True) -> str:
    """Return the first few names as part of a sentence.

    >>> listed_names(["a", "b", "c", "d", "e"])
    "'a', 'b', 'c' and 2 more"
    """
    first = [repr(name) if quote else name for name in list(names)[:NAMED]]
    rest = len(names) - len(first)
    return ", ".join(first) + (f" and {rest} more" if rest else "")


def _count(names: Collection[str]) -> str:
    return "1 tensor" if len(names) == 1 else f"{len(names)} tensors"


def _name(item: Any) -> str:
    return str(item[0] if isinstance(item, tuple) else item)


def _with_shapes(item: Any) -> str:
    if isinstance(item, tuple) and len(item) == 3:
        name, found, expected = item
        return f"{name!r}: {tuple(found)}, expected {tuple(expected)}"
    return repr(_name(item))


def _of_modules(model: Any, names: Iterable[str]) -> list[str]:
    """Names of tensors that a module of the network should have: its own, or of one layer more."""
    prefix = f"{model.base_model_prefix}."
    modules = {name for name, _ in model.named_modules()}
    lists = {name.rpartition(".")[0] for name in modules if name.rpartition(".")[2].isdigit()}

    def is_own(name: str) -> bool:
        parts = name.split(".")
        ends = range(1, len(parts))
        of_list = any(parts[n].isdigit() and ".".join(parts[:n]) in lists for n in ends)
        return of_list or ".".join(parts[:-1]) in modules - {""}

    return [name for name in names if is_own(name) or is_own(name.removeprefix(prefix))]


def _of_parts(model: Any, names: Iterable[str]) -> list[str]:
    """Names of tensors within a part of the network that has no such module."""
    prefix = f"{model.base_model_prefix}."
    parts = {name for name, _ in model.named_children()}
    base = {name for name, _ in getattr(model, model.base_model_prefix, model).named_children()}
    return [
        name
        for name in names
        if name.removeprefix(prefix).partition(".")[0] in parts | base
        and "." in name.removeprefix(prefix)
    ]
