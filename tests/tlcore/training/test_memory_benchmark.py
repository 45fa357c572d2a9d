"""What is computed twice is not kept: the short version of benchmarks/memory.py, with a small network."""

import sys

import pytest

from benchmarks.memory import measure

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak in this way")

SETTINGS = ("--backbone", "efficientnet-lite0", "--batch", "48", "--image-size", "128", "--steps", "2")


def test_a_rematerialised_step_has_less_in_memory_and_the_same_losses():
    whole, less = (measure(way, *SETTINGS) for way in ("all kept", "rematerialised"))
    assert less["losses"] == pytest.approx(whole["losses"], rel=1e-5)
    # 425 MB are kept by the one and 110 MB by the other; both have gradients and moments of 4 million weights.
    assert less["peak"] - less["before"] < whole["peak"] - whole["before"] - 60e6
