"""The weights of a workspace: those that a run began with, those of their first use, and a file of the user's."""

import pytest

from thaw.backbones.known_weights import Adoption, note_weights, read_adoption, recognise, start_adoption
from thaw.backbones.loading import load_backbone
from thaw.jobs.reporter import Reporter
from thaw.storage.workspace import open_workspace
from tlcore.errors import WeightsError
from tlcore.models.backbones import BACKBONES, find_backbone
from tlcore.models.weights import fetch, sha256_of
from tlcore.processes import ticking

ROW = find_backbone("efficientnet-lite0")


@pytest.fixture
def other_weights(tmp_path, monkeypatch):
    """Lay another file in the place of the published one, of which no hash is known."""
    path = tmp_path / ROW.weights_file
    path.write_bytes(fetch(ROW).read_bytes() + b"one byte more")
    monkeypatch.setattr("thaw.backbones.loading.fetch", lambda row, tell: path)
    return path


@pytest.fixture
def reporter(store, tiny_dataset):
    return Reporter(store, store.add_job("head", {}, tiny_dataset))


def test_weights_other_than_those_of_phase_1_are_refused(reporter):
    loaded = load_backbone(reporter, ROW, 32)
    assert loaded.weights_sha256 == sha256_of(fetch(ROW))
    assert load_backbone(reporter, ROW, 32, loaded.weights_sha256).row == ROW
    with pytest.raises(WeightsError, match="Received: another file"):
        load_backbone(reporter, ROW, 32, "0" * 64)


def test_weights_that_changed_since_their_first_use_are_refused_until_they_are_brought(reporter, other_weights):
    workspace = reporter.store.workspace
    note_weights(workspace, ROW, sha256_of(fetch(ROW)))
    with pytest.raises(WeightsError, match="as this workspace first used it") as refused:
        load_backbone(reporter, ROW, 32)
    assert sha256_of(other_weights) in str(refused.value)
    note_weights(workspace, ROW, sha256_of(other_weights))
    assert recognise(workspace, ROW, other_weights) == sha256_of(other_weights)
    note_weights(workspace, ROW, sha256_of(fetch(ROW)))


def test_the_check_runs_in_a_process_of_its_own_and_tells_how_it_ended(tmp_path, wait_for):
    workspace, file = open_workspace(tmp_path / "workspace"), tmp_path / "wrong.h5"
    file.write_bytes(b"short")
    assert read_adoption(workspace) is None
    start_adoption(workspace, BACKBONES["resnet50"], file)
    assert read_adoption(workspace).active
    wait_for(lambda: not read_adoption(workspace).active, 60, "the check's end")
    ended = read_adoption(workspace)
    assert (ended.backbone, ended.path, ended.lost) == ("resnet50", str(file), False)
    assert "Received: 'wrong.h5' with 5 bytes" in ended.error
    assert ended.started_at < ended.finished_at <= ticking()


def test_a_check_whose_process_died_is_not_awaited_for_ever():
    assert Adoption("resnet50", "x", ticking()).active
    dead = Adoption("resnet50", "x", ticking() - 1000)
    assert (dead.active, dead.lost) == (False, True)
