"""Loading a backbone: its weights are checked against those that a run began with."""

import pytest

from tlcore.backbones import find_backbone
from tlcore.errors import WeightsError
from tlcore.loading import load_backbone
from tlcore.reporter import Reporter
from tlcore.weights import fetch, fingerprint

ROW = find_backbone("efficientnet-lite0")


@pytest.fixture
def reporter(store, tiny_dataset):
    return Reporter(store, store.add_job("head", {}, tiny_dataset))


def test_weights_other_than_those_of_phase_1_are_refused(reporter):
    loaded = load_backbone(reporter, ROW, 32, {})
    assert loaded.weights_sha256 == fingerprint(fetch(ROW))
    assert load_backbone(reporter, ROW, 32, {"weights_sha256": loaded.weights_sha256}).row == ROW
    with pytest.raises(WeightsError, match="Received: another file"):
        load_backbone(reporter, ROW, 32, {"weights_sha256": "0" * 64})
