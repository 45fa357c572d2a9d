"""The scripts of the components, each joined as the browser gets it: what a linter finds in them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pages.ui.components.assets import read_assets

ROOT = Path(__file__).parents[4]
LINTER = Path(sys.executable).with_name("oxlint")


def find_scripts() -> dict[str, list[str]]:
    """Return the files of each component's script by the last one's name."""
    found = {}
    for path in sorted((ROOT / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "js" and isinstance(node.value, ast.Call):
                files = [ast.literal_eval(each) for each in node.value.args]
                found[Path(files[-1]).stem] = files
    return found


def lint(script: Path) -> str:
    """Return what the linter finds by the rules of .oxlintrc.json: nothing if it is content."""
    command = [LINTER, "--config", ROOT / ".oxlintrc.json", "--deny-warnings", script]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else result.stdout + result.stderr


@pytest.mark.parametrize("files", find_scripts().values(), ids=find_scripts())
def test_the_linter_finds_nothing(files, tmp_path):
    script = tmp_path / Path(files[-1]).name
    script.write_text(read_assets(*files), encoding="utf-8")
    assert not lint(script)


def test_every_script_is_linted():
    written = {str(path.relative_to(ROOT / "pages" / "ui")) for path in (ROOT / "pages").rglob("*.js")}
    assert {file for files in find_scripts().values() for file in files} == written


@pytest.mark.parametrize(
    "planted", ["let unused = 1;", "export const a = missing;", "export const a = (b) => b == 1;", "export const a = ;"]
)
def test_a_planted_fault_is_found(planted, tmp_path):
    (tmp_path / "a.js").write_text(planted, encoding="utf-8")
    assert lint(tmp_path / "a.js")
