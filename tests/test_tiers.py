"""Which tests are run when, and where they take what several of them build."""

from pathlib import Path

import pytest

from tests.conftest import LONGEST
from tests.support.tiers import LONG, imports, is_long, is_quick

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "quick"),
    [
        ("tlcore/splits/test_splits.py", True),
        ("thaw/archives/test_tars.py", True),
        # Keras by way of another module, within a function.
        ("thaw/training/test_phases.py", False),
        ("pages/test_data_page.py", False),
        ("browser/test_walking.py", False),
        ("thaw/cli/test_main.py", False),
    ],
)
def test_quick_is_what_needs_no_keras_no_page_and_no_process(name, quick):
    assert is_quick(TESTS / name) == quick


def test_what_takes_long_is_listed_by_name_or_case_and_is_there():
    gone = []
    for node in LONG:
        file, _, name = node.partition("::")
        path = TESTS / file
        called = f"def {name.partition('[')[0]}(" if name else "def test_"
        if not path.is_file() or called not in path.read_text("utf-8"):
            gone.append(node)
    assert gone == []
    listed = next(node for node in LONG if "::" in node and "[" not in node and node.partition("::")[0] not in LONG)
    assert is_long(f"{next(node for node in LONG if '::' not in node)}::test_any")
    assert is_long(listed)
    assert is_long(f"{listed}[a case]")
    assert not is_long(f"{listed}_too")


def test_what_is_begun_first_is_there():
    assert [name for name in LONGEST if not (TESTS / name).exists()] == []


def test_no_test_file_takes_anything_from_another():
    taken = {(path.name, name) for path in TESTS.rglob("*.py") for name in imports(path) if ".test_" in name}
    # The script of a page in a test begins anew and imports from its own file.
    assert {(file, name) for file, name in taken if Path(file).stem not in name} == set()
