"""The bar above every page: the data set and the run on show, how either is switched, and what that reads."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.pages import BOLD, DATASET, PAGES, add_dataset, add_many_classes, add_run, visit, words
from tests.support.pages import store as store
from thaw.storage.database import Database
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from tlcore.settings import HeadSettings

SETS, RUNS = "Photos", "Run"
UNTAUGHT = "data-ffffffffffff"
# What the second visit of each page read before there was a bar, at two data sets and three runs.
MOST_READS = {
    "studio": 11,
    "data": 60,
    "backbone": 13,
    "head": 37,
    "finetune": 23,
    "mistakes": 23,
    "evaluation": 31,
    "map": 12,
    "try_it": 13,
    "compare": 32,
    "history": 10,
    "export": 18,
    "disk": 25,
    "pile": 12,
}


@pytest.fixture
def runs(store: Store) -> list[str]:
    """Two runs of one data set and, the newest of all, one of another."""
    images = add_dataset(store)
    return [add_run(store, images), add_run(store, images), add_many_classes(store, 12)]


def pickers(page: AppTest) -> dict[str, object]:
    assert not page.exception
    return {each.label: each for each in page.selectbox if each.label in (SETS, RUNS)}


def chosen(page: AppTest) -> dict[str, object]:
    return {label: picker.value for label, picker in pickers(page).items()}


def address(page: AppTest, key: str) -> str | None:
    found = page.query_params.get(key)
    return found[-1] if isinstance(found, list) else found


@pytest.mark.parametrize("name", ["studio", *PAGES])
def test_every_page_shows_both_and_has_no_other_picker_of_them(store, runs, name):
    page = visit(name, dataset=DATASET, run=runs[0])
    assert chosen(page) == {SETS: DATASET} | ({} if name == "compare" else {RUNS: runs[0]})
    labels = [each.label for each in page.selectbox]
    assert all(labels.count(label) <= 1 for label in (SETS, RUNS))
    assert labels.count("Data set") == (name == "history")


def test_another_data_set_brings_its_newest_run_and_a_run_stays_over_the_pages(store, runs):
    page = visit("data", run=runs[2])
    other = store.run(runs[2]).dataset_id
    assert (pickers(page)[SETS].value, RUNS in pickers(page)) == (other, False)
    pickers(page)[SETS].select(DATASET).run()
    assert chosen(page) == {SETS: DATASET, RUNS: runs[1]}
    pickers(page)[RUNS].select(runs[0]).run()
    for name in ("mistakes", "head", "data"):
        page.switch_page(f"../{name}.py").run()
        assert chosen(page) == {SETS: DATASET, RUNS: runs[0]}
        assert (address(page, "dataset"), address(page, "run")) == (DATASET, runs[0])
    add_run(store, store.images(DATASET))
    page.run()
    assert chosen(page) == {SETS: DATASET, RUNS: runs[0]}
    assert len(pickers(page)[RUNS].options) == 3
    pickers(page)[SETS].select(other).run()
    assert (address(page, "dataset"), address(page, "run")) == (other, runs[2])


def test_a_run_of_the_address_brings_its_data_set(store, runs):
    assert address(visit("disk", dataset=DATASET, run=runs[2]).run(), "dataset") == store.run(runs[2]).dataset_id


def test_a_data_set_without_a_run_has_none_to_show(store, runs):
    store.add_dataset(UNTAUGHT, "untaught", "folder", Arrival([]))
    page = visit("mistakes", dataset=DATASET, run=runs[0])
    pickers(page)[SETS].select(UNTAUGHT).run()
    assert chosen(page) == {SETS: UNTAUGHT}
    assert address(page, "run") is None
    assert "Mistakes are made by a trained model." in words(page)


def test_the_only_data_set_and_run_are_told_without_a_picker(store):
    add_run(store, add_dataset(store))
    page = visit("history")
    assert not pickers(page)
    told = [each.value for each in page.markdown if each.value.startswith(":gray[")]
    assert [each.split(" ", 1)[0] for each in told] == [f":gray[{SETS}]", f":gray[{RUNS}]"]
    # As it is called, not as Markdown would have it.
    assert told[0] == f":gray[{SETS}] \\*\\*photos\\*\\*"
    assert told[1].endswith("EfficientNet\\-Lite0")


def test_before_there_are_photos_there_is_no_bar(store):
    page = visit("data")
    assert not pickers(page)
    assert f":gray[{SETS}]" not in words(page)


def test_runs_of_a_minute_are_told_apart(store):
    add_dataset(store)
    for backbone in ("efficientnet-lite0", "efficientnet-lite0", BOLD):
        store.add_run(DATASET, backbone, HeadSettings().to_json())
    options = pickers(visit("disk"))[RUNS].options
    assert len(set(options)) == len(options)
    assert BOLD in options[0]


@pytest.mark.parametrize("name", MOST_READS)
def test_the_bar_adds_nothing_to_what_a_page_reads(store, runs, name, monkeypatch):
    page = visit(name, dataset=DATASET, run=runs[0])
    reads, read = [], Database._rows

    def note(self: Database, query: str, *values: object) -> list:
        reads.append(query)
        return read(self, query, *values)

    monkeypatch.setattr(Database, "_rows", note)
    page.run()
    assert not page.exception
    assert len(reads) <= MOST_READS[name], "\n".join(reads)
