"""Which photos judge an export, what its files must answer for them, and a file by itself."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.support.models.networks import LABELS, patchwork
from tests.support.pages import CLASS_SIZE, add_dataset, add_run
from tests.support.pages import store as store
from tests.support.pictures.corpus import photo
from thaw.datasets.run_split import read_split
from thaw.exporting.proven import read_judged
from thaw.runs.results import read_predictions
from tlcore.errors import RunError, SettingsError
from tlcore.evaluation.calibration import temper
from tlcore.evaluation.predictions import Predictions
from tlcore.exporting.export import choose_calibration, export_file, refer, write_pixels
from tlcore.exporting.formats import find_format
from tlcore.images.pixels import load_pixels
from tlcore.photos import Photo
from tlcore.settings import Decision


@pytest.fixture
def run(store):
    return store.run(add_run(store, add_dataset(store)))


def test_all_photos_judge_unless_there_are_too_many(store, run):
    recorded = read_predictions(store, run)
    whole, part = read_judged(store, run), read_judged(store, run, most=4)
    assert list(whole) == list(part) == ["validation"]
    assert [image.id for image in whole["validation"].images] == [image.id for image in recorded.images]
    np.testing.assert_array_equal(whole["validation"].probabilities, recorded.probabilities)
    chosen = {image.id: row for image, row in zip(recorded.images, recorded.probabilities, strict=True)}
    assert len(part["validation"].images) == 4
    for image, row in zip(part["validation"].images, part["validation"].probabilities, strict=True):
        np.testing.assert_array_equal(row, chosen[image.id])


def test_the_reference_is_the_stored_prediction_or_the_logits_tempered(store, run):
    judged, decision = read_judged(store, run), Decision(1, temperature=2.0)
    (stored,) = refer(judged, decision, None)
    probabilities = judged["validation"].probabilities
    np.testing.assert_allclose(stored.probabilities, temper(probabilities, 2.0))
    assert stored.true.tolist() == judged["validation"].true.tolist()
    (computed,) = refer(judged, decision, np.log(probabilities) + 5)
    np.testing.assert_allclose(computed.probabilities, stored.probabilities, atol=1e-6)


def test_pixels_are_those_that_training_sees_and_ranges_come_from_training_photos(store, run, tmp_path):
    training = choose_calibration(read_split(store, run).training)
    assert len(training) == CLASS_SIZE / 2
    heard = []
    write_pixels(training, 16, tmp_path / "pixels.npy", lambda done, total: heard.append((done, total)))
    written = np.load(tmp_path / "pixels.npy")
    assert written.dtype == np.uint8
    for row, image in zip(written, training, strict=True):
        np.testing.assert_array_equal(row, load_pixels(store.workspace.image(image.folder, image.id, image.suffix), 16))
    assert heard[0] == (0, len(training))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A classifier that has learnt nothing, photos of each class, and what it says of them."""
    folder, made = tmp_path_factory.mktemp("photos"), patchwork()
    photos = []
    for number in range(9):
        photo(number, 80, 80).save(folder / f"{number}.png")
        label = LABELS[number % len(LABELS)]
        photos.append(Photo(f"{number}", label, f"{number}", f"{number}", 80, 80, file=str(folder / f"{number}.png")))
    pixels = np.stack([load_pixels(each.file, made.image_size) for each in photos])
    return made, Predictions(photos, LABELS, made.predict(pixels))


def test_one_file_is_written_once_it_is_verified(told, tmp_path):
    made, predictions = told
    path = tmp_path / "new" / "model.keras"
    written = export_file(made, Decision(1), find_format(path), {"validation": predictions}, [], False, path)
    assert written.verdict == "passed"
    assert written.proof.judged[0].images == 9
    assert [each.name for each in path.parent.iterdir()] == ["model.keras"]


def test_a_file_that_answers_otherwise_is_refused_and_leaves_nothing(told, tmp_path):
    made, predictions = told
    other = dataclasses.replace(predictions, probabilities=predictions.probabilities[:, ::-1])
    path = tmp_path / "model.tflite"
    path.write_bytes(b"an earlier one")
    with pytest.raises(RunError, match="answers as the model does"):
        export_file(made, Decision(1), find_format(path), {"validation": other}, [], False, path)
    assert path.read_bytes() == b"an earlier one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_format_is_told_by_the_ending_or_by_its_name():
    assert find_format(Path("a/model.tflite")).name == "litert"
    assert find_format(Path("a/model.tflite"), "litert-int8").name == "litert-int8"
    assert find_format(Path("a/model")).name == "saved-model"
    with pytest.raises(SettingsError, match=r"ends in \.keras, \.tflite, \.onnx"):
        find_format(Path("model.pt"))
