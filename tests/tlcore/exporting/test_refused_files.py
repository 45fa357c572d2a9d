"""Files that cannot be made or opened: a subprocess that fails costs its own format, one that is killed ends all."""

import os

import numpy as np
import pytest

from tests.support.models.odd_converters import KILLED_FROM
from tlcore.errors import RunError
from tlcore.exporting import bench as benches
from tlcore.exporting.bench import Bench
from tlcore.exporting.formats import choose_formats
from tlcore.exporting.verification import Reference, verify


@pytest.fixture
def convert(tmp_path, monkeypatch):
    """Return a function that has formats verified whose converter is that of `odd_converters`."""
    bench, reference = Bench(tmp_path / "files", tmp_path), Reference("validation", np.eye(2), np.array([0, 1]))
    bench.folder.mkdir()
    np.save(bench.pixels, np.zeros((2, 8, 8, 3), np.uint8))
    monkeypatch.setattr(benches, "CONVERTERS", "tests.support.models.odd_converters")

    def verified(names, threshold):
        chosen = choose_formats(names)
        files = verify(bench, chosen, [reference], ["a", "b"], threshold, lambda *_: None, lambda: None)
        assert list(bench.folder.iterdir()) == []
        assert {(each.verdict, each.sha256, each.bytes, each.proof) for each in files} == {
            ("refused", None, None, None)
        }
        return [each.reason for each in files]

    return verified


def test_a_format_that_fails_or_crashes_costs_itself_alone(convert):
    crashed, failed, unreadable, other = convert(["litert", "litert-float16", "litert-int8", "onnx"], 0.0)
    assert crashed == "it could not be converted: its process crashed (SIGABRT)"
    assert failed == "it could not be converted: ValueError: no such operation"
    assert unreadable.startswith("its runtime could not run it: ")
    assert other.startswith("its runtime could not run it: ")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_converter_that_is_killed_is_told_by_what_it_worked_on(convert):
    with pytest.raises(RunError, match=r"or proves LiteRT, int8 to end.* or leave LiteRT, int8 out\."):
        convert(["litert-float16", "litert-int8", "onnx"], KILLED_FROM)
