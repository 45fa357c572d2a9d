"""The house rules that a machine can check: lint, format, types, and which way dependencies point."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

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
        "from tlcore.models import devices, layers;"
        "print(sorted({'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout.strip().splitlines()[-1:] == ["[]"], result.stdout + result.stderr
