"""Imports that get no more memory, at random moments: plain words, nothing half made, and the next one goes through."""

import random
import sys
import time

import pytest

from tests.support.pictures.corpus import in_words, leftovers, write_classes
from thaw.jobs import lifecycle, starts
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")

CLASSES = {"rose": 150, "tulip": 150}
LIMIT_S = 120
# Memory that is taken away too early or too late strikes nothing: so many more are tried until it has.
MORE_TRIALS = 4


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def wait(store, job_id):
    deadline = time.monotonic() + LIMIT_S
    while store.job(job_id).active:
        lifecycle.reconcile(store)
        assert time.monotonic() < deadline, "the job did not end"
        time.sleep(0.02)
    return store.job(job_id)


def start(store, folder):
    return starts.start_import(store, {"kind": "folder", "path": str(folder), "name": "Photos"})


@pytest.mark.parametrize("trials", [2, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.timeout(3600)
def test_imports_that_run_out_of_memory(trials, store, tmp_path, starve, campaign):
    chance, tally, struck = random.Random(6), campaign("imports out of memory"), 0
    folder, started = write_classes(tmp_path / "photos", CLASSES), time.monotonic()
    assert wait(store, start(store, folder)).status == "finished"
    whole_s = time.monotonic() - started
    for number in range(trials + MORE_TRIALS):
        if number >= trials and struck:
            break
        before = {each.id: each.accepted for each in store.datasets()}
        with tally.trial(f"import {number}"):
            job_id = start(store, folder)
            time.sleep(chance.uniform(0.1, 0.9) * whole_s)
            starve(store.job(job_id).pid)
            job = wait(store, job_id)
            if job.status == "failed":
                struck += 1
                assert "memory" in job.error
                assert in_words(job.error.replace(str(store.workspace.root), "the workspace"))
                assert {each.id: each.accepted for each in store.datasets()} == before
                job = wait(store, start(store, folder))
            assert job.status == "finished", job.error
            assert store.dataset(job.dataset_id).accepted == sum(CLASSES.values())
            assert leftovers(store) == []
    tally.facts["struck"] = struck
    assert struck >= 1
