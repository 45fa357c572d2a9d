"""What is chosen, in the session and in the address: what a page hears and what it writes."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.pages import DATASET, add_dataset, add_run, visit
from tests.support.pages import store as store
from thaw.storage.store import Store


def address(page: AppTest, key: str) -> str | None:
    found = page.query_params.get(key)
    return found[-1] if isinstance(found, list) else found


@pytest.fixture
def run_id(store: Store) -> str:
    return add_run(store, add_dataset(store))


def test_a_session_that_begins_writes_nothing_into_the_address(store, run_id):
    page = visit("data")
    assert not page.query_params
    page.run()
    assert address(page, "dataset") == DATASET


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
