"""A check: cross-validation on a backbone's features, in a process of its own, with a record of what it measured."""

import pytest

from tlcore import checker, jobs
from tlcore.errors import RunError

ROW = "efficientnet-lite0"


@pytest.fixture(scope="module")
def checked(store, tiny_dataset):
    job_id = jobs.add_check_job(store, tiny_dataset, ROW, seed=3)
    told = []
    checker.run_check(store, job_id, lambda *report: told.append(report))
    job = store.job(job_id)
    assert job.status == "finished", job.error
    return store.latest_check(tiny_dataset), told


def test_a_check_records_both_accuracies_with_their_intervals(store, tiny_dataset, checked):
    check, _ = checked
    assert (check.backbone, check.version) == (ROW, store.dataset(tiny_dataset).version)
    assert check.facts["images"] == 24
    for kind in ("naive", "grouped"):
        figures = check.facts[kind]
        assert 0 <= figures["low"] <= figures["mean"] <= figures["high"] <= 1
        assert figures["folds"] == len(figures["accuracies"])
    assert check.facts["grouped_images"] >= 0


def test_a_check_tells_its_progress_in_rounds(checked):
    _, told = checked
    rounds = [(done, total) for stage, done, total in told if stage == checker.STAGE]
    assert rounds[-1][0] == rounds[-1][1] > 0


def test_images_are_compared_once(store, tiny_dataset, checked):
    assert all(image.similar for image in store.images(tiny_dataset))


def test_a_second_check_waits_for_the_first(store, tiny_dataset, checked):
    job_id = jobs.add_check_job(store, tiny_dataset, ROW, seed=0)
    with pytest.raises(RunError, match="no check of this data set"):
        jobs.add_check_job(store, tiny_dataset, ROW, seed=0)
    store.fail_job(job_id, "given up by the test")
