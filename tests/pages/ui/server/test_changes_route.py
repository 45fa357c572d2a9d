"""The mark by which a page learns that others have changed something: when it is another, and when it stays."""

import time

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.server.changes_route import changes_url, write_mark
from pages.ui.server.routes import ROUTES
from tests.support.pages import DATASET, add_dataset
from tests.support.pages import store as store
from thaw.datasets import edits
from thaw.disk import trash
from tlcore.settings import HeadSettings

POLLS = 100
# Of a processor, on whatever machine; measured 2.4 ms on two cores that twelve times as much wanted.
POLL_CPU_S = 0.02


@pytest.fixture
def mark(store):
    add_dataset(store)
    client = TestClient(Starlette(routes=ROUTES))

    def ask(dataset_id: str | None = DATASET) -> str:
        return client.get(changes_url(dataset_id)).json()["mark"]

    return ask


def test_it_is_the_mark_of_a_page_that_was_drawn_when_all_stood_so(store, mark):
    assert mark() == mark() == write_mark(store.pulse(), DATASET)


def test_each_change_that_a_page_shows_is_another_mark(store, mark):
    seen = [mark()]
    run_id = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())
    seen.append(mark())
    job_id = store.add_job("head", {}, DATASET, run_id)
    seen.append(mark())
    store.update_job(job_id, status="finished")
    seen.append(mark())
    store.set_result(run_id, 1)
    seen.append(mark())
    label = next(iter(store.dataset(DATASET).classes))
    edits.rename_class(store, DATASET, label, "another name")
    seen.append(mark())
    edits.undo(store, DATASET)
    seen.append(mark())
    store.add_check(DATASET, "efficientnet-lite0", 1, {})
    seen.append(mark())
    entry = trash.delete_together(store, {run_id: 0})[0]
    seen.append(mark())
    trash.undelete_together(store, [entry.id])
    seen.append(mark())
    assert len(set(seen[:-1])) == len(seen) - 1
    assert seen[-1] == seen[-3]


def test_the_progress_of_a_job_and_a_look_ahead_are_no_news(store, mark):
    run_id = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())
    job_id = store.add_job("head", {}, DATASET, run_id)
    before = mark()
    store.update_job(job_id, status="running", done=3, total=10)
    store.add_facts(run_id, {"seconds_per_image": 0.1})
    store.add_job("look_ahead", {}, DATASET)
    assert mark() == before


def test_an_edit_is_news_to_the_pages_of_its_data_set_alone(store, mark):
    before = mark(), mark(None), mark("data-of-another")
    edits.rename_class(store, DATASET, next(iter(store.dataset(DATASET).classes)), "another name")
    after = mark(), mark(None), mark("data-of-another")
    assert after[0] != before[0]
    assert after[1:] == before[1:]


def test_a_poll_costs_next_to_nothing(store, mark):
    began = time.process_time()
    for _ in range(POLLS):
        write_mark(type(store)(store.workspace).pulse(), DATASET)
    assert (time.process_time() - began) / POLLS < POLL_CPU_S
