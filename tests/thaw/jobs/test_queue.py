"""The queue for the device: its order, and what waiting costs."""

import os
import signal
import threading
import time

import psutil
import pytest
from filelock import FileLock

from tests.support.pictures.corpus import write_classes
from thaw.jobs import lifecycle, queue, starts
from thaw.jobs.queue import hold_device
from thaw.jobs.reporter import reporting
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.progress import Stage
from tlcore.settings import HeadSettings

MEMORY_LIMIT_BYTES = 150e6


@pytest.fixture
def store(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    folder = write_classes(tmp_path / "photos", {"rose": 3, "tulip": 3})
    work(store, store.add_job("import", {"kind": "folder", "path": str(folder), "name": "Photos"}))
    return store


@pytest.fixture
def device(store):
    """Hold the device as a run that is going on would."""
    lock = FileLock(store.workspace.device_lock)
    lock.acquire()
    yield lock
    lock.release()


def add(store, name="head"):
    run_id = store.add_run(store.datasets()[0].id, "efficientnet-lite0", HeadSettings().to_json())
    return store.add_job(name, {}, store.datasets()[0].id, run_id)


def start_threads(store, job_ids, turns):
    """Let each job wait for the device in a thread of its own, note its turn and be done with it."""

    def work(job_id):
        with reporting(store, job_id) as reporter, hold_device(reporter):
            turns.append(job_id)
            time.sleep(0.05)

    threads = [threading.Thread(target=work, args=(job_id,)) for job_id in job_ids]
    for thread in threads:
        thread.start()
    return threads


def end(threads):
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def start_waiting(store, wait_for):
    run_id = starts.start_head(store, store.datasets()[0].id, HeadSettings(image_size=48))
    wait_for(lambda: store.latest_job(run_id).stage == Stage.WAITING_FOR_DEVICE, 60, "the queue")
    return store.latest_job(run_id)


def test_jobs_take_their_turns_in_the_order_in_which_they_came(store, device, wait_for):
    job_ids = [add(store, kind) for kind in ("head", "check", "fine_tune", "head")]
    turns = []
    # Those that came last look first.
    threads = start_threads(store, reversed(job_ids), turns)
    wait_for(lambda: all(store.job(job_id).stage == Stage.WAITING_FOR_DEVICE for job_id in job_ids), what="the queue")
    assert [job.id for job in store.queue()] == job_ids
    assert all(queue.waits(job) for job in store.queue())
    device.release()
    end(threads)
    assert turns == job_ids
    assert store.queue() == []
    assert {store.job(job_id).status for job_id in job_ids} == {"finished"}


def test_a_job_is_moved_to_the_front_and_another_is_cancelled_as_they_wait(store, device, wait_for):
    first, second, third, fourth = job_ids = [add(store) for _ in range(4)]
    turns = []
    threads = start_threads(store, job_ids, turns)
    wait_for(lambda: all(store.job(job_id).stage == Stage.WAITING_FOR_DEVICE for job_id in job_ids), what="the queue")
    store.move_to_front(third)
    store.move_to_front(fourth)
    store.ask_to_stop(second)
    wait_for(lambda: store.job(second).status == "stopped", 5, "the cancelled job's end")
    assert [job.id for job in store.queue()] == [fourth, third, first]
    device.release()
    end(threads)
    assert turns == [fourth, third, first]


def test_an_import_and_a_job_that_ended_stand_in_nobodys_way(store):
    store.add_job("import", {})
    ended, present = add(store), add(store)
    store.move_to_front(ended)
    store.update_job(ended, status="finished")
    store.move_to_front(ended)
    assert [job.id for job in store.queue()] == [present]
    assert store.job(ended).priority == 1
    turns = []
    end(start_threads(store, [present], turns))
    assert turns == [present]


@pytest.mark.skipif(os.name != "posix", reason="reads the memory maps of POSIX")
def test_a_waiting_process_is_small_and_has_not_loaded_tensorflow(store, device, wait_for):
    job = start_waiting(store, wait_for)
    process = psutil.Process(job.pid)
    assert process.memory_info().rss < MEMORY_LIMIT_BYTES
    assert not [mapped.path for mapped in process.memory_maps() if "tensorflow" in mapped.path]
    lifecycle.request_stop(store, job.run_id)
    wait_for(lambda: not store.job(job.id).active, 10, "the cancelled job's end")
    assert store.job(job.id).status == "stopped"
    assert not (store.workspace.run(job.run_id) / "split.json").exists()


def test_a_process_killed_as_it_waits_holds_nobody_up(store, device, wait_for):
    dead = start_waiting(store, wait_for)
    behind = add(store)
    turns = []
    threads = start_threads(store, [behind], turns)
    wait_for(lambda: store.job(behind).stage == Stage.WAITING_FOR_DEVICE, what="the queue")
    os.kill(dead.pid, signal.SIGKILL)
    device.release()
    end(threads)
    assert turns == [behind]
    assert store.job(dead.id).status == "failed"
