import dataclasses
import json
import os
import subprocess
import threading
import time

import pytest

from tests.support.pictures.corpus import write_classes
from thaw.jobs import lifecycle, starts
from thaw.jobs.reporter import reporting
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import BackboneError, DatasetError, GuardError, RunError, SettingsError
from tlcore.processes import ticking
from tlcore.settings import FineTuneSettings, HeadSettings, detection_settings
from tlcore.training.history import Epoch


@pytest.fixture
def store(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    store.add_dataset("data-1", "Photos", "here", Arrival([]))
    return store


@pytest.fixture
def run_id(store):
    return store.add_run("data-1", "efficientnet-lite0", HeadSettings().to_json())


def test_a_job_whose_process_never_came_is_failed_after_a_grace(store):
    job_id = store.add_job("import", {})
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "starting"
    store.update_job(job_id, born=ticking() - lifecycle.STARTING_GRACE_S - 1)
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "failed"


def test_a_clock_that_was_set_back_keeps_no_dead_job_alive(store, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 4e9)
    job_id = store.add_job("import", {})
    monkeypatch.undo()
    assert store.job(job_id).created_at > time.time()
    monkeypatch.setattr(lifecycle, "STARTING_GRACE_S", 0.05)
    monkeypatch.setattr(lifecycle, "SILENT_AFTER_S", 0.05)
    time.sleep(0.1)
    assert lifecycle.silent(store.job(job_id))
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "failed"


def test_a_process_whose_number_came_round_again_is_not_the_job(store, run_id):
    job_id = store.add_job("head", {}, "data-1", run_id)
    store.note_pid(job_id, os.getpid())
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "starting"
    store.update_job(job_id, pid_started=1)
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "failed"


def test_a_living_process_without_the_lock_is_not_the_job(store, run_id):
    job_id = store.add_job("head", {}, "data-1", run_id)
    store.update_job(job_id, status="running", pid=os.getpid())
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "failed"
    assert "press Resume" in store.job(job_id).error


def test_a_job_that_ended_is_left_as_it_is(store, run_id):
    job_id = store.add_job("head", {}, "data-1", run_id)
    store.update_job(job_id, status="finished")
    lifecycle.reconcile(store)
    store.fail_job(job_id, "too late")
    assert (store.job(job_id).status, store.job(job_id).error) == ("finished", None)


def test_a_process_that_ends_at_once_is_found_out(store, wait_for):
    job_id = store.add_job("import", {})
    store.fail_job(job_id, "gone")
    lifecycle.launch(store, job_id)
    log = store.workspace.job_log(job_id)
    wait_for(lambda: "RunError" in log.read_text(), 30, "what it says")


def test_the_job_runs_in_a_session_of_its_own_and_logs_to_its_file(store, tmp_path, wait_for):
    folder = write_classes(tmp_path / "photos", {"rose": 2})
    job_id = starts.start_import(store, {"kind": "folder", "path": str(folder), "name": "Photos"})
    wait_for(lambda: not store.job(job_id).active, 30, "the end of the import")
    assert store.job(job_id).status == "finished"
    assert store.workspace.job_log(job_id).read_text() == ""
    assert store.job(job_id).pid != os.getpid()


def test_silence_is_told(store):
    job = store.job(store.add_job("import", {}))
    assert not lifecycle.silent(job)
    assert lifecycle.silent(dataclasses.replace(job, heard=ticking() - 16))
    assert not lifecycle.silent(dataclasses.replace(job, heard=0, status="failed"))


def test_a_busy_run_takes_no_second_job(store, run_id):
    store.add_job("head", {}, "data-1", run_id)
    for start in (
        lambda: starts.resume(store, run_id),
        lambda: starts.start_fine_tune(store, run_id, FineTuneSettings()),
    ):
        with pytest.raises(RunError, match=r"running\. Stop it or wait"):
            start()
    assert store.run(run_id).fine_tune is None


def test_a_finished_run_has_nothing_to_resume(store, run_id):
    store.update_job(store.add_job("head", {}, "data-1", run_id), status="finished")
    with pytest.raises(RunError, match="Start a new one"):
        starts.resume(store, run_id)


def test_two_tabs_that_start_one_run_at_once_start_it_once(store, run_id):
    def start(outcomes):
        try:
            outcomes.append(store.add_job("head", {}, "data-1", run_id))
        except RunError:
            outcomes.append(None)

    outcomes = []
    tabs = [threading.Thread(target=start, args=(outcomes,)) for _ in range(8)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert len(outcomes) == 8
    assert len([job_id for job_id in outcomes if job_id]) == 1
    assert len(store.unfinished_jobs()) == 1


def test_a_job_that_was_given_up_does_not_come_back_to_life(store, run_id):
    job_id = store.add_job("head", {}, "data-1", run_id)
    store.fail_job(job_id, "gone")
    with pytest.raises(RunError, match="taken or ended"), reporting(store, job_id):
        pytest.fail("the body of a job that has ended must not run")
    assert store.job(job_id).status == "failed"


def test_a_process_that_dies_before_it_takes_its_job_is_seen_to_be_dead(store, run_id):
    job_id = store.add_job("head", {}, "data-1", run_id)
    process = subprocess.Popen(["true"])
    process.wait()
    store.note_pid(job_id, process.pid)
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "failed"


def test_a_stop_reaches_only_an_active_job(store, run_id):
    job_id = store.add_job("head", {}, "data-1", run_id)
    lifecycle.request_stop(store, run_id)
    assert store.job(job_id).stop_requested
    store.update_job(job_id, status="stopped")
    done = store.add_job("fine_tune", {}, "data-1", run_id)
    store.update_job(done, status="finished")
    lifecycle.request_stop(store, run_id)
    assert not store.job(done).stop_requested


def trained(store, run_id):
    """Make a run look as its worker leaves it after a settled phase 1."""
    for number in range(1, 11):
        store.add_epochs(run_id, [Epoch(number, 1, 0.1, 0.95, 0.1, 0.95, 1.0)])
    store.update_job(store.add_job("head", {}, "data-1", run_id), status="finished")
    store.set_result(run_id, 1)
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    for name in starts.HEAD_FILES:
        (folder / name).write_text(name)
    (folder / "layers.json").write_text(json.dumps([{"block": f"block {index // 10}"} for index in range(141)]))
    store.add_facts(run_id, {"image_size": 224})


def test_what_the_settings_leave_open_is_chosen_to_suit_the_images(store, run_id):
    trained(store, run_id)
    for image_size, layers, rate in ((224, 41, 1e-5), (96, 71, 1e-4)):
        store.add_facts(run_id, {"image_size": image_size})
        chosen = starts.suit(store, store.run(run_id), HeadSettings(), FineTuneSettings())
        assert chosen.layers == layers
        assert chosen.learning_rate == pytest.approx(rate)
    asked = FineTuneSettings(layers=0, learning_rate=3e-5)
    assert starts.suit(store, store.run(run_id), HeadSettings(), asked) == asked


def test_a_detectors_phase_2_goes_deeper_in_a_falling_rate_and_small_batches(store, run_id):
    trained(store, run_id)
    run = store.run(run_id)
    assert starts.complete(run) == FineTuneSettings()
    detector = dataclasses.replace(run, head=detection_settings("efficientnet-lite0"))
    settings = starts.complete(detector, patience=3)
    assert (settings.epochs, settings.batch_size, settings.patience) == (20, 8, 3)
    chosen = starts.suit(store, detector, detector.head, settings)
    assert chosen.layers == 111
    assert chosen.learning_rate == pytest.approx(4e-4)


def test_an_unknown_backbone_size_or_data_set_is_refused_before_a_run_is_made(store):
    with pytest.raises(BackboneError):
        starts.add_head_job(store, "data-1", HeadSettings(backbone="no-such-net"))
    with pytest.raises(BackboneError, match=r"image_size=160. Choose 154 or 168"):
        starts.add_head_job(store, "data-1", HeadSettings(backbone="dinov2-vits14", image_size=160))
    with pytest.raises(DatasetError):
        starts.add_head_job(store, "data-none", HeadSettings())
    assert store.runs() == []


def test_fine_tuning_needs_a_head_first(store, run_id):
    with pytest.raises(RunError, match="Train its head first"):
        starts.add_fine_tune_job(store, run_id, FineTuneSettings())


def test_fine_tuning_that_would_smash_the_weights_is_refused_unless_the_user_insists(store, run_id):
    trained(store, run_id)
    harsh = FineTuneSettings(learning_rate=0.01)
    with pytest.raises(GuardError):
        starts.add_fine_tune_job(store, run_id, harsh)
    with pytest.raises(SettingsError, match="layers to unfreeze"):
        starts.add_fine_tune_job(store, run_id, FineTuneSettings(layers=10_000))
    assert store.run(run_id).fine_tune is None
    assert starts.add_fine_tune_job(store, run_id, dataclasses.replace(harsh, insist=True)) == run_id
    assert store.latest_job(run_id).kind == "fine_tune"


def test_a_second_fine_tuning_branches_off_and_leaves_the_first_alone(store, run_id):
    trained(store, run_id)
    first = FineTuneSettings(layers=5)
    assert starts.add_fine_tune_job(store, run_id, first) == run_id
    store.update_job(store.latest_job(run_id).id, status="finished")
    branched = starts.add_fine_tune_job(store, run_id, FineTuneSettings(layers=9))
    assert branched != run_id
    assert store.run(run_id).fine_tune.layers == first.layers
    assert store.run(branched).fine_tune.layers == 9
    for name in starts.HEAD_FILES:
        assert (store.workspace.run(branched) / name).read_bytes() == (store.workspace.run(run_id) / name).read_bytes()
