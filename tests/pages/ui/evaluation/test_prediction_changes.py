"""Fixed and broken on the Compare page: counted, shown, paged, and chosen among several runs."""

import pytest

from pages.ui.evaluation.prediction_changes import list_rows
from tests.support.judged_runs import add, field, run_of
from tests.support.judged_runs import store as store
from tests.support.pages import BOLD, TAG, add_dataset, add_run, compare, drawn_html, visit, words
from tests.support.pages import expert as expert
from thaw.runs.prediction_changes import list_changes
from thaw.runs.results import read_predictions
from thaw.storage.store import Store
from tlcore.settings import HeadSettings


def runs_of(store: Store, *wrong: int) -> list[str]:
    add(store, each=50)
    return [run_of(store, HeadSettings(seed=0), {"validation": each}) for each in wrong]


@pytest.mark.usefixtures("expert")
def test_two_runs_tell_what_was_fixed_and_what_is_broken_the_earlier_first(store):
    first, second = runs_of(store, 15, 2)
    page = compare(second, first)
    said = words(page)
    assert "From **B** to **A**, of 20 images that judged both: **13 fixed**" in said
    assert "**0 broken** (right before, wrong now), more than chance alone would do (McNemar's test)." in said
    drawn = drawn_html(page)
    assert drawn.count("<figure") == 12, "the first page of those that were fixed"
    assert "<dt>B says</dt>" in drawn
    assert [panel.label for panel in page.expander] == ["Fixed (13)", "Broken (0)"]
    assert not field(page, "selectbox", "From run")


def test_of_several_runs_any_two_can_be_chosen(store):
    runs = runs_of(store, 15, 9, 2)
    page = compare(*runs)
    assert "From **C** to **A**" in words(page)
    field(page, "selectbox", "From run")[0].set_value("A").run()
    field(page, "selectbox", "To run")[0].set_value("B").run()
    assert not page.exception
    assert (
        "From **A** to **B**, of 20 images that judged both: **0 fixed** (wrong before, right now) and **7 broken**"
        in (words(page))
    )
    field(page, "selectbox", "To run")[0].set_value("A").run()
    assert "Choose two different runs" in page.info[-1].value


def test_the_table_names_each_image_with_what_both_said(store):
    first, second = (store.run(each) for each in runs_of(store, 3, 1))
    found = list_changes(read_predictions(store, first), read_predictions(store, second))
    rows = list_rows(found)
    assert [row["change"] for row in rows] == ["fixed", "fixed"]
    assert all(row["after"] == row["true"] != row["before"] for row in rows)
    assert {row["before_confidence"] for row in rows} == {0.9}


def test_runs_that_say_the_same_have_nothing_to_show_and_names_are_literal(store):
    images = add_dataset(store)
    add_run(store, images)
    add_run(store, images)
    page = visit("compare")
    assert not page.exception
    assert "**0 fixed** (wrong before, right now) and **0 broken**" in words(page)
    assert "Fixed and broken as CSV" not in [each.proto.label for each in page.get("download_button")]
    assert TAG not in drawn_html(page)
    assert BOLD not in drawn_html(page)
