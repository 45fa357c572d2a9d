"""How the house stands: files and lines of every package, the largest, and what breaks its rules.

    python benchmarks/house.py [--junit FILE ...] [--root FOLDER]

`--junit` is what `pytest --junitxml FILE` wrote, each run of README's test command a file of its own: the minutes of
the tests, one run after the other, and the ten slowest are told of it. The rules are held by tests/test_house.py, and
the order in which packages may import one another stands in floors.toml.
"""

import argparse
import ast
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("tlcore", "thaw", "pages")
BESIDE = ("clients", "benchmarks", "tests")
SOURCES = {".py", ".js", ".css", ".html"}
MOST_FILES = 20
MOST_LINES = 350
FEWEST_LINES = 40
SLOWEST = 10


@dataclass(frozen=True)
class Module:
    """A module of a layer: its dotted name, its lines, and the dotted names of the house's modules that it imports.

    `runs` are those of them that it imports when it runs, and not for the names of types alone.
    """

    name: str
    path: Path
    lines: int
    imports: frozenset[str]
    runs: frozenset[str]

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"


def read_modules(root: Path) -> dict[str, Module]:
    """Return the modules of all layers and app.py by their dotted names."""
    paths = [root / "app.py", *(path for layer in LAYERS for path in sorted((root / layer).rglob("*.py")))]
    named = {_dotted(path.relative_to(root)): path for path in paths if path.exists()}
    return {name: _read(name, path, named.keys()) for name, path in named.items()}


def read_floors(root: Path = ROOT) -> list[list[str]]:
    """Return the names on every floor, from the lowest up."""
    text = (root / "benchmarks" / "floors.toml").read_text(encoding="utf-8")
    return [floor.split() for floor in tomllib.loads(text)["floors"]]


def find_package(name: str, floors: Sequence[Sequence[str]]) -> str | None:
    """Return the longest name of the floors that a module belongs to."""
    belongs = [each for floor in floors for each in floor if name == each or name.startswith(f"{each}.")]
    return max(belongs, key=len, default=None)


def find_violations(modules: Mapping[str, Module], floors: Sequence[Sequence[str]]) -> list[str]:
    """Return the modules without a floor, and every import of what does not stand below the importer's package."""
    level = {name: number for number, floor in enumerate(floors) for name in floor}
    place = {name: find_package(name, floors) for name in modules}
    found = [f"{name} stands on no floor" for name, package in place.items() if package is None]
    for name, module in modules.items():
        for other in sorted(module.imports):
            own, its = place[name], place[other]
            if own and its and own != its and level[its] >= level[own]:
                found.append(f"{name} imports {other}")
    return found


def find_circles(modules: Mapping[str, Module]) -> list[list[str]]:
    """Return the groups of modules that import one another, at the head of a module or within a function."""
    reached = {name: _reach(name, modules) for name in modules}
    circles = {frozenset(other for other in reached[name] if name in reached[other]) for name in modules}
    return sorted(sorted(circle) for circle in circles if circle)


def find_small(modules: Mapping[str, Module]) -> list[str]:
    """Return the modules of few lines that only one other imports, for which no file of their own is needed."""
    importers = Counter(other for module in modules.values() for other in module.imports)
    return [
        f"{name} ({module.lines} lines)"
        for name, module in modules.items()
        if module.lines < FEWEST_LINES and importers[name] == 1 and not module.is_package
    ]


def count_folders(root: Path) -> dict[Path, int]:
    """Return how many source files lie in each folder; a package's empty `__init__.py` is none."""
    files = (path for folder in (*LAYERS, *BESIDE) for path in (root / folder).rglob("*") if path.suffix in SOURCES)
    return Counter(path.parent.relative_to(root) for path in files if path.stat().st_size)


