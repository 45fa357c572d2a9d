"""The verdicts on exported files: what passes, what is warned of, what is refused."""

import numpy as np
import pytest

from tlcore.errors import SettingsError
from tlcore.exporting import formats
from tlcore.exporting.formats import FORMATS, choose_formats
from tlcore.exporting.model_files import Judged
from tlcore.exporting.verification import Answers, Reference, compare, find_fault, judge

SURE = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])


def judged(images: int, disagreements: int, difference: float) -> Judged:
    return Judged("validation", images, disagreements, difference, 0.9, 0.0)


def test_what_is_compared():
    reference = Reference("holdout", SURE, np.array([0, 1, 1]))
    found = compare(reference, np.array([[0.9, 0.1], [0.25, 0.75], [0.45, 0.55]]))
    assert (found.side, found.images, found.disagreements) == ("holdout", 3, 1)
    assert found.largest_difference == pytest.approx(0.15)
    assert (found.accuracy, found.accuracy_change) == (1.0, pytest.approx(1 / 3))
    assert found.agreement == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("disagreements", "difference", "verdict"),
    [(0, 1e-4, "passed"), (1, 1e-5, "passed"), (0, 2e-4, "warned"), (1, 2e-4, "refused")],
)
def test_a_float_file_is_held_to_its_probabilities(disagreements, difference, verdict):
    found, reason = judge(FORMATS["onnx"], [judged(1000, 0, 0.0), judged(10, disagreements, difference)])
    assert found == verdict
    assert bool(reason) is (verdict != "passed")


@pytest.mark.parametrize(
    ("name", "images", "disagreements", "verdict"),
    [
        ("litert-float16", 1000, 5, "passed"),
        ("litert-float16", 1000, 6, "warned"),
        ("litert-float16", 1000, 60, "refused"),
        ("litert-int8", 1000, 20, "passed"),
        ("litert-int8", 1000, 100, "warned"),
        ("litert-int8", 1000, 130, "refused"),
        # One of six photos tells next to nothing; four of six tell enough.
        ("litert-int8", 6, 1, "warned"),
        ("litert-int8", 6, 4, "refused"),
    ],
)
def test_a_reduced_file_is_held_to_its_answers(name, images, disagreements, verdict):
    found, reason = judge(FORMATS[name], [judged(images, disagreements, 0.3)])
    assert found == verdict
    assert bool(reason) is (verdict != "passed")
    if reason:
        assert f"{disagreements} of {images:,} images" in reason


def test_answers_that_do_not_hold_together_are_faults():
    labels = ["a", "b"]
    answer = np.array([0, 1, -1])
    assert find_fault(Answers(SURE, answer), labels, 0.7) is None
    assert find_fault(Answers(SURE, answer, [labels]), labels, 0.7) is None
    assert "shapes (3, 2)" in (find_fault(Answers(SURE, answer), [*labels, "c"], 0.7) or "")
    assert "for 1 images" in (find_fault(Answers(SURE, np.array([0, 1, 0])), labels, 0.7) or "")
    assert "no numbers" in (find_fault(Answers(SURE * np.nan, answer), labels, 0.7) or "")
    assert "class names" in (find_fault(Answers(SURE, answer, [["b", "a"]]), labels, 0.7) or "")


def test_at_the_threshold_and_between_equals_rounding_may_decide():
    even = np.array([[0.5, 0.5]])
    assert find_fault(Answers(even, np.array([1])), ["a", "b"], 0.0) is None
    near = np.array([[0.7 - 1e-9, 0.3 + 1e-9]])
    assert find_fault(Answers(near, np.array([0])), ["a", "b"], 0.7) is None


def test_formats_are_chosen_by_name():
    assert [row.name for row in choose_formats(None)] == [name for name in FORMATS if name != "web"]
    assert [row.name for row in choose_formats(["onnx", "keras"])] == ["keras", "onnx"]
    assert len({row.file for row in FORMATS.values()}) == len(FORMATS)
    with pytest.raises(SettingsError, match="Received: pytorch"):
        choose_formats(["keras", "pytorch"])
    with pytest.raises(SettingsError, match="Received: none"):
        choose_formats([])


def test_packages_that_are_not_installed_are_named_with_the_remedy(monkeypatch):
    formats.require_packages()
    monkeypatch.setattr(formats, "PACKAGES", ("flatbuffers", "no_such_package"))
    with pytest.raises(SettingsError, match=r"no no_such_package\. Run .*thaw\[export\]"):
        formats.require_packages()
