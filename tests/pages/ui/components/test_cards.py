"""Cards as the browser gets them: the words of each as data, and where it is to go."""

import json

from streamlit.testing.v1 import AppTest

HOSTILE = "<b>bold</b>\u202e"


def draw(name: str) -> None:
    from pages.ui.components.cards.cards import Attention, PhotoCard, Words, photo_cards

    card = PhotoCard(
        "img-1", "/thaw/image/data-1/img-1", name, ((Words(name, strong=True), Words(", 85% sure.")),), name
    )
    photo_cards("cards", [card], "Photos", print, Attention(reveal=2, closed=1, last="img-1"))


def test_a_card_is_sent_as_text_and_names_stay_literal():
    page = AppTest.from_function(draw, default_timeout=60, args=(HOSTILE,)).run()
    assert not page.exception
    (sent,) = [json.loads(each.proto.json) for each in page.get("bidi_component")]
    shown = "<b>bold</b>\\u202e"
    assert sent == {
        "label": "Photos",
        "reveal": 2,
        "closed": 1,
        "last": "img-1",
        "cards": [
            {
                "id": "img-1",
                "picture": "/thaw/image/data-1/img-1",
                "alt": shown,
                "lines": [[{"text": shown, "strong": True}, {"text": ", 85% sure.", "strong": False}]],
                "note": shown,
            }
        ],
    }
