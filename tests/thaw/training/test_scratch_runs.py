"""A run that learns from scratch, for real, on a tiny data set: what it records, what answers for it, and what it is
spared."""

import numpy as np
import pytest

from tests.support.command_line import ask
from tests.support.runs import arrays, finish, measured, train_head
from thaw.datasets import edits
from thaw.datasets.run_split import read_sides
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.labelling.sorter import start_sorting
from thaw.prediction.classifier import load_classifier
from thaw.prediction.network import load_network
from thaw.prediction.server import count_tuned_layers
from thaw.projects.save import save_project
from thaw.retraining import fixes
from thaw.runs.results import list_neighbours, read_predictions
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.training.evidence import judge_run
from thaw.training.feature_map import make_projection, read_projection
from thaw.worker import work
from tlcore.errors import BackboneError, RunError, SettingsError
from tlcore.images.pixels import load_pixels
from tlcore.models.backbone_table import SMALL_RESIDUAL
from tlcore.settings import FineTuneSettings, scratch_settings
from tlcore.training.snapshots import save_snapshot

pytestmark = pytest.mark.usefixtures("warm_decoder")

NAME = SMALL_RESIDUAL.name
SETTINGS = scratch_settings(NAME, image_size=32, epochs=2, batch_size=8, validation_split=0.25, learning_rate=0.02)


@pytest.fixture(scope="module")
def run_id(store, tiny_dataset):
    return train_head(store, tiny_dataset, SETTINGS)


@pytest.fixture(scope="module")
def run(store, run_id):
    return store.run(run_id)


def pixels_of(images):
    return np.stack([load_pixels(image.file, 32) for image in images])


def test_it_records_that_nothing_was_frozen(store, run):
    assert [(epoch.epoch, epoch.phase) for epoch in store.epochs(run.id)] == [(1, 1), (2, 1)]
    facts = run.facts
    assert (facts.weights_file, facts.weights_sha256, facts.head.frozen_layers) == (None, None, 0)
    assert (facts.image_size, facts.training_images, facts.validation_images) == (32, 18, 6)
    assert facts.head.accuracies["validation"] == read_predictions(store, run).accuracy
    (told,) = (each for each in store.experiments() if each.model_id == run.id)
    assert (told.base_architecture, told.frozen_layers_count, told.pretrained_weights) == (NAME, 0, None)
    rules = [each.rule for each in judge_run(run, store.epochs(run.id), 1)]
    assert rules[:3] == ["Steady course", "Better than chance", "Overfitting"]
    assert not list(store.workspace.run(run.id).glob("snapshot*"))


def test_what_answers_for_it_says_what_it_said(store, run):
    judged = read_predictions(store, run)
    seen = pixels_of(judged.images)
    np.testing.assert_allclose(load_network(store, run).predict(seen), judged.probabilities, atol=1e-4)
    classifier = load_classifier(store, run)
    np.testing.assert_allclose(classifier.predict(seen), judged.probabilities, atol=1e-4)
    assert classifier.labels == judged.labels


def test_its_heat_map_is_by_what_was_trained(store, run):
    from tlcore.evaluation.grad_cam import GradCam

    assert count_tuned_layers(run) == SMALL_RESIDUAL.layers
    cam = GradCam(load_classifier(store, run), count_tuned_layers(run))
    number, frozen, trained = cam.draw(pixels_of(read_predictions(store, run).images)[0], 1)
    assert (number, frozen, trained.block, trained.values.shape) == (1, None, "stage 2 block 2", (8, 8))


def test_its_photos_have_a_map_and_neighbours(store, run):
    judged = read_predictions(store, run)
    nearest = list_neighbours(store, run, judged.images[0], 3)
    assert len(nearest) == 3
    make_projection(_Quiet(store), run.id)
    assert len(read_projection(store, run).image_ids) == 24


class _Quiet:
    """Stands for the reporter of a job that nobody watches or stops."""

    def __init__(self, store):
        self.store = store

    def progress(self, stage, done, total):
        """Hear of it."""

    def check_stop(self):
        """Go on."""


@pytest.mark.timeout(1200)
def test_it_is_exported_and_its_files_answer_as_it_does(store, run, tmp_path):
    told = ask(store, "export", run.id, "--formats", "litert", "onnx", "--to", tmp_path / "model.zip")
    assert [(each["name"], each["verdict"]) for each in told["formats"]] == [("litert", "passed"), ("onnx", "passed")]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_is_exported_in_every_format(store, run, tmp_path):
    told = ask(store, "export", run.id, "--to", tmp_path / "model.zip")
    refused = [each for each in told["formats"] if each["verdict"] != "passed" and each["name"] != "litert-int8"]
    assert refused == []


def test_it_is_saved_and_opened_elsewhere(store, run, tmp_path):
    archive = tmp_path / "project.zip"
    save_project(store, run.id, archive)
    other = Store(open_workspace(tmp_path / "elsewhere"))
    ask(other, "project", "open", archive)
    (opened,) = other.runs()
    judged = read_predictions(other, opened)
    seen = pixels_of(judged.images)
    np.testing.assert_allclose(load_network(other, opened).predict(seen), judged.probabilities, atol=1e-4)


