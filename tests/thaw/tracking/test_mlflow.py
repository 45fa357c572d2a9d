"""The mirror in MLflow: told apart when it cannot work, and, on demand, tried against a real server."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.support.boxes.detectors import add_boxed, add_detector_run
from tests.support.command_line import ask
from tests.support.pictures.corpus import write_classes
from thaw.jobs.reporter import reporting
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.tracking.mlflow import (
    NO_CLIENT,
    VARIABLE,
    list_parameters,
    list_points,
    list_results,
    mirror_run,
    tracking_server,
)

SMALL = ("--image-size", 32, "--batch-size", 8, "--validation-split", 0.25)


def free_port():
    with socket.socket() as chooser:
        chooser.bind(("127.0.0.1", 0))
        return chooser.getsockname()[1]


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", None),
        ("  ", None),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://me:s3cret@host/path", "https://host/path"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
    ],
)
def test_a_password_in_the_address_is_never_shown(monkeypatch, address, shown):
    monkeypatch.setenv(VARIABLE, address)
    assert tracking_server() == shown


def mirrored(store):
    """Mirror a run that has no epoch in a job of its own; return its fact and how the job ended."""
    store.add_dataset("data-1", "Photos", "here", Arrival([]))
    run_id = store.add_run("data-1", "resnet50", "{}")
    job_id = store.add_job("head", {}, "data-1", run_id)
    with reporting(store, job_id) as reporter:
        mirror_run(reporter, run_id)
    return store.run(run_id).facts.mlflow, store.job(job_id).status


def test_nothing_is_told_to_anyone_unless_the_person_has_asked_for_it(store, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert mirrored(store) == (None, "finished")


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="MLflow is installed")
def test_without_its_client_the_run_ends_well_and_says_so(store, monkeypatch, capsys):
    monkeypatch.setenv(VARIABLE, "http://me:s3cret@127.0.0.1:1")
    fact, status = mirrored(store)
    assert status == "finished"
    assert fact.sent is False
    assert NO_CLIENT in fact.words
    assert "is complete without" in capsys.readouterr().out
    assert "s3cret" not in str(fact)


def test_what_a_detector_is_worth_is_sent_as_what_it_is(store):
    run = store.run(add_detector_run(store, add_boxed(store)))
    (experiment,) = store.experiments()
    points = list_points(run, store.epochs(run.id))
    assert {name for name, *_ in points} == {"loss", "ap50", "val_loss", "val_ap50", "seconds"}
    assert [(step, value) for name, value, _, step in points if name == "val_ap50"] == [(1, 0.4), (2, 0.4), (3, 0.4)]
    assert list_results(store, run, experiment) == {
        "final_ap50_validation": 0.4,
        "final_objects_validation": 3,
        "final_found_validation": 1,
        "final_confused_validation": 0,
        "final_missed_validation": 2,
        "final_false_alarms_validation": 1,
    }
    chosen = dict(list_parameters(experiment, run.head, run.fine_tune))
    assert (chosen["phase1.task"], chosen["phase1.views"], chosen["phase1.image_size"]) == ("detect", 4, 320)
    assert "phase1.dropout" not in chosen
    sent = str((points, chosen, list_results(store, run, experiment)))
    assert "apple" not in sent
    assert "orchard/" not in sent


@pytest.fixture
def server(tmp_path):
    """A real tracking server on this machine, with a database of its own."""
    pytest.importorskip("mlflow", reason="pip install mlflow, to try the mirror on a real server")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db", "--artifacts-destination", str(tmp_path)]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 400
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline, (tmp_path / "server.log").read_text()
            time.sleep(0.5)
    yield f"http://127.0.0.1:{port}"
    # Its workers do not always follow a gentle signal to their parent.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


@pytest.mark.slow
def test_a_real_server_has_parameters_epochs_and_final_accuracies_of_both_phases(store, server, monkeypatch, tmp_path):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv(VARIABLE, server)
    dataset = ask(store, "import", write_classes(tmp_path / "flowers", {"secret-class": 8, "tulip": 8}))["dataset"]
    run_id = ask(store, "train", dataset, *SMALL, "--epochs", 2)["run"]
    assert store.run(run_id).facts.mlflow.sent, store.run(run_id).facts.mlflow
    ask(store, "finetune", run_id, "--layers", 9, "--epochs", 1, "--batch-size", 8, "--insist")
    run, epochs = store.run(run_id), store.epochs(run_id)
    assert run.facts.mlflow.sent, run.facts.mlflow
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("Thaw")
    (told,) = client.search_runs([experiment.experiment_id])
    assert told.info.status == "FINISHED"
    assert told.data.params["phase1.learning_rate"] == "0.001"
    assert told.data.params["phase2.layers"] == "9"
    assert told.data.tags["thaw.fine_tuning_start_epoch"] == "3"
    history = client.get_metric_history(told.info.run_id, "val_accuracy")
    assert [(each.step, pytest.approx(each.value)) for each in history] == [
        (epoch.epoch, epoch.val_accuracy) for epoch in epochs
    ]
    (row,) = store.experiments()
    assert told.data.metrics["final_accuracy_validation"] == pytest.approx(row.final_accuracy_validation)
    assert "secret-class" not in str(told.data)
    assert not client.list_artifacts(told.info.run_id)


@pytest.mark.slow
def test_a_server_that_is_away_costs_a_note_and_no_run(store, monkeypatch, tmp_path):
    pytest.importorskip("mlflow", reason="pip install mlflow, to try the mirror")
    monkeypatch.setenv(VARIABLE, f"http://me:s3cret@127.0.0.1:{free_port()}")
    started = time.monotonic()
    fact, status = mirrored(store)
    assert (status, fact.sent) == ("finished", False)
    assert "MLflow says" in fact.words
    assert "s3cret" not in str(fact)
    assert time.monotonic() - started < 60
