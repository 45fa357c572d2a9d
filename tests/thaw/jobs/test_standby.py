"""The process that waits for jobs: what it does is recorded as by any other, and its end costs no job."""

import os
import signal

import psutil
import pytest

from thaw.jobs import lifecycle, standby, starts
from thaw.jobs.standby import Standby
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.settings import HeadSettings

SHORT = HeadSettings(image_size=32, epochs=2, validation_split=0.25)
# Every epoch draws new views, or a thousand would be over in seconds.
LONG = {"epochs": 1000, "patience": 1000, "augmentation": "light", "exact": True}
ENDLESS = HeadSettings(image_size=32, batch_size=2, validation_split=0.25, **LONG)


@pytest.fixture(autouse=True)
def unasked(monkeypatch):
    monkeypatch.setenv("THAW_UNASKED", "on")


@pytest.fixture(scope="module")
def waiting(store):
    """Return a process that waits, as a server has one."""
    process = Standby()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("THAW_UNASKED", "on")
        process.keep(store.workspace)
    yield process
    process.close()


@pytest.fixture
def launched(waiting, monkeypatch):
    """Let jobs be launched as a server would that has this process."""
    monkeypatch.setattr(lifecycle, "standby", waiting)
    return waiting


def test_a_job_is_done_by_a_fork_with_its_own_session_log_and_environment(
    store, tiny_dataset, launched, wait_for, monkeypatch
):
    # Set after the process was started, and told in the log and the facts whether or not a client is installed.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    run_id = starts.start_head(store, tiny_dataset, SHORT)
    job = store.latest_job(run_id)
    assert job.pid == launched.pid
    wait_for(lambda: store.latest_job(run_id).status == "running", 60, "the fork")
    job = store.latest_job(run_id)
    assert job.pid not in (launched.pid, os.getpid())
    assert os.getsid(job.pid) == job.pid
    wait_for(lambda: not store.latest_job(run_id).active, 60, "the end")
    assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
    assert len(store.epochs(run_id)) == 2
    assert "http://127.0.0.1:9" in store.workspace.job_log(job.id).read_text()
    assert launched.pid is not None


def test_forks_of_one_process_train_what_a_process_of_its_own_does(
    store, tiny_dataset, launched, wait_for, monkeypatch
):
    runs = [starts.start_head(store, tiny_dataset, SHORT) for _ in range(2)]
    monkeypatch.setattr(lifecycle, "standby", Standby())
    runs.append(starts.start_head(store, tiny_dataset, SHORT))
    wait_for(lambda: not any(store.latest_job(run_id).active for run_id in runs), 120, "three runs")
    told = [[(each.loss, each.val_loss, each.val_accuracy) for each in store.epochs(run_id)] for run_id in runs]
    assert len(told[0]) == 2
    assert told[0] == told[1] == told[2]


def test_an_import_is_done_by_a_fork_where_that_need_not_be_waited_for(store, tiny_photos, launched, wait_for):
    request = {"kind": "folder", "path": str(tiny_photos), "name": "tiny"}
    early = Standby()
    early.keep(store.workspace)
    assert not early.hand(store, store.add_job("import", request), at_once=True), "it still loads TensorFlow"
    early.close()
    wait_for(lambda: launched._ready is not None, 60, "the process that waits")
    job_id = starts.start_import(store, request)
    assert store.job(job_id).pid == launched.pid
    wait_for(lambda: not store.job(job_id).active, 30, "the import")
    assert store.job(job_id).status == "finished", store.job(job_id).error
    assert store.dataset(store.job(job_id).dataset_id).included == 24


def test_a_job_outlives_the_process_that_it_came_from(store, tiny_dataset, monkeypatch, wait_for):
    process = Standby()
    monkeypatch.setattr(lifecycle, "standby", process)
    process.keep(store.workspace)
    run_id = starts.start_head(store, tiny_dataset, ENDLESS)
    wait_for(lambda: store.epochs(run_id), 90, "the first epoch")
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: process.pid is None, 10, "the kill")
    seen = len(store.epochs(run_id))
    wait_for(lambda: len(store.epochs(run_id)) > seen, 30, "another epoch")
    lifecycle.request_stop(store, run_id)
    wait_for(lambda: not store.latest_job(run_id).active, 30, "the stop")
    assert store.latest_job(run_id).status == "stopped"
    # The next job finds nobody who waits, and is started as if nobody ever had.
    assert not process.hand(store, store.latest_job(run_id).id)


def test_a_process_that_dies_before_it_takes_a_job_fails_that_job(tmp_path, tiny_dataset, wait_for):
    store, process = Store(open_workspace(tmp_path / "workspace")), Standby()
    process.keep(store.workspace)
    os.kill(process.pid, signal.SIGSTOP)
    job_id = store.add_job("check", {})
    assert process.hand(store, job_id)
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "starting"
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: process.pid is None, 10, "the kill")
    lifecycle.reconcile(store)
    assert store.job(job_id).error == lifecycle.CHECK_DIED


def test_it_ends_when_nobody_wants_it_and_where_its_server_dies(tmp_path, wait_for):
    process = Standby()
    process.keep(open_workspace(tmp_path / "workspace"))
    pid = process.pid
    process.end_idle()
    assert process.pid == pid
    process.end_idle(idle_s=0.0)
    assert process.pid is None
    wait_for(lambda: not psutil.pid_exists(pid), 60, "its end")


@pytest.mark.parametrize("reason", ["memory is short", "the person does not want it"])
def test_none_is_started_where(tmp_path, monkeypatch, reason):
    if reason == "memory is short":
        monkeypatch.setattr(standby, "FREE_BYTES", 2**60)
    else:
        monkeypatch.setenv("THAW_UNASKED", "off")
    process = Standby()
    process.keep(open_workspace(tmp_path / "workspace"))
    assert process.pid is None
