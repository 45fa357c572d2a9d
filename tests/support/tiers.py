"""Which tests are run when: the quick tier is of files that need no Keras, no page, no browser and no process of their
own; the long one of tests that take longest for what they add, as `long_tests.txt` lists them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What takes seconds to load, wherever in a file it is imported.
HEAVY = {"keras", "tensorflow", "streamlit", "playwright"}
# What a test file that starts processes imports or calls.
PROCESSES = ("subprocess", "psutil", "work(store", "start_import", "ServiceProcess")


# Of the tests by the processor's time, the first three in a hundred take more than half of it all.
LISTED = (Path(__file__).parent / "long_tests.txt").read_text("utf-8").splitlines()
LONG = frozenset(line for line in LISTED if line[:1] not in ("", "#"))


def is_long(node: str) -> bool:
    """Say whether a test, by its path in `tests` and its name, is on the list: with all its cases or file, or alone."""
    return not LONG.isdisjoint((node, node.partition("[")[0], node.partition("::")[0]))


@cache
def is_quick(path: Path) -> bool:
    """Say whether a test file, with all that it imports from this repository, does without what takes long."""
    text = path.read_text("utf-8")
    return not any(word in text for word in PROCESSES) and not {name.partition(".")[0] for name in reach(path)} & HEAVY


def reach(path: Path) -> set[str]:
    """Return the names of all modules that a file imports, by way of this repository's files too."""
    seen: set[str] = set()
    waiting = [path]
    while waiting:
        new = imports(waiting.pop()) - seen
        seen |= new
        waiting += [found for found in map(find, new) if found]
    return seen


@cache
def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@cache
def find(module: str) -> Path | None:
    """Return this repository's file of a module, if it has one."""
    path = ROOT.joinpath(*module.split("."))
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), None)
