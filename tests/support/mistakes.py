"""What the Mistakes page shows of a run."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from pages.ui.mistakes import pager
from tests.support.pages import visit
from thaw.runs.results import read_predictions
from thaw.storage.store import Store
from tlcore.evaluation.predictions import Mistake, find_mistakes


def mistakes(store: Store, run_id: str) -> list[Mistake]:
    return find_mistakes(read_predictions(store, store.run(run_id)))


def look_closer(store: Store, run_id: str, place: int = 0) -> AppTest:
    page = visit("mistakes", run=run_id)
    return open_photo(page, run_id, mistakes(store, run_id)[place].image_id)


def open_photo(page: AppTest, run_id: str, image_id: str) -> AppTest:
    """Open a photo of the worst mistakes, as a click on its card does."""
    pager_key = f"{run_id} validation Worst mistakes first None None"
    page.session_state[pager.choice_key(pager_key)] = image_id
    page.run()
    assert not page.exception
    return page


def cards(page: AppTest) -> list[dict[str, Any]]:
    """Return the cards of the gallery, as the browser gets them."""
    drawn = [json.loads(each.proto.json) for each in page.get("bidi_component") if '"cards"' in each.proto.json]
    return [card for gallery in drawn for card in gallery["cards"]]


def say(card: dict[str, Any]) -> str:
    """Return the sentence of a card."""
    return " ".join("".join(part["text"] for part in line) for line in card["lines"])


def grids(page: AppTest) -> dict[str, dict[str, object]]:
    """Return what the grids of a page hold, by what they are called."""
    drawn = [json.loads(each.proto.json) for each in page.get("bidi_component") if "tiles" in each.proto.json]
    return {grid["label"]: grid for grid in drawn}
