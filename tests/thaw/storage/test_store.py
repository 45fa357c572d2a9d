import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from thaw.storage.database import new_id
from thaw.storage.datasets import Arrival
from thaw.storage.facts import PhaseFacts, RunFacts
from thaw.storage.journal.rows import Change
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError, RunError
from tlcore.photos import SetAside
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.splits.splits import labels_of
from tlcore.training.history import Epoch, PhaseSeconds


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def image(number, label="rose"):
    return Image(
        f"img-{number}",
        label,
        f"{label}/{number}.jpg",
        f"{number:064x}",
        30,
        20,
        suffix=".jpg",
        notes=["turned upright"],
    )


def epoch(number, phase=1):
    return Epoch(number, phase, 0.5, 0.8, 0.6, 0.7, 1.5)


@pytest.fixture
def run_id(store):
    store.add_dataset("data-1", "Photos", "here", Arrival([image(1)]))
    return store.add_run("data-1", "resnet50", "{}")


def test_a_data_set_comes_back_whole(store):
    images = [image(1, "tulip"), image(2), image(3)]
    aside = [SetAside("b.txt", "text"), SetAside("a.txt", "<b>text</b>")]
    store.add_dataset("data-1", "Fl\u00f6wers", "/photos", Arrival(images, aside, 4, notes=["a note"]))
    dataset = store.dataset("data-1")
    assert dataset.classes == {"rose": 2, "tulip": 1}
    assert (dataset.name, dataset.accepted, dataset.set_aside, dataset.ignored) == ("Fl\u00f6wers", 3, 2, 4)
    assert dataset.notes == ["a note"]
    assert store.images("data-1") == [image(2), image(3), image(1, "tulip")]
    assert store.images("data-1", label="tulip") == [image(1, "tulip")]
    assert store.images("data-1", limit=1) == [image(2)]
    assert [row.name for row in store.set_aside("data-1")] == ["a.txt", "b.txt"]


def test_images_are_counted_once_for_each_state_of_a_data_set(store, monkeypatch):
    counted = []
    count = Store.tally
    monkeypatch.setattr(Store, "tally", lambda rows, dataset_id: counted.append(dataset_id) or count(rows, dataset_id))
    store.add_dataset("data-1", "Photos", "here", Arrival([image(1), image(2), image(3, "tulip")]))
    store.dataset("data-1").classes.clear()
    assert store.dataset("data-1").classes == {"rose": 2, "tulip": 1}
    assert counted == ["data-1"]
    store.add_edit("data-1", "exclude", {}, [Change("excluded", "img-1", "1")])
    assert (store.dataset("data-1").classes, store.dataset("data-1").excluded) == ({"rose": 1, "tulip": 1}, 1)
    store.add_to_dataset("data-1", "there", Arrival([image(4)]))
    assert store.dataset("data-1").classes == {"rose": 2, "tulip": 1}
    (latest, earlier) = store.edits("data-1")
    store.undo_edit("data-1", latest.number)
    store.undo_edit("data-1", earlier.number)
    assert (store.dataset("data-1").classes, store.dataset("data-1").excluded) == ({"rose": 2, "tulip": 1}, 1)
    assert counted == ["data-1"] * 4


def test_a_data_set_is_there_whole_or_not_at_all(store):
    with pytest.raises(sqlite3.IntegrityError):
        store.add_dataset("data-1", "Photos", "here", Arrival([image(1), image(1)]))
    assert store.datasets() == []
    with pytest.raises(DatasetError, match="Received: 'data-1'"):
        store.dataset("data-1")


def test_data_sets_come_newest_first(store):
    for number in range(3):
        store.add_dataset(f"data-{number}", "x", "here", Arrival([image(number)]))
        time.sleep(0.01)
    assert [dataset.id for dataset in store.datasets()] == ["data-2", "data-1", "data-0"]


