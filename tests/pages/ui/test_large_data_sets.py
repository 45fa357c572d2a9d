"""Pages on a large data set read a few of its rows, however many it has, and say so while it is looked through."""

import pytest

from tests.support.judged_runs import DATASET, images
from tests.support.pages import store as store
from tests.support.pages import visit, words
from thaw.jobs import lifecycle
from thaw.storage import datasets
from thaw.storage.datasets import Arrival
from thaw.summaries import summary
from thaw.worker import work


@pytest.fixture
def begun(monkeypatch):
    """Have a data set of 30 photos be large, and its jobs wait for the test; return these."""
    jobs = []
    monkeypatch.setattr(summary, "LARGE", 30)
    monkeypatch.setattr(lifecycle, "launch", lambda store, job_id, *_, **__: jobs.append(job_id))
    return jobs


@pytest.fixture
def counted(monkeypatch):
    """Return a list that grows by one with every row that becomes an Image."""
    rows, make = [], datasets._image
    monkeypatch.setattr(datasets, "_image", lambda workspace, row: rows.append(1) or make(workspace, row))
    return rows


def look_through(store, begun):
    for job in begun:
        if store.job(job).kind == "summarise":
            work(store, job)
        else:
            store.update_job(job, status="finished")
    begun.clear()


@pytest.mark.parametrize("page", ["data", "backbone", "head", "history"])
def test_no_more_rows_are_read_of_more_photos(store, begun, counted, page):
    store.add_dataset(DATASET, "photos", "folder", Arrival(images(40)))
    read = []
    for more in (images(360, first=1000), []):
        visit(page)
        look_through(store, begun)
        counted.clear()
        assert not visit(page).exception
        read.append(len(counted))
        look_through(store, begun)
        store.add_to_dataset(DATASET, "folder", Arrival(more))
    assert read[1] <= read[0] <= 60


def test_the_data_page_says_that_it_is_looked_through_and_then_what_was_found(store, begun):
    store.add_dataset(DATASET, "photos", "folder", Arrival(images(40)))
    page = visit("data")
    assert not page.exception
    assert "Looking through 80 photos" in words(page)
    look_through(store, begun)
    # As the part of the page that looks after the job does every second.
    page.run()
    assert "Looking through" not in words(page)
    assert "**64 images** to learn from, **16**" in words(page)


def test_a_large_data_set_that_cannot_be_divided_is_refused_once_that_is_known(store, begun):
    store.add_dataset(DATASET, "photos", "folder", Arrival([each for each in images(40) if each.label == "rose"]))
    visit("head")
    look_through(store, begun)
    page = visit("head")
    assert next(each for each in page.button if each.label == "Start training").disabled
