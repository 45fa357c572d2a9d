"""A run's classifier put together again: it must say what training said of the same pictures."""

import subprocess
import sys

import numpy as np
import pytest

from tests.support.pictures.corpus import photo
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.prediction.classifier import load_classifier
from thaw.prediction.client import predictor
from thaw.prediction.files import predict_files
from thaw.prediction.network import load_network
from thaw.runs.results import read_predictions
from thaw.worker import work
from tlcore.engines import writer
from tlcore.errors import RunError, WeightsError
from tlcore.images.pixels import load_pixels
from tlcore.models.classifier import share_out
from tlcore.settings import FineTuneSettings, HeadSettings

pytestmark = pytest.mark.usefixtures("warm_decoder")


@pytest.fixture(scope="module")
def run_id(store, tiny_dataset):
    """A run of both phases; the steps of phase 2 are large enough to tell its model from phase 1's."""
    settings = HeadSettings(image_size=48, epochs=3, validation_split=0.25)
    run_id = starts.add_head_job(store, tiny_dataset, settings)
    work(store, waiting_job(store, run_id))
    starts.add_fine_tune_job(store, run_id, FineTuneSettings(layers=20, epochs=2, learning_rate=1e-3, insist=True))
    work(store, waiting_job(store, run_id))
    assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
    phases = [read_predictions(store, store.run(run_id), phase).probabilities for phase in (1, 2)]
    assert np.abs(phases[0] - phases[1]).max() > 1e-3
    return run_id


def classifier_of(store, run_id, phase, load=load_classifier):
    chosen = store.run(run_id).result_phase
    store.set_result(run_id, phase)
    try:
        return load(store, store.run(run_id))
    finally:
        store.set_result(run_id, chosen)


@pytest.mark.parametrize("phase", [1, 2])
def test_predicts_the_validation_images_as_training_did(store, tiny_dataset, tiny_photos, run_id, phase):
    classifier = classifier_of(store, run_id, phase)
    recorded = read_predictions(store, store.run(run_id), phase)
    copies = [store.workspace.image(tiny_dataset, image.id, image.suffix) for image in recorded.images]
    pixels = np.stack([load_pixels(path, classifier.image_size) for path in copies])
    np.testing.assert_allclose(classifier.predict(pixels), recorded.probabilities, atol=1e-5, rtol=0)
    assert classifier.labels == recorded.labels

    originals = [tiny_photos / image.name.removeprefix(f"{tiny_photos.name}/") for image in recorded.images]
    answers = predict_files(classifier, originals)
    assert [answer.path for answer in answers] == originals
    found = np.stack([answer.probabilities for answer in answers])
    np.testing.assert_allclose(found, recorded.probabilities, atol=1e-5, rtol=0)


@pytest.mark.parametrize("phase", [1, 2])
def test_the_network_of_a_run_says_what_its_classifier_says_and_is_written_once(
    store, tiny_dataset, run_id, phase, monkeypatch
):
    classifier = classifier_of(store, run_id, phase)
    network = classifier_of(store, run_id, phase, load_network)
    assert (network.labels, network.image_size) == (classifier.labels, classifier.image_size)
    images = read_predictions(store, store.run(run_id), phase).images
    copies = [store.workspace.image(tiny_dataset, image.id, image.suffix) for image in images]
    pixels = np.stack([load_pixels(path, classifier.image_size) for path in copies])
    np.testing.assert_allclose(network.predict(pixels), classifier.predict(pixels), atol=1e-5, rtol=0)
    monkeypatch.setattr(writer, "write_network", lambda _: pytest.fail("written again"))
    again = classifier_of(store, run_id, phase, load_network)
    np.testing.assert_array_equal(again.predict(pixels), network.predict(pixels))


WITHOUT_TENSORFLOW = """
import sys
from pathlib import Path
from thaw.prediction.files import predict_files
from thaw.prediction.network import load_network
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

store = Store(open_workspace(sys.argv[1]))
(answer,) = predict_files(load_network(store, store.run(sys.argv[2])), [Path(sys.argv[3])])
assert not {"tensorflow", "keras"} & set(sys.modules), "neither is to be imported"
print(float(answer.probabilities.sum()))
"""


def test_an_answer_needs_neither_tensorflow_nor_keras(store, tiny_photos, run_id):
    picture = next(tiny_photos.rglob("*.png"))
    line = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(store.workspace.root), run_id, str(picture)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    assert float(done.stdout) == pytest.approx(1)


def test_the_predictor_says_what_the_keras_model_says(store, tiny_photos, run_id):
    paths = sorted(tiny_photos.rglob("*.png"))
    classifier = load_classifier(store, store.run(run_id))
    pixels = np.stack([load_pixels(path, classifier.image_size) for path in paths])
    asked = predictor(store.workspace)
    answers = asked.classify_files(run_id, paths)
    asked.close()
    found = np.stack([answer.probabilities for answer in answers])
    said = share_out(classifier.model.predict(pixels, verbose=0), classifier.output)
    np.testing.assert_allclose(found, said, atol=1e-5, rtol=0)


def test_a_file_that_is_no_picture_gets_its_reason_and_the_rest_their_answer(store, run_id, tmp_path):
    photo(1).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("<html>404</html>")
    paths = [tmp_path / "bad.jpg", tmp_path / "good.png", tmp_path / "absent.png", tmp_path / "good.png"]
    answers = predict_files(load_classifier(store, store.run(run_id)), paths)
    assert [answer.path for answer in answers] == paths
    assert [answer.probabilities is None for answer in answers] == [True, False, True, False]
    assert "web page" in answers[0].rejected
    assert answers[2].rejected
    assert answers[1].rejected is None
    np.testing.assert_array_equal(answers[1].probabilities, answers[3].probabilities)
    assert answers[1].probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize("load_classifier", [load_classifier, load_network])
def test_a_run_without_a_result_has_no_classifier(store, tiny_dataset, load_classifier):
    untrained = store.add_run(tiny_dataset, "efficientnet-lite0", HeadSettings().to_json())
    with pytest.raises(RunError, match=untrained):
        load_classifier(store, store.run(untrained))


@pytest.mark.parametrize("load_classifier", [load_classifier, load_network])
def test_other_pretrained_weights_than_the_runs_are_refused(store, run_id, load_classifier):
    right = store.run(run_id).facts.weights_sha256
    store.add_facts(run_id, {"weights_sha256": "0" * 64})
    try:
        with pytest.raises(WeightsError, match=f"with which run '{run_id}' was trained"):
            load_classifier(store, store.run(run_id))
    finally:
        store.add_facts(run_id, {"weights_sha256": right})