def test_nothing_is_left_to_thaw(store, run):
    with pytest.raises(RunError, match=r"all of which has learnt from scratch.*choose a backbone that has learnt"):
        starts.add_fine_tune_job(store, run.id, FineTuneSettings(layers=3, learning_rate=1e-5, insist=True))
    for ask_for in (starts.find_fine_tune, starts.add_fine_tune_job):
        with pytest.raises(RunError, match="nothing is left to thaw"):
            ask_for(store, run.id, FineTuneSettings())
    with pytest.raises(RunError, match="nothing is left to thaw"):
        starts.start_probe(store, run.id)
    with pytest.raises(RunError, match="nothing is left to thaw"):
        starts.add_rate_job(store, run.id, 1)


def test_what_needs_eyes_that_know_something_is_refused(store, tiny_dataset):
    with pytest.raises(
        BackboneError, match=r"Received: 'resnet20-from-scratch', which knows nothing.*efficientnet-lite0"
    ):
        starts.add_check_job(store, tiny_dataset, NAME, 0)
    with pytest.raises(BackboneError, match="knows nothing before it is trained"):
        start_sorting(store, tiny_dataset, NAME)
    with pytest.raises(SettingsError, match="below a support vector machine"):
        starts.add_head_job(store, tiny_dataset, scratch_settings(NAME, method="svm"))


def test_one_that_breaks_off_goes_on_from_its_last_epoch(store, tiny_dataset, run_id):
    broken = starts.add_head_job(store, tiny_dataset, SETTINGS)

    def save_and_break_off(*saved):
        save_snapshot(*saved)
        raise ConnectionAbortedError("the test breaks it off here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tlcore.training.early_stopping.KEEP_EVERY_S", -1.0)
        patch.setattr("tlcore.training.early_stopping.save_snapshot", save_and_break_off)
        with pytest.raises(ConnectionAbortedError):
            work(store, waiting_job(store, broken))
    assert store.run(broken).result_phase is None
    starts.add_resume_job(store, broken)
    finish(store, broken)
    assert store.run(broken).facts.head.seconds is not None
    whole, resumed = measured(store, run_id), measured(store, broken)
    assert [each[:2] for each in resumed] == [each[:2] for each in whole]
    np.testing.assert_allclose(np.array(resumed), np.array(whole), rtol=1e-3)
    weights = arrays(store.workspace.run(run_id) / "head.npz")
    assert weights.keys() == arrays(store.workspace.run(broken) / "head.npz").keys()


def test_after_a_fix_all_of_it_learns_again_on_the_same_sides(store, tiny_dataset, run):
    wrong = read_predictions(store, run).images[0]
    other = next(label for label in store.dataset(tiny_dataset).classes if label != wrong.label)
    edits.move_images(store, tiny_dataset, [wrong.id], other)
    try:
        again = store.run(finish_retraining(store, run))
    finally:
        edits.undo(store, tiny_dataset)
    sides, before = read_sides(store, again.id), read_sides(store, run.id)
    assert {image for image, _ in sides["validation"]} == {image for image, _ in before["validation"]}
    assert again.facts.warm_start is None
    assert len(store.epochs(again.id)) == 2
    kept = arrays(store.workspace.run(again.id) / "head.npz")
    assert kept.keys() == arrays(store.workspace.run(run.id) / "head.npz").keys()


def finish_retraining(store, run):
    """Retrain a run in this process, as the Mistakes page has it done in another; return the new run's id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starts, "launch_worker", lambda store, run_id: None)
        return finish(store, fixes.retrain(store, run.id))


def test_the_command_line_trains_from_scratch(store, tiny_dataset):
    told = ask(
        store, "train", tiny_dataset, "--from-scratch", "--epochs", 1, "--batch-size", 8, "--validation-split", 0.25
    )
    assert (told["backbone"], told["frozen_layers"], len(told["epochs"])) == (NAME, 0, 1)
    made = store.run(told["run"])
    assert made.head == scratch_settings(NAME, epochs=1, batch_size=8, validation_split=0.25)
    assert made.facts.image_size == 32


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--backbone", "ResNet-20"], NAME),
        (["--backbone", "EfficientNet Lite0", "--from-scratch"], "efficientnet-lite0-from-scratch"),
        (["--backbone", "efficientnet-lite0-from-scratch"], "efficientnet-lite0-from-scratch"),
    ],
)
def test_any_network_can_be_named_for_it(store, tiny_dataset, words, name, monkeypatch):
    asked = []
    monkeypatch.setattr("thaw.cli.runs._work", lambda store, run_id, phase: asked.append(run_id))
    monkeypatch.setattr(starts, "add_head_job", lambda store, dataset_id, settings: settings)
    ask(store, "train", tiny_dataset, *words, "--patience", 7)
    assert asked == [scratch_settings(name, patience=7)]
