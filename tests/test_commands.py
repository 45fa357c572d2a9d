"""What each command answers, called as functions on a store."""

import argparse

import pytest

from tests.corpus import ACCEPTED, Case, jpeg, write_classes, write_zip
from tlcore.commands import COMMANDS, describe_training
from tlcore.dataset_rows import Arrival
from tlcore.errors import DatasetError, RunError, ThawError
from tlcore.records import Epoch
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.store import Store
from tlcore.workspace import open_workspace


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def ask(store, command, **arguments):
    return COMMANDS[command](store, argparse.Namespace(**{"into": None, "holdout": False} | arguments))


def test_a_folder_is_named_after_itself_unless_told(store, tmp_path):
    folder = write_classes(tmp_path / "flowers", {"rose": 2, "tulip": 3})
    found = ask(store, "import", path=str(folder), name=None)
    assert (found["name"], found["accepted"], found["classes"]) == ("flowers", 5, {"rose": 2, "tulip": 3})
    assert ask(store, "import", path=str(folder), name="Garden")["name"] == "Garden"
    assert [dataset["name"] for dataset in ask(store, "datasets")] == ["Garden", "flowers"]


def test_a_zip_is_imported_too(store, tmp_path):
    cases = [
        Case(f"{label}/{n}.jpg", jpeg(10 * n + len(label), 32, 24), ACCEPTED) for label in ("a", "bb") for n in (1, 2)
    ]
    path = write_zip(tmp_path / "Photos.ZIP", cases)
    found = ask(store, "import", path=str(path), name=None)
    assert (found["accepted"], found["classes"]) == (4, {"a": 2, "bb": 2})


def test_an_import_that_fails_raises_its_reason(store, tmp_path):
    with pytest.raises(ThawError, match="nowhere"):
        ask(store, "import", path=str(tmp_path / "nowhere"), name=None)
    assert ask(store, "datasets") == []


def test_unknown_ids_are_refused(store):
    with pytest.raises(DatasetError, match="data-none"):
        ask(store, "train", dataset="data-none")
    with pytest.raises(RunError, match="run-none"):
        ask(store, "finetune", run="run-none")


def test_runs_are_listed_with_the_metrics_of_their_result(store):
    store.add_dataset("data-1", "Photos", "here", Arrival([]))
    assert ask(store, "runs") == []
    run_id = store.add_run("data-1", "resnet50", HeadSettings().to_json())
    (waiting,) = ask(store, "runs")
    assert (waiting["status"], waiting["result_phase"], waiting["val_accuracy"]) == (None, None, None)
    for number, phase, loss in ((1, 1, 0.5), (2, 1, 0.4), (3, 2, 0.3), (4, 2, 0.6)):
        store.add_epoch(run_id, Epoch(number, phase, loss, 0.5, loss, 1 - loss, 0.1))
    store.add_facts(run_id, {"head": {"best_epoch": 2}, "fine_tune": {"best_epoch": 3}})
    for phase, loss in ((1, 0.4), (2, 0.3)):
        store.set_result(run_id, phase)
        (listed,) = ask(store, "runs")
        assert (listed["val_loss"], listed["val_accuracy"]) == (loss, 1 - loss)


def test_frozen_layers_are_those_below_the_top(store):
    store.add_dataset("data-1", "Photos", "here", Arrival([]))
    run_id = store.add_run("data-1", "resnet50", HeadSettings().to_json())
    measured = {"seconds": {"total": 1.0}, "images_per_second": None, "features_per_second": 5.0}
    store.add_facts(run_id, {"head": measured, "device": "CPU: one", "versions": {}})
    assert describe_training(store, store.run(run_id), "head")["frozen_layers"] == 175
    store.set_fine_tune(run_id, FineTuneSettings(layers=33).to_json())
    answer = describe_training(store, store.run(run_id), "head")
    assert (answer["frozen_layers"], answer["seconds"], answer["epochs"]) == (142, {"total": 1.0}, [])
