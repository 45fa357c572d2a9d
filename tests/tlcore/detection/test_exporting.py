"""A detector's files: each is written, answers in a process of its own as the detector does, or is refused."""

import numpy as np
import pytest
from PIL import Image

from tlcore.detection.detector import Detector, assemble_detector
from tlcore.detection.exporting import count_judged, export_detector, write_squares
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
    (judged,) = file.proof.judged
    assert (file.verdict, judged.images, judged.disagreements) == ("passed", 3, 0)
    assert judged.largest_shift_px < 0.01
    assert judged.largest_difference < 1e-5
    assert file.bytes > 1_000_000
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing else is left"


def test_a_file_that_answers_otherwise_is_refused_and_the_earlier_one_stays(detector, pixels, tmp_path, monkeypatch):
    (tmp_path / "detector.onnx").write_text("the earlier one")
    edges, scores = detector.answer(pixels)
    monkeypatch.setattr(Detector, "answer", lambda self, squares: (edges + 2, scores))
    with pytest.raises(RunError, match=r"finds what the detector finds.*edges are up to 2 px .* at most 0.5 px"):
        export_detector(detector, tmp_path / "detector.onnx", pixels)
    assert (tmp_path / "detector.onnx").read_text() == "the earlier one"
    assert len(list(tmp_path.iterdir())) == 1


def test_formats_of_fewer_bits_are_not_for_detectors(detector, pixels, tmp_path):
    with pytest.raises(SettingsError, match=r"of keras, saved-model, litert, onnx\. Received: litert-int8"):
        export_detector(detector, tmp_path / "detector.tflite", pixels, "litert-int8")


def test_a_detector_of_many_kinds_is_proven_on_fewer_pictures():
    assert count_judged(320, 4) == 200_000_000 // (2100 * 8 * 4)
    assert count_judged(512, 80) == 110


def test_pictures_are_proven_as_the_detector_sees_them(tmp_path):
    files = [tmp_path / "wide.png", tmp_path / "high.png"]
    for file, size in zip(files, [(60, 30), (20, 40)], strict=True):
        Image.new("RGB", size, (200, 10, 10)).save(file)
    told = []
    windows = write_squares(files, SIDE, tmp_path / "squares.npy", lambda *each: told.append(each))
    squares = np.load(tmp_path / "squares.npy")
    assert [window.drawn for window in windows] == [(0, 16, 64, 32), (16, 0, 32, 64)]
    assert squares[0, 32, 0].tolist() == squares[1, 0, 32].tolist() == [200, 10, 10]
    assert squares[0, 0, 0].tolist() == squares[1, 0, 0].tolist() == [114] * 3
    assert told == [(0, 2), (1, 2)]
