"""A benchmark at an older commit and as it is now, in turns on one machine: every figure of both side by side.

    python benchmarks/side_by_side.py COMMIT BENCHMARK [ARGUMENT ...] [--turns 3]

The older commit is checked out in a folder of its own for as long as it takes. Lines that say the same but for their
figures are taken for one another, the first of them in one run for the first in another; of each figure the median of
the turns is printed, and the ratio of new to old.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")

Figures = dict[tuple[str, int], list[list[float]]]
"""The figures of a line in every turn, by what it says besides and how many such lines stand before it in its turn."""


def run(folder: Path, line: list[str]) -> str:
    """Run a benchmark of a checkout and return what it printed; show what it said where it fails."""
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"{folder}: {' '.join(line)} ended with {done.returncode}.\n{done.stdout}{done.stderr}")
    return done.stdout


def read_figures(printed: str, figures: Figures) -> None:
    """Add the figures of every line that one run printed to those of the turns before."""
    seen: Counter[str] = Counter()
    for line in printed.splitlines():
        values = [float(number.replace(",", "")) for number in NUMBER.findall(line)]
        if values:
            # However wide a column a figure leaves.
            words = " ".join(NUMBER.sub("#", line).split())
            figures[words, seen[words]].append(values)
            seen[words] += 1


def tell(line: str, old: list[list[float]], new: list[list[float]]) -> None:
    """Print the median of each figure of a line, old and new, and the ratio of the two."""
    print(line)
    for before, after in zip(
        *(map(statistics.median, zip(*rounds, strict=True)) for rounds in (old, new)), strict=True
    ):
        ratio = f"{after / before:8.2f}" if before else "       -"
        print(f"    old {before:12,.3f}   new {after:12,.3f}   new/old {ratio}")


def main() -> None:
    """Run the benchmark at both commits in turns and print the figures that both have."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("benchmark", help="the name of a file in benchmarks/, without .py")
    parser.add_argument("--turns", type=int, default=3)
    given, arguments = parser.parse_known_args()
    line = [sys.executable, f"benchmarks/{given.benchmark}.py", *arguments]
    old: Figures = defaultdict(list)
    new: Figures = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        earlier = Path(scratch) / "earlier"
        subprocess.run(["git", "worktree", "add", "--detach", earlier, given.commit], cwd=ROOT, check=True)
        try:
            for _ in range(given.turns):
                read_figures(run(earlier, line), old)
                read_figures(run(ROOT, line), new)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", earlier], cwd=ROOT, check=True)
    for same in old:
        if same in new:
            tell(same[0], old[same], new[same])
    print(*(f"only old: {words}" for words, _ in old.keys() - new.keys()), sep="\n")
    print(*(f"only new: {words}" for words, _ in new.keys() - old.keys()), sep="\n")


if __name__ == "__main__":
    main()
