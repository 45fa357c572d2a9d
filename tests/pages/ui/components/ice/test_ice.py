"""The block of ice as the server sees it: what it sends to the browser, and what it takes back."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.components.ice.ice import read_moved


def page() -> None:
    from pages.ui.components.ice.ice import Slab, ice

    ice("free", [Slab("st\u202eem", 4), Slab("block 0", 5)], 3, "Top layers", lambda top: None)
    ice("fixed", [Slab("stem", 4)], 0, "Top layers", None)


def test_the_browser_gets_the_blocks_in_their_order_with_names_made_visible():
    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    free, fixed = (json.loads(component.proto.json) for component in app.get("bidi_component"))
    assert free == {
        "label": "Top layers",
        "slabs": [{"name": "st\\u202eem", "layers": 4}, {"name": "block 0", "layers": 5}],
        "top": 3,
        "enabled": True,
        "answered": None,
    }
    assert not fixed["enabled"]


@pytest.mark.parametrize(
    ("top", "read"), [(0, 0), (9, 9), (10, None), (-1, None), (4.5, None), ("4", None), (True, None), (None, None)]
)
def test_only_a_number_of_layers_that_are_there_is_taken_in(top, read):
    assert read_moved({"top": top, "number": "1"}, 9) == read
