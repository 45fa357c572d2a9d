"""What is chosen, in the session and in the address: what a page hears, what it writes, and what it cannot find."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.pages import DATASET, add_dataset, add_many_classes, add_run, visit, words
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.storage.store import Store

NOWHERE = "data-ffffffffffff", "run-ffffffffffff"


def address(page: AppTest, key: str) -> str | None:
    found = page.query_params.get(key)
    return found[-1] if isinstance(found, list) else found


def warnings(page: AppTest) -> list[str]:
    assert not page.exception
    return [element.value for element in page.warning]


@pytest.fixture
def run_id(store: Store) -> str:
    return add_run(store, add_dataset(store))


def test_a_session_that_begins_writes_nothing_into_the_address(store, run_id):
    page = visit("studio")
    assert not page.query_params
    page.run()
    assert address(page, "dataset") == DATASET


@pytest.mark.usefixtures("expert")
def test_a_share_can_be_changed_again_and_again(store, run_id):
    page = visit("data")
    for share in (0.25, 0.3, 0.35):
        page.slider[0].set_value(share).run()
        assert page.slider[0].value == share
        assert address(page, "validation") == f"{share:g}"
    for seed in (3, 4, 5):
        page.number_input[0].set_value(seed).run()
        assert address(page, "seed") == f"{seed}"


def test_what_else_the_address_says_is_left_alone(store, run_id):
    page = visit("data", embed_of="mine").run()
    assert (address(page, "embed_of"), address(page, "dataset")) == ("mine", DATASET)


@pytest.mark.parametrize("name", ["head", "finetune", "mistakes", "evaluation", "map", "export", "try_it"])
def test_a_run_that_is_not_here_is_told_and_the_newest_shown(store, run_id, name):
    page = visit(name, run=NOWHERE[1])
    told = ["The run in this address is not here (deleted, or of another workspace). Shown is the newest."]
    assert warnings(page)[: len(told)] == told
    page.run()
    assert address(page, "run") == run_id
    assert warnings(page)[: len(told)] == told
    assert not any("not here" in each for each in warnings(page.switch_page("../disk.py").run()))


def test_a_data_set_that_is_not_here_is_told_and_the_newest_shown(store, run_id):
    page = visit("data", dataset=NOWHERE[0]).run()
    told = "The data set in this address is not here (deleted, or of another workspace). Shown is the newest."
    assert warnings(page)[0] == told
    assert address(page, "dataset") == DATASET


def test_where_there_is_nothing_else_no_newest_is_promised(store):
    assert warnings(visit("data", dataset=NOWHERE[0]))[0].endswith("There is no other data set to show.")


def test_runs_to_compare_that_are_not_here_are_told(store, run_id):
    other = add_run(store, store.images(DATASET))
    page = visit("compare", compare=f"{run_id},{NOWHERE[1]}")
    told = "Of the runs to compare in this address, 1 run is not here (deleted, or of another workspace)."
    assert told in warnings(page)
    assert told not in warnings(visit("compare", compare=f"{run_id},{other}"))


def test_an_import_or_a_backbone_that_is_not_here_is_told(store, run_id):
    assert "The import in this address is not here" in words(visit("data", **{"import": "job-ffffffffffff"}))
    assert "Chosen is EfficientNet-Lite0." in words(visit("backbone", backbone="nonsense"))


def test_the_data_set_of_the_address_is_the_one_compared(store, run_id):
    second = add_run(store, store.images(DATASET))
    elsewhere = add_many_classes(store, 23)
    newer = add_many_classes(store, 24)
    page = visit("compare", dataset=DATASET).run()
    assert address(page, "compare") == f"{second},{run_id}"
    dataset_id = store.run(newer).dataset_id
    page = visit("compare", dataset=dataset_id).run()
    assert address(page, "compare") == f"{newer},{elsewhere}"


def test_another_data_set_lets_go_of_the_runs_of_the_one_before(store, run_id):
    second = add_run(store, store.images(DATASET))
    page = visit("compare", dataset=DATASET, run=run_id).run()
    assert address(page, "compare") == f"{second},{run_id}"
    other = add_many_classes(store, 25)
    page.query_params.clear()
    page.query_params["dataset"] = store.run(other).dataset_id
    page = page.switch_page("../head.py").run()
    assert (address(page, "run"), address(page, "compare")) == (other, None)
