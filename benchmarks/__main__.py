"""Run every benchmark: python -m benchmarks [NAME...]"""

import sys
from importlib import import_module

from benchmarks.timing import heading

NAMES = ("second_turn", "boxes_in_one_call", "ask_overhead", "resident_models")

if __name__ == "__main__":
    print(heading())
    for name in sys.argv[1:] or NAMES:
        import_module(f"benchmarks.{name}").main()
