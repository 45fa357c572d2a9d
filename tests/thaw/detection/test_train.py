"""The runs of detectors: trained, stopped, gone on with, fine-tuned and asked, on photos whose objects are drawn."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from tests.support.boxes.detectors import add_shapes
from tests.support.runs import arrays, fine_tune, measured, train_head
from thaw.detection.boxed_split import read_seen_boxes
from thaw.detection.found import read_found
from thaw.jobs import starts
from thaw.prediction.detector import find_in_files, load_detector, load_finder
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.errors import SettingsError
from tlcore.settings import FineTuneSettings, detection_settings
from tlcore.training.snapshots import save_snapshot

DATASET = "data-0b0ced000000"
SETTINGS = detection_settings("efficientnet-lite0", image_size=64, epochs=5, views=2, batch_size=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("detector")
    made = Store(open_workspace(root / "workspace"))
    add_shapes(made, DATASET, root / "photos")
    return made


@pytest.fixture(scope="module")
def run(store):
    return store.run(train_head(store, DATASET, SETTINGS))


def test_a_run_records_what_it_saw_and_found(store, run):
    judged = read_found(store, run)

    assert judged.labels == ["disc", "square"]
    assert run.facts.training_images + run.facts.validation_images == 16
    assert len(judged.images) == run.facts.validation_images
    assert run.facts.image_size == 64
    assert run.facts.head.accuracies == {"validation": judged.precision}
    assert sum(run.facts.class_counts["validation"].values()) == sum(len(each.kinds) for each in judged.drawn)
    epochs = store.epochs(run.id)
    assert epochs[-1].loss < epochs[0].loss


def test_boxes_that_are_drawn_later_change_nothing_about_it(store, run):
    before = read_seen_boxes(store, run)
    changed, boxes = next((each, boxes) for each, boxes in store.boxes(DATASET).items() if boxes)
    store.set_boxes(DATASET, changed, [], boxes)

    assert read_seen_boxes(store, run) == before
    assert before[changed] == boxes
    store.set_boxes(DATASET, changed, boxes, [])


def tuned(store, run):
    """Return the run with a phase 2, which is trained once."""
    if not store.run(run.id).fine_tune:
        fine_tune(store, run.id, FineTuneSettings(layers=12, epochs=1, batch_size=4, insist=True))
    return store.run(run.id)


def test_phase_2_thaws_the_top_and_goes_on_from_the_head(store, run):
    adapted = tuned(store, run)

    facts = adapted.facts.fine_tune
    assert facts.frozen_layers + 12 == run.facts.head.frozen_layers
    assert facts.drift
    assert all(each.mean == each.variance == 0 for each in facts.drift)
    assert [epoch.phase for epoch in store.epochs(adapted.id)] == [1] * 5 + [2]
    assert set(facts.accuracies) == {"validation"}


@pytest.mark.parametrize("load", [load_detector, load_finder])
def test_its_detector_is_put_together_again(store, run, tmp_path, load):
    judged = read_found(store, run, 1)
    (tmp_path / "text.jpg").write_text("no picture")
    detector = load(store, dataclasses.replace(run, result_phase=1))

    *seen, refused = find_in_files(detector, [*judged.files, tmp_path / "text.jpg"], run.facts.grey_range)

    assert refused.found is None
    assert "text" in refused.rejected
    for mine, kept, image in zip(seen, judged.found, judged.images, strict=True):
        assert (mine.width, mine.height) == (image.width, image.height)
        sure = kept.above(0.3)
        np.testing.assert_allclose(mine.found.above(0.3).edges, sure.edges, atol=0.02)


@pytest.mark.parametrize("phase", [1, 2])
def test_what_answers_for_new_pictures_says_what_the_keras_model_says(store, run, phase):
    chosen = run if phase == 1 else tuned(store, run)
    chosen = dataclasses.replace(chosen, result_phase=phase)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    edges, scores = load_detector(store, chosen).answer(pixels)

    mine = load_finder(store, chosen).answer(pixels)

    np.testing.assert_allclose(mine[1], scores, atol=1e-4, rtol=0)
    np.testing.assert_allclose(mine[0], edges, atol=1e-2, rtol=0)


WITHOUT_TENSORFLOW = """
import sys
from pathlib import Path
from thaw.prediction.detector import find_in_files, load_finder
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

store = Store(open_workspace(sys.argv[1]))
run = store.run(sys.argv[2])
(seen,) = find_in_files(load_finder(store, run), [Path(sys.argv[3])], run.facts.grey_range)
assert not {"tensorflow", "keras"} & set(sys.modules), "neither is to be imported"
print(seen.width, seen.found.edges.shape[1])
"""


def test_an_answer_needs_neither_tensorflow_nor_keras(store, run):
    judged = read_found(store, run)
    line = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(store.workspace.root), run.id, str(judged.files[0])]
    done = subprocess.run(line, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(judged.images[0].width), "4"]


def test_one_that_breaks_off_goes_on_to_the_same_end(store, run, monkeypatch):
    run_id = starts.add_head_job(store, DATASET, SETTINGS)
    saved = []

    def save_and_break_off(*given):
        save_snapshot(*given)
        saved.append(given)
        if len(saved) == 2:
            raise ConnectionAbortedError("the test breaks it off here")

    monkeypatch.setattr("tlcore.training.early_stopping.save_snapshot", save_and_break_off)
    with pytest.raises(ConnectionAbortedError):
        work(store, starts.waiting_job(store, run_id))
    assert 0 < len(store.epochs(run_id)) < SETTINGS.epochs
    monkeypatch.undo()
    starts.add_resume_job(store, run_id)
    work(store, starts.waiting_job(store, run_id))

    assert measured(store, run_id) == measured(store, run.id)[: SETTINGS.epochs]
    left = [arrays(store.workspace.run(each) / "head.npz") for each in (run_id, run.id)]
    assert left[0] == left[1]


def test_what_cannot_be_learnt_from_is_told(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    image = Image("img-000000000000", "", "a.png", "0" * 64, 8, 8, suffix=".png", folder=DATASET, role="pile")
    store.add_dataset(DATASET, "bare", "folder", Arrival([image]))
    run_id = starts.add_head_job(store, DATASET, SETTINGS)

    work(store, starts.waiting_job(store, run_id))

    assert store.latest_job(run_id).status == "failed"
    assert "Expected photos with boxes" in store.latest_job(run_id).error


def test_settings_that_a_detector_has_not_are_refused():
    with pytest.raises(SettingsError, match="Received: dropout"):
        detection_settings("efficientnet-lite0", dropout=0.5)
    with pytest.raises(SettingsError, match="a multiple of 32"):
        detection_settings("efficientnet-lite0", image_size=100)
