"""The look at photos ahead of time: what it computes is what training would, and it is in nobody's way."""

import errno
import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
from filelock import FileLock

from thaw.datasets import edits
from thaw.disk import trash
from thaw.jobs import lifecycle, starts
from thaw.jobs.lifecycle import UNASKED
from thaw.jobs.starts import waiting_job
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.training import look_ahead
from thaw.worker import work
from tlcore.errors import RunError
from tlcore.features.cache import FeatureCache
from tlcore.models.backbones import find_backbone
from tlcore.settings import FineTuneSettings, HeadSettings

pytestmark = pytest.mark.usefixtures("warm_decoder")

ROW = find_backbone("efficientnet-lite0")
SHORT = HeadSettings(epochs=2, validation_split=0.25)


@pytest.fixture(autouse=True)
def unasked(monkeypatch):
    monkeypatch.setenv("THAW_UNASKED", "on")


@pytest.fixture
def own_store(tmp_path, tiny_photos):
    """Return a store of its own with the tiny photos, whose features nobody has computed."""
    store = Store(open_workspace(tmp_path / "workspace"))
    work(store, store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": "Tiny photos"}))
    return store


@pytest.fixture
def held(monkeypatch):
    """Start no process: the test does the work itself."""
    monkeypatch.setattr(lifecycle, "launch", lambda *_, **__: None)


@pytest.fixture
def alone(own_store, held):
    return own_store, own_store.datasets()[0]


def seen(store, dataset):
    return store.images(dataset.id)


def test_training_finds_what_was_looked_at_and_learns_the_same(alone, monkeypatch):
    store, dataset = alone
    job = look_ahead.start(store, dataset, ROW)
    assert (job.kind, job.dataset_id) == (UNASKED, dataset.id)
    work(store, job.id)
    done = store.job(job.id)
    assert (done.status, done.done, done.total) == ("finished", dataset.included, dataset.included)
    assert all(image.similar for image in seen(store, dataset))
    assert look_ahead.start(store, dataset, ROW) is None, "done once"

    def train():
        run_id = starts.add_head_job(store, dataset.id, SHORT)
        work(store, waiting_job(store, run_id))
        return store.run(run_id).facts, [(each.loss, each.val_loss) for each in store.epochs(run_id)]

    facts, epochs = train()
    assert facts.head.features_computed == 0
    assert facts.engine == "onnxruntime"
    monkeypatch.setenv("THAW_UNASKED", "off")
    trash.delete(store, "features")
    facts, again = train()
    assert facts.head.features_computed == dataset.included
    assert again == epochs


def test_fine_tuning_finds_what_was_looked_at_at_its_depth_and_learns_the_same(alone, monkeypatch):
    store, dataset = alone
    runs = [starts.add_head_job(store, dataset.id, SHORT) for _ in range(2)]
    for each in runs:
        work(store, waiting_job(store, each))

    def tune(run_id):
        tuned = starts.add_fine_tune_job(store, run_id, FineTuneSettings(layers=20, epochs=2, insist=True))
        work(store, waiting_job(store, tuned))
        facts = store.run(tuned).facts.fine_tune
        return facts.features_computed, [each.val_loss for each in store.epochs(tuned) if each.phase == 2]

    run = store.run(runs[0])
    assert look_ahead.start_at_depth(store, run, 20, look_ahead.MOST_BYTES + 1) is None, "it would fill the disk"
    assert look_ahead.start_at_depth(store, run, 20, None) is None
    job = look_ahead.start_at_depth(store, run, 20, 1_000_000)
    assert look_ahead.start_at_depth(store, run, 20, 1_000_000).id == job.id
    assert look_ahead.start_at_depth(store, run, 30, 1_000_000).id == job.id, "one after the other"
    work(store, job.id)
    done = store.job(job.id)
    assert (done.status, done.run_id) == ("finished", None)
    assert 0 < done.total <= done.done
    assert look_ahead.start_at_depth(store, run, 20, 1_000_000) is None, "done once"
    computed, losses = tune(runs[0])
    assert computed == 0
    trash.delete(store, "features")
    computed, again = tune(runs[1])
    assert computed == dataset.included
    assert again == losses
    assert look_ahead.start_at_depth(store, run, 30, 1_000_000) is not None, "another depth is another look"


def test_it_ends_where_a_job_is_at_work_on_the_device_and_goes_on_afterwards(alone):
    store, dataset = alone
    job = look_ahead.start(store, dataset, ROW)
    waiting = waiting_job(store, starts.add_head_job(store, dataset.id, SHORT))
    store.claim_job(waiting, os.getpid())
    with FileLock(store.workspace.job_lock(waiting)):
        work(store, job.id)
        assert (store.job(job.id).status, store.job(job.id).done) == ("finished", 0)
        assert look_ahead.start(store, dataset, ROW) is None, "the other job still works"
    store.fail_job(waiting, "given up")
    again = look_ahead.start(store, dataset, ROW)
    work(store, again.id)
    assert store.job(again.id).done == dataset.included


def test_it_goes_on_while_a_job_still_loads_what_it_needs(alone):
    store, dataset = alone
    job = look_ahead.start(store, dataset, ROW)
    starts.add_head_job(store, dataset.id, SHORT)
    work(store, job.id)
    assert store.job(job.id).done == dataset.included


def test_what_the_person_stopped_is_not_begun_again_until_the_photos_change(alone):
    store, dataset = alone
    job = look_ahead.start(store, dataset, ROW)
    assert look_ahead.start(store, dataset, ROW).id == job.id
    store.ask_to_stop(job.id)
    work(store, job.id)
    assert store.job(job.id).status == "stopped"
    assert look_ahead.start(store, dataset, ROW) is None
    edits.exclude_images(store, dataset.id, [seen(store, dataset)[0].id])
    assert look_ahead.start(store, store.dataset(dataset.id), ROW) is None, "it is the same photos"
    more = store.dataset(dataset.id)
    assert look_ahead.start(store, replace(more, holdout=more.holdout + 1), ROW) is not None


@pytest.mark.parametrize("reason", ["battery", "a GPU", "switched off", "no weights"])
def test_it_does_not_begin_where_it_would_cost_more_than_it_is_worth(alone, monkeypatch, reason):
    store, dataset = alone
    row = ROW
    if reason == "battery":
        monkeypatch.setattr(psutil, "sensors_battery", lambda: SimpleNamespace(power_plugged=False))
    elif reason == "a GPU":
        monkeypatch.setattr(look_ahead, "on_gpu", lambda: True)
    elif reason == "switched off":
        monkeypatch.setenv("THAW_UNASKED", "off")
    else:
        row = find_backbone("vgg16")
        monkeypatch.setenv("KERAS_HOME", str(store.workspace.root / "nothing"))
    assert look_ahead.start(store, dataset, row) is None
    assert store.jobs(UNASKED) == []


def test_a_deletion_ends_it_first(alone, monkeypatch):
    store, dataset = alone
    job = look_ahead.start(store, dataset, ROW)
    asked = store.ask_to_stop

    def ask(job_id):
        asked(job_id)
        store.fail_job(job_id, "ended")

    monkeypatch.setattr(store, "ask_to_stop", ask)
    trash.delete(store, dataset.id)
    assert not store.job(job.id).active


def test_a_deletion_that_waits_in_vain_is_refused_and_costs_nothing(alone, monkeypatch):
    store, dataset = alone
    monkeypatch.setattr(lifecycle, "ENDS_WITHIN_S", 0.1)
    look_ahead.start(store, dataset, ROW)
    with pytest.raises(RunError):
        trash.delete(store, dataset.id)
    assert store.dataset(dataset.id).included == dataset.included


def test_two_servers_have_one_look_ahead(alone):
    store, dataset = alone
    job = look_ahead.start(store, dataset, ROW)
    another = Store(store.workspace)
    assert look_ahead.start(another, another.dataset(dataset.id), ROW).id == job.id
    assert len(store.jobs(UNASKED)) == 1


def test_photos_that_are_taken_out_meanwhile_cost_nothing(alone, monkeypatch):
    store, dataset = alone
    job, asked = look_ahead.start(store, dataset, ROW), look_ahead._Yielding.check_stop
    out = seen(store, dataset)[0].id

    def edit(reporter):
        asked(reporter)
        if any(each.id == out for each in seen(store, dataset)):
            edits.exclude_images(store, dataset.id, [out])

    monkeypatch.setattr(look_ahead._Yielding, "check_stop", edit)
    work(store, job.id)
    assert (store.job(job.id).status, store.job(job.id).error) == ("finished", None)
    assert store.dataset(dataset.id).included == dataset.included - 1
    run_id = starts.add_head_job(store, dataset.id, SHORT)
    work(store, waiting_job(store, run_id))
    facts = store.run(run_id).facts
    assert facts.training_images + facts.validation_images == dataset.included - 1
    assert facts.head.features_computed == 0


def test_a_full_disk_ends_it_in_words_and_training_computes_what_is_missing(alone, monkeypatch):
    store, dataset = alone
    append, calls = FeatureCache.append, []

    def run_full(cache, keys, tensors):
        calls.append(len(keys))
        if len(calls) == 1:
            # Half of a row is written before the disk is full.
            (cache.folder / "tensor-0.bin").write_bytes(b"\0" * (cache.row_bytes // 2))
            raise OSError(errno.ENOSPC, "No space left on device")
        append(cache, keys, tensors)

    monkeypatch.setattr(FeatureCache, "append", run_full)
    job = look_ahead.start(store, dataset, ROW)
    with pytest.raises(OSError, match="No space left"):
        work(store, job.id)
    assert store.job(job.id).status == "failed"
    assert "disk is full" in store.job(job.id).error
    assert look_ahead.start(store, dataset, ROW) is None, "it would fail again"
    run_id = starts.add_head_job(store, dataset.id, SHORT)
    work(store, waiting_job(store, run_id))
    assert store.run(run_id).facts.head.features_computed == dataset.included
    whole = [(each.loss, each.val_loss) for each in store.epochs(run_id)]
    trash.delete(store, "features")
    run_id = starts.add_head_job(store, dataset.id, SHORT)
    work(store, waiting_job(store, run_id))
    assert [(each.loss, each.val_loss) for each in store.epochs(run_id)] == whole


def test_a_process_of_its_own_has_a_low_priority_and_a_kill_costs_nothing(own_store, wait_for):
    store, dataset = own_store, own_store.datasets()[0]
    job = look_ahead.start(store, dataset, ROW)
    wait_for(lambda: store.job(job.id).status != "starting", 60, "its process")
    if store.job(job.id).active:
        pid = store.job(job.id).pid
        assert psutil.Process(pid).nice() == 10
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: lifecycle.reconcile(store) or not store.job(job.id).active, 30, "its end")
        assert store.job(job.id).error == lifecycle.LOOK_AHEAD_DIED
    run_id = starts.add_head_job(store, dataset.id, SHORT)
    work(store, waiting_job(store, run_id))
    assert store.latest_job(run_id).status == "finished"
