"""TensorBoard's event files, read back by TensorFlow, which checks every checksum."""

import pytest

from tests.support.boxes.detectors import add_boxed, add_detector_run
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.tracking.tensorboard import write_events
from tlcore.errors import RunError
from tlcore.training.history import Epoch


@pytest.fixture
def store(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    store.add_dataset("data-1", "Photos", "here", Arrival([]))
    return store


def read_back(path):
    import tensorflow as tf

    events = [tf.compat.v1.Event.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    scalars = [
        (event.step, value.tag, pytest.approx(value.simple_value), event.wall_time)
        for event in events
        for value in event.summary.value
    ]
    return events[0].file_version, scalars


def test_every_epoch_of_both_phases_comes_back(store, tmp_path):
    run_id = store.add_run("data-1", "resnet50", "{}")
    started = store.run(run_id).created_at
    # 300 takes two bytes as a variable-length number.
    for number, phase in ((1, 1), (2, 1), (300, 2)):
        store.add_epochs(run_id, [Epoch(number, phase, 0.5 / number, 0.8, 0.6, 0.7, 1.5)])
    training, validation = write_events(store, run_id, tmp_path / "events")
    assert training.parent.name == "training"
    version, scalars = read_back(training)
    assert version == "brain.Event:2"
    assert [each for each in scalars if each[1] == "epoch_loss"] == [
        (1, "epoch_loss", 0.5, pytest.approx(started + 1.5)),
        (2, "epoch_loss", 0.25, pytest.approx(started + 3.0)),
        (300, "epoch_loss", 0.5 / 300, pytest.approx(started + 4.5)),
    ]
    assert {tag for _, tag, _, _ in scalars} == {"epoch_loss", "epoch_accuracy", "epoch_seconds"}
    _, judged = read_back(validation)
    assert [value for _, tag, value, _ in judged if tag == "epoch_accuracy"] == [0.7] * 3


def test_a_run_without_epochs_and_a_folder_that_is_a_file_are_refused(store, tmp_path):
    run_id = store.add_run("data-1", "resnet50", "{}")
    with pytest.raises(RunError, match="a finished epoch"):
        write_events(store, run_id, tmp_path)
    store.add_epochs(run_id, [Epoch(1, 1, 0.5, 0.8, 0.6, 0.7, 1.5)])
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="a folder that can be written"):
        write_events(store, run_id, tmp_path / "file")


def test_a_detectors_epochs_are_told_by_ap50(store, tmp_path):
    run_id = add_detector_run(store, add_boxed(store))
    for path in write_events(store, run_id, tmp_path / "events"):
        content = path.read_bytes()
        assert content.count(b"epoch_ap50") == len(store.epochs(run_id))
        assert b"accuracy" not in content
