"""Which tests are run when: what the quick tier leaves out, and what is begun first."""

from pathlib import Path

import pytest

from tests.conftest import LONGEST
from tests.support.tiers import is_quick

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "quick"),
    [
        ("tlcore/splits/test_splits.py", True),
        ("thaw/archives/test_tars.py", True),
        # Keras by way of another module, within a function.
        ("tlcore/training/test_phases.py", False),
        ("pages/test_data_page.py", False),
        ("browser/test_walking.py", False),
        ("thaw/cli/test_main.py", False),
    ],
)
def test_quick_is_what_needs_no_keras_no_page_and_no_process(name, quick):
    assert is_quick(TESTS / name) == quick


def test_what_is_begun_first_is_there():
    assert [name for name in LONGEST if not (TESTS / name).exists()] == []
