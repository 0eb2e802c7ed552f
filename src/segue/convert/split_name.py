"""Names of splits: they become file names, so data files cannot choose them freely."""

import re

NO_SPLIT = "split is no file name"
_SPLIT = re.compile(r"\w[\w-]{0,63}")


def is_split_name(name: object) -> bool:
    """Return True for letters, digits, "_" and "-" only: such a name cannot leave its folder.

    >>> is_split_name("testA"), is_split_name("../../evil"), is_split_name("/abs"), is_split_name(3)
    (True, False, False, False)
    """
    return isinstance(name, str) and _SPLIT.fullmatch(name) is not None