def test_a_run_collects_settings_facts_and_its_result(store, run_id):
    store.set_fine_tune(run_id, '{"layers": 3}')
    store.add_facts(run_id, {"image_size": 1, "device": "CPU", "unknown here": 3})
    store.add_facts(run_id, {"image_size": 2})
    store.add_phase_facts(run_id, "head", {"best_epoch": 3})
    store.add_phase_facts(run_id, "head", {"seconds": {"total": 4}})
    store.set_result(run_id, 2)
    run = store.run(run_id)
    assert (run.dataset_id, run.backbone, run.head, run.result_phase) == ("data-1", "resnet50", HeadSettings(), 2)
    assert run.fine_tune == FineTuneSettings(layers=3)
    assert run.facts == RunFacts(
        image_size=2, device="CPU", head=PhaseFacts(best_epoch=3, seconds=PhaseSeconds(total=4))
    )
    assert [found.id for found in store.runs()] == [run_id]
    with pytest.raises(RunError, match="thaw runs"):
        store.run("run-none")


def test_a_run_needs_its_data_set(store):
    with pytest.raises(sqlite3.IntegrityError):
        store.add_run("data-none", "resnet50", "{}")


def test_epochs_come_in_order_and_can_be_trained_again(store, run_id):
    for number, phase in ((2, 1), (1, 1), (3, 2)):
        store.add_epochs(run_id, [epoch(number, phase)])
    store.add_epochs(run_id, [Epoch(2, 1, 0.1, 0.9, 0.2, 0.8, 1.0)])
    assert [e.epoch for e in store.epochs(run_id)] == [1, 2, 3]
    assert store.epochs(run_id)[1].loss == 0.1
    store.drop_epochs(run_id, after=1)
    assert [e.epoch for e in store.epochs(run_id)] == [1]


def test_a_branch_is_the_run_at_the_end_of_phase_1(store, run_id):
    store.add_epochs(run_id, [epoch(1)])
    store.add_epochs(run_id, [epoch(2, phase=2)])
    store.add_facts(run_id, {"device": "CPU", "fine_tune": {"best_epoch": 9}})
    store.set_fine_tune(run_id, "{}")
    store.set_result(run_id, 2)
    store.branch_run(run_id, "run-branched")
    branched = store.run("run-branched")
    assert (branched.dataset_id, branched.backbone, branched.fine_tune) == ("data-1", "resnet50", None)
    assert branched.result_phase == 1
    assert branched.facts == RunFacts(device="CPU", branched_from=run_id)
    assert [e.phase for e in store.epochs(branched.id)] == [1]
    assert [e.phase for e in store.epochs(run_id)] == [1, 2], "the first run keeps its phase 2"


def test_jobs_are_found_by_state_kind_and_run(store, run_id):
    first = store.add_job("head", {"a": 1}, "data-1", run_id)
    time.sleep(0.01)
    second = store.add_job("import", {}, "data-1")
    assert store.job(first).request == {"a": 1}
    assert [job.id for job in store.unfinished_jobs()] == [first, second]
    assert store.latest_job(run_id).id == first
    assert [job.id for job in store.jobs("head")] == [first]
    assert store.latest_job("run-none") is None
    store.update_job(first, status="finished", done=3, total=4, rate=2.0)
    assert [job.id for job in store.unfinished_jobs()] == [second]
    assert store.job(first).seconds_left == 0.5
    assert store.job(second).seconds_left is None
    with pytest.raises(RunError, match="Received: 'job-none'"):
        store.job("job-none")


def test_many_threads_write_and_none_is_lost(store, run_id):
    def write(start):
        for number in range(start, start + 10):
            store.add_epochs(run_id, [epoch(number)])

    threads = [threading.Thread(target=write, args=(start,)) for start in (1, 11, 21, 31)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e.epoch for e in store.epochs(run_id)] == list(range(1, 41))


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_kill_loses_no_acknowledged_epoch(store, run_id):
    code = f"""
from tlcore.training.history import Epoch
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
store = Store(open_workspace({str(store.workspace.root)!r}))
number = 1
while True:
    store.add_epochs({run_id!r}, [Epoch(number, 1, 0.5, 0.8, 0.6, 0.7, 1.5)])
    print(number, flush=True)
    number += 1
"""
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(writer.stdout.readline()) for _ in range(20)][-1]
    writer.send_signal(signal.SIGKILL)
    acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
    writer.wait()
    writer.stdout.close()
    found = [e.epoch for e in store.epochs(run_id)]
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= acknowledged


def test_ids_are_safe_as_file_names():
    ids = {new_id("img") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(found.removeprefix("img-").isalnum() for found in ids)
    assert labels_of([image(1, "b"), image(2, "a"), image(3, "b")]) == ["a", "b"]
