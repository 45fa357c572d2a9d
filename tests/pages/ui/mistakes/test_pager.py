"""The walk through the mistakes: twelve cards a page, one looked at, and what the stepper's buttons and keys do."""

import json
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.components.lazy_cards import CardListing
from pages.ui.components.stepper.stepper import GO, Asked, Key, read_asked
from pages.ui.mistakes import pager
from tests.support.judged_runs import DATASET, add, field, run_of
from tests.support.judged_runs import store as store
from tests.support.mistakes import cards, open_photo
from tests.support.pages import visit
from thaw.runs.results import read_predictions
from thaw.storage.store import Store
from tlcore.evaluation.predictions import find_mistakes, list_worst
from tlcore.settings import HeadSettings

WRONG = 14
KEYS = (Key("agree", "As predicted", "p", True), Key("undo", "Undo", "u", False))


@pytest.fixture
def run_id(store: Store) -> str:
    add(store, each=50)
    return run_of(store, HeadSettings(), {"validation": WRONG})


def stepper_of(page: AppTest) -> dict:
    drawn = [json.loads(each.proto.json) for each in page.get("bidi_component") if '"place"' in each.proto.json]
    (data,) = drawn
    return data


def turn(page: AppTest, run_id: str, ids: list[str], place: int, times: int) -> AppTest:
    """Turn to a picture as `walk.turn_to` does from a callback."""
    key = f"{run_id} validation Worst mistakes first None None"
    page.session_state[f"turned of {key}"] = (times, place // 12 + 1)
    page.session_state[pager.choice_key(key)] = ids[place]
    page.run()
    assert not page.exception
    return page


def test_one_page_of_cards_is_drawn_and_offered_and_all_can_be_walked_through(store, run_id):
    page = visit("mistakes", run=run_id)
    assert len(cards(page)) == 12
    data = stepper_of(open_photo(page, run_id, cards(page)[2]["id"]))
    assert (data["place"], data["total"]) == (2, WRONG)
    assert [(each["key"], each["enabled"]) for each in data["actions"]] == [("p", True), ("x", True), ("u", False)]
    assert [each["label"] for each in data["actions"]] == ["The model is right", "Remove", "Undo"]


def test_a_step_over_the_end_of_a_page_turns_it_and_back_again(store, run_id):
    mistakes = find_mistakes(read_predictions(store, store.run(run_id)))
    ids = [each.image_id for each in mistakes]
    page = turn(visit("mistakes", run=run_id), run_id, ids, 12, 1)
    data = stepper_of(page)
    assert (data["place"], data["id"]) == (12, ids[12])
    assert len(cards(page)) == WRONG - 12
    name = mistakes[12].name.rpartition("/")[2]
    assert data["said"] == f"13 of 14: {name}, {mistakes[12].true} taken for {mistakes[12].predicted}"
    assert field(page, "selectbox", "It belongs to")[0].value == mistakes[12].predicted
    page = turn(page, run_id, ids, 11, 2)
    assert stepper_of(page)["place"] == 11
    assert len(cards(page)) == 12


def test_the_keys_relabel_exclude_and_undo_and_the_page_tells_it(store, run_id):
    predictions = read_predictions(store, store.run(run_id))
    listing = CardListing(predictions, list_worst(predictions))
    ids = [card.image.id for card in listing]

    def press(action: str, place: int) -> None:
        latest = next((edit for edit in store.edits(DATASET) if edit.undone_at is None), None)
        pager.act(store, store.dataset(DATASET), ids, listing[place], latest, "any", Asked(action, place))

    standing = partial(store.standing, DATASET)
    press("agree", 0)
    assert standing()[ids[0]] == listing[0].predicted != listing[0].true
    press("exclude", 1)
    assert standing()[ids[1]] is None
    page = turn(visit("mistakes", run=run_id), run_id, ids, 1, 1)
    data = stepper_of(page)
    assert data["said"].endswith(", excluded since")
    assert [each["enabled"] for each in data["actions"]] == [False, False, True]
    assert data["actions"][2]["about"] == "Undo: excluded 1 image"
    data = stepper_of(turn(page, run_id, ids, 0, 2))
    assert [each["enabled"] for each in data["actions"]] == [False, True, True], "it has the predicted class by now"
    press("undo", 1)
    assert standing()[ids[1]] == listing[1].true
    press("undo", 1)
    assert standing()[ids[0]] == listing[0].true


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ({"action": "go", "place": 2}, Asked(GO, 2)),
        ({"action": "go", "place": 3}, None),
        ({"action": "go", "place": -1}, None),
        ({"action": "go", "place": "1"}, None),
        ({"action": "agree", "place": 1, "id": "b"}, Asked("agree", 1)),
        ({"action": "agree", "place": 1, "id": "a"}, None),
        ({"action": "agree", "place": 2, "id": "c"}, None),
        ({"action": "undo", "place": 1, "id": "b"}, None),
        ({"action": "delete", "place": 1, "id": "b"}, None),
    ],
)
def test_only_what_the_page_offers_for_what_it_shows_is_done(message, asked):
    assert read_asked(message, 1, ["a", "b", "c"], KEYS) == asked


def test_cards_are_made_as_they_are_asked_for_and_equal_the_list_of_mistakes(store, run_id):
    predictions = read_predictions(store, store.run(run_id))
    listing, mistakes = CardListing(predictions, list_worst(predictions)), find_mistakes(predictions)
    assert len(listing) == WRONG
    assert [card.image.id for card in listing[3:5]] == [each.image_id for each in mistakes[3:5]]
    last = listing[-1]
    assert (last.true, last.predicted) == (mistakes[-1].true, mistakes[-1].predicted)
    assert (last.confidence, last.true_confidence) == (mistakes[-1].confidence, mistakes[-1].true_confidence)
