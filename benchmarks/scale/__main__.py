"""What lies past one machine, measured on one: `python -m benchmarks.scale PART`, where PART is

    cluster     features by a Ray cluster of two nodes against local processes, and a node killed at half
    rows        a data set of a million rows: pages, split
    streaming   training from a cache that does not fit the memory

and what follows it are that part's own options (`--help`).
"""

import importlib
import sys

PARTS = ("cluster", "rows", "streaming")


def main() -> None:
    """Run one part with the words that follow its name."""
    words = sys.argv[1:]
    if not words or words[0] not in PARTS:
        sys.exit(str(__doc__))
    sys.argv = [f"benchmarks.scale {words[0]}", *words[1:]]
    importlib.import_module(f"benchmarks.scale.{words[0]}").main()


if __name__ == "__main__":
    main()