def count_lines(path: Path) -> int:
    """Return the lines of a text file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def find_large(root: Path) -> list[tuple[Path, int]]:
    """Return every source file of the layers with its lines, the largest first."""
    files = [path for layer in LAYERS for path in (root / layer).rglob("*") if path.suffix in SOURCES]
    lines = [(path.relative_to(root), count_lines(path)) for path in [root / "app.py", *files] if path.exists()]
    return sorted(lines, key=lambda each: (-each[1], each[0]))


def read_junit(paths: Sequence[Path]) -> tuple[float, int, list[tuple[float, str]]]:
    """Return the seconds of test runs, the number of their tests, and each with its seconds, the slowest first."""
    trees = [ElementTree.parse(path).getroot() for path in paths]
    seconds = sum(float(suite.get("time", 0)) for tree in trees for suite in tree.iter("testsuite"))
    cases = [
        (float(case.get("time", 0)), f"{case.get('classname')}::{case.get('name')}")
        for tree in trees
        for case in tree.iter("testcase")
    ]
    return seconds, len(cases), sorted(cases, reverse=True)


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _read(name: str, path: Path, known: Set[str]) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    typed = {each for node in ast.walk(tree) if _is_for_types(node) for each in ast.walk(node)}
    found = [(other, node in typed) for node in ast.walk(tree) for other in _imported(node, name, path, known)]
    imports = frozenset(other for other, _ in found if other != name)
    return Module(name, path, len(text.splitlines()), imports, imports & {other for other, types in found if not types})


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imported(node: ast.AST, name: str, path: Path, known: Set[str]) -> Iterator[str]:
    """Yield the house's modules that a statement imports: of `from a import b` it is a.b where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            base = ".".join([*above[: len(above) - node.level + 1], *([base] if base else [])])
        for alias in node.names:
            wanted = f"{base}.{alias.name}"
            yield from (each for each in (wanted if wanted in known else base,) if each in known)


def _reach(name: str, modules: Mapping[str, Module]) -> set[str]:
    reached: set[str] = set()
    waiting = list(modules[name].runs)
    while waiting:
        other = waiting.pop()
        if other not in reached:
            reached.add(other)
            waiting += modules[other].runs
    return reached


def tell(root: Path, junit: Sequence[Path]) -> None:
    """Print all of it."""
    modules, floors = read_modules(root), read_floors(root)
    packages: dict[str, list[Module]] = defaultdict(list)
    for module in modules.values():
        packages[find_package(module.name, floors) or "on no floor"].append(module)
    print(f"{'files':>6} {'lines':>7}  packages from the lowest floor up (empty __init__.py are not counted)")
    for name in [each for floor in floors for each in floor if each in packages] + ["on no floor"]:
        held = [module for module in packages.get(name, []) if module.lines]
        if held:
            print(f"{len(held):6} {sum(module.lines for module in held):7,}  {name}")
    print()
    large = find_large(root)
    for layer in (*LAYERS, *BESIDE):
        files = [path for path in (root / layer).rglob("*") if path.suffix in SOURCES and path.stat().st_size]
        print(f"{len(files):6} {sum(map(count_lines, files)):7,}  {layer}/, scripts and styles included")
    code = sum(lines for _, lines in large)
    tests = sum(count_lines(path) for path in (root / "tests").rglob("*.py"))
    print(f"\nCode {code:,} lines (layers and app.py), tests {tests:,} lines.")
    folders = sorted(count_folders(root).items(), key=lambda each: -each[1])
    print(f"Largest folder: {folders[0][0]}/ with {folders[0][1]} files (at most {MOST_FILES}).")
    print(f"Largest file: {large[0][0]} with {large[0][1]} lines (at most {MOST_LINES}).")
    _list(
        f"Folders of more than {MOST_FILES} files",
        [f"{path}/ ({files})" for path, files in folders if files > MOST_FILES],
    )
    _list(
        f"Files of more than {MOST_LINES} lines", [f"{path} ({lines})" for path, lines in large if lines > MOST_LINES]
    )
    _list(f"Modules under {FEWEST_LINES} lines that only one other imports", find_small(modules))
    print(f"Floors: {len(floors)}, with {sum(map(len, floors))} packages and modules on them")
    _list("Imports of a floor that is not below", find_violations(modules, floors))
    _list("Import circles", [" <-> ".join(circle) for circle in find_circles(modules)])
    if junit:
        seconds, number, cases = read_junit(junit)
        print(f"\nTests: {number:,} in {seconds / 60:.1f} minutes; the {SLOWEST} slowest:")
        for took, name in cases[:SLOWEST]:
            print(f"{took:8.1f} s  {name}")


def _list(title: str, found: Sequence[str]) -> None:
    print(f"{title}: {len(found) or 'none'}")
    for each in found:
        print(f"    {each}")


def main() -> int:
    asked = argparse.ArgumentParser(description="How the house stands: files, lines, and what breaks its rules.")
    asked.add_argument("--root", type=Path, default=ROOT, help="the repository (default: this one)")
    asked.add_argument(
        "--junit", type=Path, nargs="+", default=[], help="what each run of `pytest --junitxml FILE` wrote"
    )
    given = asked.parse_args()
    tell(given.root, given.junit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
