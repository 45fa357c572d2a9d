"""Runs every campaign at its full length, or with --short as in every test run, and prints n, survived and lost.

python -m tests.campaigns.run [--short] [WORDS OF PYTEST ...]
"""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CAMPAIGNS = (
    TESTS / "campaigns",
    TESTS / "browser" / "test_server_kills.py",
)


def choose(words: list[str]) -> list[str]:
    """Return what pytest is called with: of each campaign the short version, or the long one where there is one."""
    short = "--short" in words
    rest = [word for word in words if word != "--short"]
    return [*(["-m", "not slow"] if short else ["-m", "slow or not slow"]), "-q", *map(str, CAMPAIGNS), *rest]


if __name__ == "__main__":
    sys.exit(pytest.main(choose(sys.argv[1:])))
