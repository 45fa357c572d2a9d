"""Trainings of a detector killed at random moments of both phases: what comes out is what nobody disturbed."""

import random
from collections import Counter

import pytest

from tests.campaigns.ward import TRAINING, Plan, kill, live, train_undisturbed
from tests.support.boxes.detectors import add_shapes
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.settings import FineTuneSettings, detection_settings

DATASET = "data-0b0ced0fade0"
HEAD = detection_settings("efficientnet-lite0", image_size=64, epochs=12, views=2, batch_size=2, patience=1000)
TUNE = FineTuneSettings(layers=12, epochs=8, batch_size=2, learning_rate=1e-5, patience=1000, insist=True)
PHOTOS = 12
RESULTS = ("head.npz", "found-1.npz", "tuned.npz", "found-2.npz")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(open_workspace(tmp_path_factory.mktemp("detectors") / "workspace"))


@pytest.fixture(scope="module")
def plan(store, tmp_path_factory):
    add_shapes(store, DATASET, tmp_path_factory.mktemp("shapes"), PHOTOS)
    return Plan(DATASET, HEAD, TUNE, RESULTS)


@pytest.fixture(scope="module")
def undisturbed(store, plan):
    return train_undisturbed(store, plan)


def test_a_kill_in_each_phase_leaves_no_trace_in_the_detector(store, plan, undisturbed, wait_for, campaign):
    tally, stages = campaign("detectors killed in each phase"), Counter()
    drawn = store.boxes(DATASET)
    with tally.trial("detector 1"):
        # Both moments that this seed chooses are in the first tenth of the training, however fast it is.
        stages = live(store, plan, undisturbed, kill, 1, random.Random(238), wait_for, here=True)
    tally.facts["kills"] = stages.total()
    assert stages.total() == 2
    assert store.boxes(DATASET) == drawn


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_killed_detectors_go_on_to_the_same_end(store, plan, undisturbed, wait_for, campaign):
    tally, chance, stages = campaign("detectors killed up to six times"), random.Random(7), Counter()
    drawn = store.boxes(DATASET)
    while stages.total() < 24 and not tally.lost:
        with tally.trial(f"detector {tally.n + 1}"):
            stages += live(store, plan, undisturbed, kill, 3, chance, wait_for)
        tally.facts["kills"] = stages.total()
    assert set(TRAINING) <= stages.keys()
    assert store.boxes(DATASET) == drawn
