import errno
import os
import sqlite3

import pytest
from filelock import FileLock, Timeout

from thaw.jobs import reporter as module
from thaw.jobs.reporter import explain, reporting
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError, Stopped
from tlcore.progress import Stage


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


@pytest.fixture
def job_id(store):
    return store.add_job("import", {})


def test_a_body_that_ends_well_is_finished(store, job_id):
    with reporting(store, job_id):
        job = store.job(job_id)
        assert (job.status, job.pid) == ("running", os.getpid())
    assert (store.job(job_id).status, store.job(job_id).error) == ("finished", None)


def test_the_lock_is_held_while_the_body_runs(store, job_id):
    with reporting(store, job_id), pytest.raises(Timeout):
        FileLock(store.workspace.job_lock(job_id), is_singleton=False).acquire(timeout=0)
    with FileLock(store.workspace.job_lock(job_id), timeout=0) as lock:
        assert lock.is_locked


def test_our_own_errors_are_recorded_and_swallowed(store, job_id):
    with reporting(store, job_id):
        raise DatasetError("Expected photos.")
    assert (store.job(job_id).status, store.job(job_id).error) == ("failed", "Expected photos.")


def test_other_errors_are_recorded_in_plain_words_and_raised(store, job_id):
    with pytest.raises(ZeroDivisionError), reporting(store, job_id):
        raise ZeroDivisionError
    assert store.job(job_id).status == "failed"
    assert "ZeroDivisionError" in store.job(job_id).error


def test_a_stop_is_seen_and_recorded(store, job_id):
    with reporting(store, job_id) as reporter:
        reporter.check_stop()
        store.ask_to_stop(job_id)
        assert reporter.stop_requested()
        reporter.check_stop()
        pytest.fail("the stop was not raised")
    assert store.job(job_id).status == "stopped"
    with pytest.raises(Stopped):
        module.Reporter(store, job_id).check_stop()


def test_progress_is_spaced_out_and_its_end_is_always_told(store, job_id):
    reporter = module.Reporter(store, job_id)
    for done in range(1000):
        reporter.progress(Stage.CHECKING_IMAGES, done, 1000)
    assert store.job(job_id).done < 999
    reporter.progress(Stage.CHECKING_IMAGES, 1000, 1000)
    job = store.job(job_id)
    assert (job.stage, job.done, job.total) == (Stage.CHECKING_IMAGES, 1000, 1000)
    assert job.rate > 0
    assert job.seconds_left == 0


def test_a_note_takes_the_place_of_the_one_about_the_same(store, job_id):
    reporter, shown = module.Reporter(store, job_id), []
    for words, about in (("On 1 machine.", ""), ("0 found.", "store"), ("On 2 machines.", ""), ("", "store")):
        reporter.note(words, about)
        shown.append(store.job(job_id).note)
    assert shown == ["On 1 machine.", "On 1 machine. 0 found.", "On 2 machines. 0 found.", "On 2 machines."]


def test_the_heart_beats(store, job_id, monkeypatch, wait_for):
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.05)
    with reporting(store, job_id):
        before = store.job(job_id).updated_at
        wait_for(lambda: store.job(job_id).updated_at > before, 10, "a beat")


def test_unforeseen_ends_are_put_into_words():
    assert "out of memory" in explain(MemoryError())
    assert "out of memory" in explain(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert "out of memory" in explain(ImportError("libx.so.2: failed to map segment from shared object"))
    assert "unforeseen" in explain(ImportError("cannot import name 'x' from 'y'"))
    assert "disk is full" in explain(OSError(errno.ENOSPC, "No space left on device"))
    assert "KeyError" in explain(KeyError("x"))


def test_a_full_gpu_is_told_as_what_it_is():
    class ResourceExhaustedError(Exception):
        """Named as TensorFlow names its own."""

    assert "GPU ran out of memory" in explain(ResourceExhaustedError("OOM when allocating"))
    assert "unforeseen" in explain(sqlite3.OperationalError("no such table: runs"))
