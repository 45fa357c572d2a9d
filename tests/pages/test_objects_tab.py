"""The Objects tab of the Data page."""

import pytest

from pages.ui.data import objects
from tests.support.pages import BOLD, DATASET, TAG, add_dataset, press, visit, words
from tests.support.pages import store as store
from tests.support.said import alone
from thaw.storage.boxes import Reason, RejectedBox
from thaw.storage.datasets import Arrival
from tlcore.boxes import Box

REJECTED = [RejectedBox("=x.json", TAG, BOLD, reason) for reason in Reason]


@pytest.fixture
def page(store):
    """Open the tab of a data set with one object of each of two kinds, of hostile names, and photos not drawn on."""
    images = add_dataset(store)
    store.add_to_dataset(DATASET, "there", Arrival([], rejected_boxes=REJECTED))
    store.set_boxes(DATASET, images[0].id, [Box(TAG, 0, 0, 0.5, 0.5), Box(BOLD, 0.1, 0.1, 0.01, 0.5)], None)
    store.set_boxes(DATASET, images[1].id, [], None)
    page = visit("data")
    page.session_state[f"tabs of {DATASET}"] = "Objects"
    return page.run()


def test_a_data_set_without_boxes_has_no_such_tab(store):
    add_dataset(store)
    assert "Objects" not in [tab.label for tab in visit("data").tabs]


def test_objects_are_counted_by_kind(page):
    assert not page.exception
    assert "**2 boxes of 2 kinds** on 2 photos that somebody has looked at." in words(page)
    (counts,) = [table.value for table in page.dataframe if "objects" in table.value.columns]
    assert counts["objects"].tolist() == [1, 1]
    assert alone(page) == []


def test_what_may_be_wrong_is_told(page):
    titles = " ".join(panel.label for panel in page.expander)
    for title in ("1 box is tiny", "Kinds with fewer than 10 objects", "18 photos that nobody", "1 photo without any"):
        assert title in titles
    press(page, "This is as it should be")
    assert "Kinds with fewer" not in " ".join(panel.label for panel in page.expander)


def test_every_reason_has_its_words(page):
    assert objects.REASONS.keys() == {*Reason}
    assert f"**{len(Reason)} boxes were not taken in**" in words(page)
    (told,) = [table.value for table in page.dataframe if "reason" in table.value.columns]
    assert len({*told["reason"]}) == len(Reason)
