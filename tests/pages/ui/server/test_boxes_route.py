"""The route of the box editor: who is heard, what is told of photos, and what is kept of what was drawn."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.data import edit_history
from pages.ui.server.boxes_route import MAX_BODY_BYTES, boxes_url
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from pages.ui.server.token import page_token
from tests.support.pages import DATASET
from tests.support.pages import store as store
from tests.support.piles import add_pile, photo_id
from thaw.prediction import suggestions
from thaw.prediction.suggestions import Suggestion
from thaw.storage.boxes import MOST_ON_A_PHOTO
from thaw.storage.journal.rows import Change
from tlcore.boxes import Box

TOKEN = page_token()
SENT = {"origin": "http://testserver", "x-thaw-token": TOKEN}
CAT = {"label": "cat", "x": 0.25, "y": 0.5, "width": 0.5, "height": 0.25}
DOG = CAT | {"label": "dog\u202e"}
PHOTO = photo_id(0)


@pytest.fixture
def client(store):
    add_pile(store)
    return TestClient(Starlette(routes=ROUTES, exception_handlers={UploadRefused: refuse}))


def act(client, what, dataset=DATASET, **asked):
    return client.post(boxes_url(dataset), json={"do": what} | asked, headers=SENT)


def save(client, boxes, read, photo=PHOTO):
    return act(client, "save", photo=photo, boxes=boxes, read=read)


@pytest.mark.parametrize("headers", [{"x-thaw-token": TOKEN}, SENT | {"x-thaw-token": "x"}, {"origin": "http://x"}])
def test_only_the_page_that_was_given_the_token_is_heard(client, headers):
    assert client.post(boxes_url(DATASET), json={"do": "photos"}, headers=headers).status_code == 403


def test_photos_are_listed_with_how_many_boxes_they_have(client, store):
    save(client, [CAT, DOG], None)
    save(client, [], None, photo_id(1))
    told = act(client, "photos").json()
    assert [photo["count"] for photo in told["photos"]] == [2, 0, *[None] * 16]
    assert told["photos"][0] == {
        "id": PHOTO,
        "name": "IMG_0000.jpg",
        "picture": f"/thaw/image/{DATASET}/{PHOTO}",
        "thumbnail": f"/thaw/thumbnail/{DATASET}/{PHOTO}",
        "count": 2,
    }
    assert told["kinds"] == [{"name": "cat", "shown": "cat"}, {"name": "dog\u202e", "shown": "dog\\u202e"}]
    store.add_edit(DATASET, "exclude", {}, [Change("excluded", PHOTO, "1")])
    assert len(act(client, "photos").json()["photos"]) == 17


def test_of_very_many_photos_those_with_boxes_and_the_first_others_are_listed(client, store, monkeypatch):
    monkeypatch.setattr("pages.ui.server.boxes_route.MOST_LISTED", 5)
    save(client, [CAT], None, photo_id(11))
    save(client, [], None, photo_id(9))
    told = act(client, "photos").json()
    assert [photo["id"] for photo in told["photos"]] == [photo_id(each) for each in (9, 11, 0, 1, 2)]
    whole = store.dataset(DATASET)
    assert told["left_out"] == whole.pile + whole.included + whole.holdout - 5
    store.add_edit(DATASET, "exclude", {}, [Change("excluded", photo_id(9), "1")])
    assert [photo["id"] for photo in act(client, "photos").json()["photos"]] == [photo_id(e) for e in (11, 0, 1, 2, 3)]


def test_many_photos_with_boxes_leave_room_for_those_that_have_none(client, monkeypatch):
    monkeypatch.setattr("pages.ui.server.boxes_route.MOST_LISTED", 5)
    for number in range(8):
        save(client, [CAT], None, photo_id(number))
    listed = act(client, "photos").json()["photos"]
    assert [photo["count"] for photo in listed] == [1, 1, None, None, None]


def test_boxes_are_kept_told_and_taken_away_again(client, store):
    assert act(client, "read", photo=PHOTO).json() == {"boxes": None}
    assert save(client, [CAT], None).json() == {}
    assert act(client, "read", photo=PHOTO).json() == {"boxes": [CAT]}
    assert store.boxes_on(DATASET, PHOTO) == [Box("cat", 0.25, 0.5, 0.5, 0.25)]
    assert save(client, None, [CAT]).status_code == 200
    assert store.boxes_on(DATASET, PHOTO) is None


def test_a_kind_is_renamed_on_every_photo(client, store):
    save(client, [CAT, DOG], None)
    save(client, [CAT], None, photo_id(1))
    assert act(client, "rename", kind="cat", to="lynx").json() == {"photos": 2}
    assert store.count_boxes(DATASET) == {"dog\u202e": 1, "lynx": 2}
    told = edit_history.tell(store.edits(DATASET)[0], str)
    assert told == "renamed the boxes called cat to lynx on 2 images"
    assert act(client, "rename", kind="lynx", to=" ").status_code == 400
    assert act(client, "rename", kind="lynx").status_code == 400


def test_what_is_drawn_box_after_box_is_one_line_of_the_history(client, store):
    save(client, [CAT], None)
    save(client, [CAT, DOG], [CAT])
    (edit,) = store.edits(DATASET)
    assert edit_history.tell(edit, str) == "drew 2 boxes on 1 image"


def test_what_another_window_has_drawn_is_not_written_over(client, store):
    save(client, [CAT], None)
    refused = save(client, [DOG], None)
    assert (refused.status_code, "another window" in refused.json()["error"]) == (409, True)
    assert act(client, "read", photo=PHOTO).json() == {"boxes": [CAT]}


@pytest.mark.parametrize(
    "boxes",
    [
        "many",
        [None],
        [CAT | {"x": "0.1"}],
        [CAT | {"x": None}],
        [CAT | {"x": 10**400}],
        [CAT | {"x": True}],
        [CAT | {"x": -0.1}],
        [CAT | {"width": 0}],
        [CAT | {"width": 0.76}],
        [CAT | {"label": 3}],
        [CAT | {"label": " cat"}],
        [CAT] * (MOST_ON_A_PHOTO + 1),
    ],
)
def test_boxes_that_are_none_are_refused(client, store, boxes):
    refused = save(client, boxes, None)
    assert (refused.status_code, refused.json()["error"][:8]) == (400, "Expected")
    assert store.boxes(DATASET) == {}


def test_numbers_that_are_none_and_names_that_are_too_long_are_refused(client):
    text = (
        f'{{"do": "save", "photo": "{PHOTO}", "boxes": [{{"label": "a", "x": NaN, "y": 0, "width": 1, "height": 1}}]}}'
    )
    assert client.post(boxes_url(DATASET), content=text, headers=SENT).status_code == 400
    assert "1 to 200 characters" in save(client, [CAT | {"label": "a" * 201}], None).json()["error"]
    assert client.post(boxes_url(DATASET), content=b" " * (MAX_BODY_BYTES + 1), headers=SENT).status_code == 413


def test_what_is_not_there_is_said_to_be_gone(client):
    assert act(client, "read", photo="img-none").status_code == 404
    assert act(client, "save", boxes=[], read=None).status_code == 400
    assert act(client, "paint").status_code == 400
    assert act(client, "photos", dataset="../etc").status_code in (400, 404)
    assert act(client, "photos", dataset="data-ffffffffffff").json() == {"photos": [], "kinds": [], "left_out": 0}


def test_suggestions_come_from_whoever_has_some_the_surest_first(client, monkeypatch):
    assert act(client, "suggest", photo=PHOTO).json() == {"suggestions": []}
    cat, dog = Box("cat", 0.25, 0.5, 0.5, 0.25), Box("dog\u202e", 0.25, 0.5, 0.5, 0.25)

    def suggest(store, dataset_id, images):
        both = [Suggestion(cat, 0.4), Suggestion(dog, 0.9)]
        return [both if (dataset_id, image.id) == (DATASET, PHOTO) else [] for image in images]

    monkeypatch.setattr(suggestions, "suggest_boxes", suggest)
    told = act(client, "suggest", photo=PHOTO).json()
    assert told == {"suggestions": [DOG | {"confidence": 0.9}, CAT | {"confidence": 0.4}]}
    assert act(client, "suggest", photo=photo_id(1)).json() == {"suggestions": []}
    told = act(client, "rank", photos=[PHOTO, photo_id(1), "img-none"]).json()
    assert told == {"sure": {PHOTO: 0.9, photo_id(1): 0.0}}


@pytest.mark.parametrize("photos", [None, "img", [1], [PHOTO] * 9])
def test_photos_that_are_none_or_too_many_are_not_ranked(client, photos):
    assert act(client, "rank", photos=photos).status_code == 400
