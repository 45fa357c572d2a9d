"""The Disk page and the ways to delete on other pages: what is said before, the Undo after, and nothing in half."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.page import deleting
from tests.support.keepings import furnish, snapshot
from tests.support.pages import TAG, unfold_panel, visit, words
from tests.support.pages import add_dataset as add_hostile
from tests.support.pages import add_run as add_shown_run
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.disk import usage
from thaw.disk.holdings import find_holding
from thaw.storage.store import Store


@pytest.fixture
def furnished(store: Store) -> tuple[Store, str, list[str]]:
    return furnish(store.workspace.root)


def tick(page: AppTest, *things: str) -> AppTest:
    """Tick rows of the table by their ids, and open what the button of the deletion says."""
    (key,) = (key for key in page.session_state if key.startswith("things "))
    listed = page.dataframe[0].value["Id"].tolist()
    rows = sorted(listed.index(each) for each in things)
    page.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    return unfold(page.run(), [listed[row] for row in rows])


def unfold(page: AppTest, things: list[str]) -> AppTest:
    return unfold_panel(page, f"delete {' '.join(things)}")


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


@pytest.mark.usefixtures("expert")
def test_an_empty_workspace_says_so(store):
    page = visit("disk")
    assert not page.exception
    assert "Nothing yet" in words(page)
    assert [metric.label for metric in page.metric] == [
        *("Kept by Thaw", "Free on this disk", "Cached features", "In the trash")
    ]


def test_the_caches_have_one_short_plain_name_in_the_tile_and_the_table(furnished):
    page = visit("disk")
    tile = page.metric[2]
    assert (tile.label, "What the eye notes of a photo (features)" in tile.help) == ("Impressions", True)
    assert "Impressions" in page.dataframe[0].value["What"].tolist()


@pytest.mark.usefixtures("expert")
def test_every_thing_is_listed_with_size_time_and_what_goes_with_it(furnished):
    _, dataset_id, runs = furnished
    page = visit("disk")
    table = page.dataframe[0].value.set_index("Id")
    assert table.loc[dataset_id, "With it"] == "2 runs, 2 exports, 2 saved projects, 1 check"
    assert table.loc[runs[0], "With it"] == "1 export, 1 run began with it"
    assert set(table["What"]) == {
        *("Data set", "Run", "Export", "Saved project", "Cached features", "Download", "Measured speeds")
    }
    assert not (table["Size"] == "…").any()


def test_a_deletion_is_explained_done_and_undone(furnished):
    store, dataset_id, _ = furnished
    before = snapshot(store)
    page = tick(visit("disk"), dataset_id)
    assert "This also removes **2 runs, 2 exports, 2 saved projects and 1 check**." in words(page)
    assert "Your original photos" in words(page)
    assert snapshot(store) == before
    page = press(page, "Delete")
    assert not page.exception
    assert store.datasets() == store.runs() == []
    assert "Deleted: the data set **Pets** with 2 runs" in words(page)
    assert dataset_id not in page.dataframe[0].value["Id"].tolist()
    page = press(page, "Undo")
    assert snapshot(store) == before
    assert "Undo" not in labels(page)


def test_what_is_ticked_beside_what_it_goes_with_is_counted_once(furnished):
    store, dataset_id, runs = furnished
    freed = usage.freed_bytes(store.workspace, find_holding(store, dataset_id))
    page = tick(visit("disk"), dataset_id, runs[0], f"{runs[0]}/export", "downloads")
    assert "**2 runs, 2 exports, 2 saved projects and 1 check**" in words(page)
    press(page, "Delete")
    entries = store.trash()
    assert [each.kind for each in entries] == ["downloads", "dataset"]
    assert entries[1].detail["bytes"] == freed


def test_an_export_of_a_run_that_is_ticked_too_goes_with_it(furnished):
    store, _, runs = furnished
    page = tick(visit("disk"), runs[0], f"{runs[0]}/export", f"{runs[1]}/export")
    assert "This also removes **1 export**" in words(page)
    assert "1 run that began with it stays" in words(page)
    press(page, "Delete")
    assert [(each.kind, each.subject) for each in store.trash()] == [
        ("run", runs[0]),
        ("export", f"{runs[1]}/export"),
    ]


def test_what_a_job_uses_is_not_deleted_and_the_reason_is_told(furnished):
    store, dataset_id, runs = furnished
    page = tick(visit("disk"), dataset_id)
    job_id = store.add_job("export", {"run": runs[0]}, dataset_id)
    before = snapshot(store)
    page = press(page, "Delete")
    assert [job_id in toast.value.replace("\\", "") for toast in page.toast] == [True]
    assert snapshot(store) == before


def test_each_thing_in_the_trash_can_be_brought_back_or_all_be_removed(furnished):
    store, _, runs = furnished
    for thing in (runs[1], "features"):
        deleting.trash.delete(store, thing, 2_000_000)
    page = visit("disk")
    assert labels(page) == ["Bring back", "Bring back", "Empty the trash"]
    page = press(page, "Bring back")
    assert [each.kind for each in store.trash()] == ["run"]
    page = press(page, "Empty the trash")
    assert store.trash() == []
    assert [run.id for run in store.runs()] == [runs[0]]
    assert "Nothing. What you delete lies here first" in words(page)


def test_a_large_data_set_is_measured_while_the_page_is_there(furnished, monkeypatch):
    store, dataset_id, _ = furnished
    monkeypatch.setattr(usage, "start_measuring", lambda *_: None)
    started = []

    class Slow:
        def join(self, seconds):
            started.append(seconds)

    import thaw.disk.usage

    monkeypatch.setattr(thaw.disk.usage, "start_measuring", lambda *_: Slow())
    page = visit("disk")
    assert started
    assert "Measuring what each takes" in words(page)
    sizes = page.dataframe[0].value.set_index("Id")["Size"]
    assert sizes[dataset_id] == "…"
    usage.own_bytes(store.workspace, find_holding(store, dataset_id))
    page.run()
    assert "Measuring" not in words(page)


def test_hostile_names_stay_text(store):
    images = add_hostile(store)
    store._write("UPDATE datasets SET name = ?", TAG)
    add_shown_run(store, images)
    page = tick(visit("disk"), images[0].folder)
    assert not page.exception
    assert f"`{TAG}`" in words(page)
    page = press(page, "Delete")
    assert f"Deleted: the data set `{TAG}`" in words(page)


def test_the_data_set_on_show_can_be_deleted_on_the_data_page(furnished):
    store, dataset_id, _ = furnished
    before = snapshot(store)
    page = unfold(visit("data", dataset=dataset_id), [dataset_id])
    assert "This also removes" in words(page)
    page = press(page, "Delete")
    assert not page.exception
    assert "Your data sets appear here" in words(page)
    page = press(page, "Undo")
    assert snapshot(store) == before
    assert "**Pets**" in [each.value for each in page.header]


def test_a_run_can_be_deleted_on_the_history_page_and_comes_back(store):
    run_id = add_shown_run(store, add_hostile(store))
    page = unfold(visit("history"), [run_id])
    page = press(page, "Delete")
    assert not page.exception
    assert store.runs() == []
    assert "There is no run yet" in words(page)
    press(page, "Undo")
    assert [run.id for run in store.runs()] == [run_id]


@pytest.mark.parametrize(
    "name",
    ["data", "backbone", "head", "finetune", "mistakes", "evaluation", "map", "try_it", "compare", "history", "export"],
)
def test_every_page_opens_at_the_address_of_what_was_deleted(name, store):
    run_id = add_shown_run(store, add_hostile(store))
    dataset_id = store.run(run_id).dataset_id
    second = store.add_run(dataset_id, "efficientnet-lite0", store.run(run_id).head.to_json())
    store.add_facts(second, {"retrained_from": run_id, "branched_from": run_id})
    deleting.trash.delete(store, run_id)
    assert not visit(name, dataset=dataset_id, run=run_id, compare=f"{run_id},{second}").exception
    deleting.trash.delete(store, dataset_id)
    assert not visit(name, dataset=dataset_id, run=second, compare=f"{run_id},{second}").exception
