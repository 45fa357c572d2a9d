"""A check: cross-validation on a backbone's features, in a process of its own, with a record of what it measured."""

import pytest

from thaw.backbones.loading import load_backbone
from thaw.datasets import edits
from thaw.datasets.similarity import mark_similar
from thaw.jobs import starts
from thaw.jobs.reporter import Reporter
from thaw.worker import work
from tlcore.errors import RunError
from tlcore.models.backbones import find_backbone
from tlcore.progress import Stage

ROW = "efficientnet-lite0"


@pytest.fixture(scope="module")
def checked(store, tiny_dataset):
    job_id = starts.add_check_job(store, tiny_dataset, ROW, seed=3)
    told = []
    work(store, job_id, lambda *report: told.append(report))
    job = store.job(job_id)
    assert job.status == "finished", job.error
    return store.latest_check(tiny_dataset), told


def test_a_check_records_both_accuracies_with_their_intervals(store, tiny_dataset, checked):
    check, _ = checked
    assert (check.backbone, check.version) == (ROW, store.dataset(tiny_dataset).version)
    assert check.facts.images == 24
    for figures in (check.facts.naive, check.facts.grouped):
        assert 0 <= figures.low <= figures.mean <= figures.high <= 1
        assert figures.folds == len(figures.accuracies)
    assert check.facts.grouped_images >= 0


def test_a_check_tells_its_progress_in_rounds(checked):
    _, told = checked
    rounds = [(done, total) for stage, done, total in told if stage == Stage.CROSS_VALIDATING]
    assert rounds[-1][0] == rounds[-1][1] > 0


def test_images_are_compared_once(store, tiny_dataset, checked):
    assert all(image.similar for image in store.images(tiny_dataset))


def test_a_second_check_waits_for_the_first(store, tiny_dataset, checked):
    job_id = starts.add_check_job(store, tiny_dataset, ROW, seed=0)
    with pytest.raises(RunError, match="no check of this data set"):
        starts.add_check_job(store, tiny_dataset, ROW, seed=0)
    store.fail_job(job_id, "given up by the test")


def test_a_set_that_cannot_be_divided_is_told_before_the_work(store, tiny_photos):
    job_id = store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": "Photos"})
    work(store, job_id)
    dataset_id = store.job(job_id).dataset_id
    for label, says in (("berry", ""), ("leaf", "only 'sky'"), ("sky", "none")):
        edits.delete_class(store, dataset_id, label)
        if not says:
            continue
        check_id = starts.add_check_job(store, dataset_id, ROW, seed=0)
        work(store, check_id)
        assert (store.job(check_id).status, store.job(check_id).stage) == ("failed", Stage.STARTING_TENSORFLOW)
        assert f"Expected at least 2 classes. Received: {says}" in store.job(check_id).error


def test_groups_outlive_the_image_that_named_them(store, tiny_dataset, checked):
    first, second, third, fresh, *others = store.images(tiny_dataset)
    grouped = dict.fromkeys([first.id, second.id, third.id], first.id)
    store.set_similar(tiny_dataset, grouped | {image.id: image.id for image in others})
    edits.exclude_images(store, tiny_dataset, [first.id])
    try:
        reporter = Reporter(store, store.add_job("check", {}, tiny_dataset))
        loaded = load_backbone(reporter, find_backbone(ROW), 48)
        marked = mark_similar(reporter, tiny_dataset, loaded, store.images(tiny_dataset)).images
        keys = {image.id: image.similar for image in marked}
        assert keys[second.id] == keys[third.id]
        assert keys[fresh.id]
        assert marked == store.images(tiny_dataset)
        store.fail_job(reporter.job_id, "ended by the test")
    finally:
        edits.undo(store, tiny_dataset)
