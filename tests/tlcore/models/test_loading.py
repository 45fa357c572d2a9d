"""Loading a backbone: its weights are checked against those that a run began with."""

import pytest

from thaw.jobs.reporter import Reporter
from tlcore.errors import WeightsError
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import load_backbone
from tlcore.models.weights import fetch, fingerprint, note_weights, recognise

ROW = find_backbone("efficientnet-lite0")


@pytest.fixture
def other_weights(tmp_path, monkeypatch):
    """Lay another file in the place of the published one, of which no hash is known."""
    path = tmp_path / ROW.weights_file
    path.write_bytes(fetch(ROW).read_bytes() + b"one byte more")
    monkeypatch.setattr("tlcore.models.loading.fetch", lambda row, tell: path)
    return path


@pytest.fixture
def reporter(store, tiny_dataset):
    return Reporter(store, store.add_job("head", {}, tiny_dataset))


def test_weights_other_than_those_of_phase_1_are_refused(reporter):
    loaded = load_backbone(reporter, ROW, 32)
    assert loaded.weights_sha256 == fingerprint(fetch(ROW))
    assert load_backbone(reporter, ROW, 32, loaded.weights_sha256).row == ROW
    with pytest.raises(WeightsError, match="Received: another file"):
        load_backbone(reporter, ROW, 32, "0" * 64)


def test_weights_that_changed_since_their_first_use_are_refused_until_they_are_brought(reporter, other_weights):
    workspace = reporter.store.workspace
    note_weights(workspace, ROW, fingerprint(fetch(ROW)))
    with pytest.raises(WeightsError, match="as this workspace first used it") as refused:
        load_backbone(reporter, ROW, 32)
    assert fingerprint(other_weights) in str(refused.value)
    note_weights(workspace, ROW, fingerprint(other_weights))
    assert recognise(workspace, ROW, other_weights) == fingerprint(other_weights)
    note_weights(workspace, ROW, fingerprint(fetch(ROW)))
