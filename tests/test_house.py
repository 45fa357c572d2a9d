"""The house rules that a machine can check: lint, format, types, and which way dependencies point."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import house

ROOT = Path(__file__).parents[1]
CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_static_check_passes(check):
    result = subprocess.run(
        [sys.executable, "-m", *CHECKS[check]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("check", CHECKS)
def test_the_hooks_check_what_the_tests_check(check):
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert f"entry: python -m {' '.join(CHECKS[check])}\n" in hooks


def imported_roots(path: Path) -> set[str]:
    roots = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add((node.module or "").split(".")[0])
    return roots


@pytest.mark.parametrize(
    "path",
    sorted([*(ROOT / "tlcore").rglob("*.py"), *(ROOT / "thaw").rglob("*.py")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_what_lies_below_the_pages_knows_nothing_of_the_browser(path):
    assert not imported_roots(path) & {"streamlit", "pages", "app", "plotly"}


@pytest.mark.parametrize(
    "path", [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))], ids=lambda path: str(path.relative_to(ROOT))
)
def test_pages_never_name_tensorflow(path):
    assert not imported_roots(path) & {"tensorflow", "keras"}


PICKERS = {"selectbox", "radio", "multiselect", "pills", "segmented_control", "select_slider"}
NAMERS = {"distinct", "class_names", "dataset_names"}


def find_unsafe_pickers(source: str) -> list[str]:
    """Return the pickers that may call two options alike: whose `format_func` does not come from
    `pages.ui.words.options`, at once or by way of a variable or a function of the module."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    safe = set(NAMERS)
    for node in ast.walk(tree):
        given = node.value if isinstance(node, ast.Assign | ast.Return) else None
        if isinstance(given, ast.Call) and isinstance(given.func, ast.Name) and given.func.id in NAMERS:
            safe |= {target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)}
        if isinstance(node, ast.FunctionDef):
            ends = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
            named = [each.func.id for each in ends if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
            if ends and len(named) == len(ends) and set(named) <= NAMERS:
                safe.add(node.name)
    unsafe = []
    for call in calls:
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in PICKERS:
            continue
        for word in call.keywords:
            namer = word.value.func if isinstance(word.value, ast.Call) else word.value
            if word.arg == "format_func" and not (isinstance(namer, ast.Name) and namer.id in safe):
                unsafe.append(f"line {call.lineno}: {ast.unparse(word.value)}")
    return unsafe


@pytest.mark.parametrize("path", sorted((ROOT / "pages").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_pickers_call_no_two_options_alike(path):
    assert not find_unsafe_pickers(path.read_text())


@pytest.mark.parametrize("words", ["lambda each: each.name", "visible", "NAMES.__getitem__", "visible(names)"])
def test_a_picker_with_a_naming_of_its_own_is_found(words):
    assert find_unsafe_pickers(f"place.selectbox('Run', runs, format_func={words})")
    assert not find_unsafe_pickers("names = distinct(runs, str)\nplace.radio('Run', runs, format_func=names)")


def test_server_process_holds_no_tensorflow():
    program = (
        "import sys, importlib, pathlib;"
        "import app;"
        "paths = sorted(pathlib.Path('pages/ui').rglob('*.py'));"
        "assert len(paths) > 50;"
        "[importlib.import_module('.'.join(path.with_suffix('').parts)) for path in paths];"
        "from thaw.jobs import devices; from tlcore.models import layers;"
        "print(sorted({'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout.strip().splitlines()[-1:] == ["[]"], result.stdout + result.stderr


@pytest.fixture(scope="module")
def modules() -> dict[str, house.Module]:
    return house.read_modules(ROOT)


@pytest.mark.parametrize("layer", [*house.LAYERS, "app"])
def test_a_package_imports_only_what_stands_below_it(modules, layer):
    found = house.find_violations(modules, house.read_floors())
    assert [each for each in found if each.split(".")[0].split(" ")[0] == layer] == []


def test_every_name_of_the_floors_is_of_something_that_exists(modules):
    names = [name for floor in house.read_floors() for name in floor]
    assert sorted(names) == sorted(set(names))
    assert [name for name in names if name not in modules] == []


def test_no_modules_import_one_another(modules):
    assert house.find_circles(modules) == []


def test_no_small_module_has_a_file_for_one_other_alone(modules):
    assert house.find_small(modules) == []


def test_no_folder_and_no_file_is_large():
    assert {path: files for path, files in house.count_folders(ROOT).items() if files > house.MOST_FILES} == {}
    assert [each for each in house.find_large(ROOT) if each[1] > house.MOST_LINES] == []


@pytest.fixture
def small_house(tmp_path: Path) -> Path:
    """A house of one module a floor, with the floors of this one."""
    files = {
        "tlcore/errors.py": "class ThawError(Exception): ...",
        "tlcore/models/layers.py": "from tlcore.errors import ThawError",
        "tlcore/exporting/model.py": "import tlcore.models.layers",
        "thaw/storage/store.py": "from tlcore.models import layers",
        "thaw/cli/runs.py": "def run():\n    from thaw.storage.store import Store",
        "pages/data.py": "from thaw.storage import store",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text + "\n")
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("*.py"))
    return tmp_path


def violations(root: Path) -> list[str]:
    return house.find_violations(house.read_modules(root), house.read_floors(root))


@pytest.mark.parametrize(
    ("path", "planted", "found"),
    [
        (
            "tlcore/models/layers.py",
            "from thaw.storage.store import Store",
            "tlcore.models.layers imports thaw.storage.store",
        ),
        (
            "tlcore/models/layers.py",
            "from thaw.storage import store",
            "tlcore.models.layers imports thaw.storage.store",
        ),
        (
            "tlcore/models/layers.py",
            "import tlcore.exporting.model",
            "tlcore.models.layers imports tlcore.exporting.model",
        ),
        (
            "tlcore/models/layers.py",
            "from ..exporting import model",
            "tlcore.models.layers imports tlcore.exporting.model",
        ),
        ("thaw/storage/store.py", "def f():\n    import pages.data", "thaw.storage.store imports pages.data"),
        ("thaw/storage/store.py", "from thaw.cli import runs", "thaw.storage.store imports thaw.cli.runs"),
        ("other/__init__.py", "", None),
        ("thaw/unheard_of/new.py", "", None),
    ],
)
def test_a_planted_import_of_a_floor_above_is_found(small_house, path, planted, found):
    assert violations(small_house) == []
    (small_house / path).parent.mkdir(exist_ok=True)
    with (small_house / path).open("a") as module:
        module.write(planted + "\n")
    assert violations(small_house) == ([found] if found else [])


def test_a_planted_circle_a_small_module_and_a_full_folder_are_found(small_house):
    whole = house.read_modules(small_house)
    assert house.find_circles(whole) == []
    assert "thaw.storage.store (1 lines)" not in house.find_small(whole), "two import it"
    assert "tlcore.errors (1 lines)" in house.find_small(whole)
    (small_house / "tlcore/errors.py").write_text("def f():\n    import tlcore.models.layers\n" + "\n" * 400)
    circles = house.find_circles(house.read_modules(small_house))
    assert circles == [["tlcore.errors", "tlcore.models.layers"]]
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tlcore.models.layers\n"
    (small_house / "tlcore/errors.py").write_text(typed + "\n" * 399)
    assert house.find_circles(house.read_modules(small_house)) == []
    assert violations(small_house) == ["tlcore.errors imports tlcore.models.layers"]
    for number in range(house.MOST_FILES):
        (small_house / f"tlcore/models/more{number}.js").write_text("let a;\n")
    assert house.count_folders(small_house)[Path("tlcore/models")] == house.MOST_FILES + 1
    assert house.find_large(small_house)[0] == (Path("tlcore/errors.py"), 402)


def test_the_script_prints_the_figures_and_the_minutes_of_the_tests(small_house, tmp_path):
    first, second = tmp_path / "first.xml", tmp_path / "second.xml"
    case = '<testcase classname="tests.test_a" name="test_{}" time="{}"/>'
    cases = "".join(case.format(number, number) for number in range(12))
    first.write_text(f'<testsuites><testsuite time="120.0">{cases}</testsuite></testsuites>')
    second.write_text(f'<testsuites><testsuite time="30.0">{case.format("slowest", 25)}</testsuite></testsuites>')
    command = [sys.executable, "benchmarks/house.py", "--root", str(small_house), "--junit", str(first), str(second)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "Largest folder: " in told
    assert "Imports of a floor that is not below: none" in told
    assert "Floors: " in told
    assert "Tests: 13 in 2.5 minutes" in told
    assert "25.0 s  tests.test_a::test_slowest" in told
    assert "11.0 s  tests.test_a::test_11" in told
    assert "test_1\n" not in told, "the ten slowest alone"
