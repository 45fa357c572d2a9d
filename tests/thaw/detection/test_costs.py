"""How long a detector is expected to take: by what was measured here, else by what is usual."""

import dataclasses

import pytest

from thaw.detection import costs
from thaw.detection.costs import USUAL, Pace, expect_adapting, expect_training, read_pace
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.detection import phases
from tlcore.settings import FineTuneSettings, detection_settings
from tlcore.training.history import Epoch

SETTINGS = detection_settings("efficientnet-lite0", epochs=10)
FACTS = {
    "image_size": 320,
    "seconds_per_image": 0.02,
    "training_images": 80,
    "validation_images": 20,
    "head": {
        "seconds": {"features": 6.8, "training": 12.2, "total": 27.0},
    },
}
LAYER = {"kind": "Conv2D", "flops": 10, "parameters": 10, "trainable_parameters": 10, "activation_bytes": 100}
LAYERS = [LAYER | {"name": f"layer {n}", "block": f"block {n // 2}", "channels": 4, "cut_bytes": 16} for n in range(8)]


@pytest.fixture
def store(tmp_path):
    made = Store(open_workspace(tmp_path / "workspace"))
    made.add_dataset("data-1", "orchard", "folder", Arrival([]))
    return made


def add_run(store, settings, facts):
    run_id = store.add_run("data-1", settings.backbone, settings.to_json())
    store.add_facts(run_id, facts)
    # The first of ten epochs takes long, as it does.
    store.add_epochs(run_id, [Epoch(number, 1, 1, 0.5, 1, 0.5, 5.0 if number == 1 else 0.8) for number in range(1, 11)])
    return store.run(run_id)


def test_before_the_first_it_is_what_is_usual(store):
    pace = USUAL["efficientnet-lite0"]
    expected = expect_training(store, 100, SETTINGS.detector)
    assert not expected.measured
    assert expected.seconds == pytest.approx(pace.start_s + (80 * 4 + 20) * pace.view_s + 10 * 80 * pace.photo_s)
    assert expect_training(store, 100, dataclasses.replace(SETTINGS.detector, backbone="mobilenet-v2")) is None


def test_afterwards_it_is_what_the_newest_detector_has_measured(store):
    run = add_run(store, SETTINGS, FACTS)
    expected = expect_training(store, 100, SETTINGS.detector)
    # 27 s less 6.8 s of features and ten epochs of 0.8 s are what it took to begin.
    assert read_pace(store, run) == Pace(320, 0.02, pytest.approx(0.01), pytest.approx(12.2))
    assert expected.measured
    assert expected.seconds == pytest.approx(12.2 + 340 * 0.02 + 10 * 80 * 0.01)


def test_a_larger_picture_takes_longer_by_its_pixels():
    pace = Pace(320, 0.02, 0.01, 5.0).at(640)
    assert (pace.view_s, pace.photo_s, pace.start_s) == (pytest.approx(0.08), pytest.approx(0.04), 5.0)


def test_a_run_that_has_measured_nothing_and_a_classifiers_are_passed_over(store):
    add_run(store, SETTINGS, {})
    add_run(store, dataclasses.replace(SETTINGS, task="classify"), FACTS)
    assert [read_pace(store, run) for run in store.runs()] == [None, None]


def test_the_deeper_the_eye_adapts_the_longer_it_takes(store):
    run = add_run(store, SETTINGS, FACTS)
    seconds = [
        expect_adapting(store, run, LAYERS, FineTuneSettings(layers=top, learning_rate=1e-5)).seconds
        for top in (0, 4, 8)
    ]
    assert seconds == sorted(seconds)
    # Nothing thaws: the features of 80 photos' four views and of 20 photos, and 40 epochs of neck and head.
    assert seconds[0] == pytest.approx(340 * 0.02 + 12.2 + 40 * 80 / 100)
    assert expect_adapting(store, add_run(store, SETTINGS, {}), LAYERS, FineTuneSettings(layers=4)) is None


def test_as_many_photos_are_watched_as_training_watches():
    assert costs.WATCHED == phases.WATCHED
