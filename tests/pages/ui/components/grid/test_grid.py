"""The picture grid as the server sees it: what it sends to the browser, and what it takes back."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.components.grid.grid import Action, Order, Tile, read_order

PICTURES = [Tile(f"image-{number}", f"/small/{number}", f"/large/{number}", f"{number}.jpg") for number in range(4)]
ACTIONS = [Action("exclude", "Exclude", "x"), Action("move", "Move to", "m", ("berry", "le\u202eaf"))]


def page() -> None:
    from pages.ui.components.grid.grid import Action, Tile, grid

    hostile = "<b>\u202egpj.exe"
    tiles = [Tile("image-1", "/small/1", "/large/1", hostile, hostile, hostile), Tile("image-2", "/s", "/l", "2.jpg")]
    grid("photos", tiles, [Action("move", "Move to", "m", ("berry", hostile))], "Blurred photos")


def sent(app: AppTest) -> dict:
    (component,) = app.get("bidi_component")
    return json.loads(component.proto.json)


def test_the_browser_gets_names_made_visible_and_choices_with_their_exact_value():
    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    data = sent(app)
    shown = "<b>\\u202egpj.exe"
    assert data["label"] == "Blurred photos"
    assert data["tiles"][0] == {
        "id": "image-1",
        "thumbnail": "/small/1",
        "picture": "/large/1",
        "name": shown,
        "caption": shown,
        "badge": shown,
    }
    assert (data["tiles"][1]["caption"], data["tiles"][1]["badge"]) == ("", "")
    assert data["actions"] == [
        {
            "name": "move",
            "label": "Move to",
            "key": "m",
            "choices": [{"value": "berry", "shown": "berry"}, {"value": "<b>\u202egpj.exe", "shown": shown}],
        }
    ]
    assert data["answered"] is None


def order(action: str, ids: list[str], choice: object = None) -> Order | None:
    return read_order({"number": "1", "action": action, "ids": ids, "choice": choice}, PICTURES, ACTIONS)


def test_an_order_lists_its_pictures_in_the_order_of_the_grid_once():
    assert order("exclude", ["image-3", "image-0", "image-3"]) == Order("exclude", ["image-0", "image-3"], None)


def test_pictures_that_have_left_the_grid_are_left_out():
    assert order("exclude", ["image-9", "image-1"]) == Order("exclude", ["image-1"], None)


def test_a_choice_comes_back_as_it_was_given():
    assert order("move", ["image-1"], "le\u202eaf") == Order("move", ["image-1"], "le\u202eaf")


@pytest.mark.parametrize(
    ("action", "ids", "choice"),
    [
        ("burn", ["image-1"], None),
        ("exclude", [], None),
        ("exclude", ["image-9"], None),
        ("exclude", ["image-1"], "berry"),
        ("move", ["image-1"], None),
        ("move", ["image-1"], "sky"),
    ],
)
def test_what_the_grid_does_not_offer_is_not_done(action, ids, choice):
    assert order(action, ids, choice) is None
