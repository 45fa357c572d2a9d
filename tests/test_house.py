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


@pytest.mark.parametrize("path", sorted((ROOT / "tlcore").glob("*.py")), ids=lambda path: path.stem)
def test_core_knows_nothing_of_the_browser(path):
    assert not imported_roots(path) & {"streamlit", "pages", "app", "plotly"}


@pytest.mark.parametrize(
    "path", [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))], ids=lambda path: str(path.relative_to(ROOT))
)
def test_pages_never_name_tensorflow(path):
    assert not imported_roots(path) & {"tensorflow", "keras"}


def test_server_process_holds_no_tensorflow():
    program = (
        "import sys, importlib, pathlib;"
        "import app;"
        "[importlib.import_module('pages.ui.' + p.stem) for p in pathlib.Path('pages/ui').glob('*.py')];"
        "import tlcore.jobs, tlcore.evaluation, tlcore.gallery, tlcore.advice, tlcore.anatomy, tlcore.devices;"
        "print(sorted({'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout.strip().splitlines()[-1:] == ["[]"], result.stdout + result.stderr
