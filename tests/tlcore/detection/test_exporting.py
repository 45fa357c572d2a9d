"""A detector's files: each is written, answers in a process of its own as the detector does, or is refused."""

import numpy as np
import pytest

from tlcore.detection.detector import Detector, assemble_detector
from tlcore.detection.exporting import compare, export_detector
from tlcore.detection.network import build_head
from tlcore.detection.taps import tap
from tlcore.errors import RunError, SettingsError
from tlcore.models.backbones import find_backbone
from tlcore.models.backend import keras
from tlcore.models.loading import load_backbone

SIDE = 64


@pytest.fixture(scope="module")
def detector():
    """A detector of noise: a head that has learnt nothing, with places that are sure of something nonetheless."""
    loaded = load_backbone(find_backbone("efficientnet-lite0"), SIDE)
    keras.utils.set_random_seed(0)
    tapped = tap(loaded.row, loaded.backbone)
    head = build_head(tapped.outputs, 2)
    head.get_layer("object").bias.assign([0.0])
    model = assemble_detector(loaded.row, tapped, head, SIDE)
    return Detector(model, loaded.row, tapped, head, ["disc", "square"], SIDE)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)


@pytest.mark.parametrize("name", ["detector.keras", "detector.onnx", "detector.tflite", "detector"])
def test_a_file_is_proven_by_a_process_of_its_own(detector, pixels, tmp_path, name):
    file = export_detector(detector, tmp_path / name, pixels)
    assert (file.file, file.pictures) == (name, 3)
    assert file.largest_shift_px < 0.01
    assert file.largest_difference < 1e-5
    assert file.bytes > 1_000_000
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing else is left"


def test_a_file_that_answers_otherwise_is_refused_and_the_earlier_one_stays(detector, pixels, tmp_path, monkeypatch):
    (tmp_path / "detector.onnx").write_text("the earlier one")
    edges, scores = detector.answer(pixels)
    monkeypatch.setattr(Detector, "answer", lambda self, squares: (edges + 2, scores))
    with pytest.raises(RunError, match=r"within 0.5 px .*whose edges are up to 2 px"):
        export_detector(detector, tmp_path / "detector.onnx", pixels)
    assert (tmp_path / "detector.onnx").read_text() == "the earlier one"
    assert len(list(tmp_path.iterdir())) == 1


def test_formats_of_fewer_bits_are_not_for_detectors(detector, pixels, tmp_path):
    with pytest.raises(SettingsError, match="Expected one of keras, saved-model, litert, onnx for a detector"):
        export_detector(detector, tmp_path / "detector.tflite", pixels, "litert-int8")


def test_edges_count_where_anything_is_seen_and_scores_everywhere():
    edges, scores = np.zeros((1, 2, 4)), np.array([[[0.5], [0.001]]])
    moved = edges + np.array([[[0.25], [9]]])
    assert compare((edges, scores), (moved, scores + 0.125)) == (0.25, 0.125)
    assert compare((edges, scores), (edges[:, :1], scores)) == (np.inf, np.inf)
    assert compare((edges, scores), (edges * np.nan, scores)) == (np.inf, np.inf)
