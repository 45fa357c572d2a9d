"""Which photos judge an export, and what its files must answer for them."""

import numpy as np
import pytest

from tests.pages.test_pages import CLASS_SIZE, add_dataset, add_run
from tests.pages.test_pages import store as store
from thaw.exporting.images import choose_calibration, read_judged
from thaw.runs.results import read_predictions
from tlcore.evaluation.calibration import temper
from tlcore.evaluation.threshold import Decision
from tlcore.exporting.export import refer, write_pixels
from tlcore.images.decode import load_pixels


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
    training = choose_calibration(store, run)
    assert len(training) == CLASS_SIZE / 2
    heard = []
    write_pixels(training, 16, tmp_path / "pixels.npy", lambda done, total: heard.append((done, total)))
    written = np.load(tmp_path / "pixels.npy")
    assert written.dtype == np.uint8
    for row, image in zip(written, training, strict=True):
        np.testing.assert_array_equal(row, load_pixels(store.workspace.image(image.folder, image.id, image.suffix), 16))
    assert heard[0] == (0, len(training))
