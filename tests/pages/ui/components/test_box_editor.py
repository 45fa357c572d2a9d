"""The box editor as its page gives it to the browser, and the ways that lead there."""

import json

from pages.ui.server.token import TOKENS
from tests.support.pages import DATASET, add_dataset, visit, words
from tests.support.pages import store as store
from tests.support.piles import add_pile, photo_id
from tlcore.boxes import Box
from tlcore.settings import detection_settings

TO_BOXES = "Find and count things in these photos"


def sent(page):
    given = [json.loads(each.proto.json) for each in page.get("bidi_component") if each.proto.json]
    return next(data for data in given if "suggests" in data)


def ways(page):
    return [link.proto.label for link in page.get("page_link")]


def test_without_photos_the_way_to_them_is_shown(store):
    assert "There are no photos yet." in words(visit("boxes"))


def test_the_editor_is_told_where_to_ask_and_whether_there_are_suggestions(store):
    add_pile(store)
    page = visit("boxes", dataset=DATASET)
    assert not page.exception
    assert sent(page) == {
        "dataset": DATASET,
        "label": "Boxes on the photos of holiday",
        "suggests": False,
        "act": f"/thaw/boxes/{DATASET}",
        "token": TOKENS.give("test session id", ""),
    }
    run_id = store.add_run(DATASET, "efficientnet-lite0", detection_settings("efficientnet-lite0").to_json())
    assert not sent(visit("boxes", dataset=DATASET))["suggests"]
    store.set_result(run_id, 1)
    assert sent(visit("boxes", dataset=DATASET))["suggests"]


def test_photos_without_folders_lead_to_their_boxes_and_those_with_boxes_too(store):
    add_pile(store)
    page = visit("data", dataset=DATASET)
    assert TO_BOXES in ways(page)
    assert any("Sort them" in way for way in ways(page))
    store.set_boxes(DATASET, photo_id(0), [Box("cat", 0.1, 0.1, 0.5, 0.5)], None)
    page = visit("data", dataset=DATASET)
    assert "See and draw boxes" in ways(page)
    assert not any("Sort them" in way for way in ways(page))
    assert not page.warning, "that there are no classes is no obstacle to counting"


def test_photos_in_folders_are_not_in_the_way_of_boxes(store):
    add_dataset(store)
    assert TO_BOXES not in ways(visit("data", dataset=DATASET))
