"""What the Mistakes page shows of a run."""

import json

from streamlit.testing.v1 import AppTest

from tests.support.judged_runs import field
from tests.support.pages import visit
from thaw.runs.results import read_predictions
from thaw.storage.store import Store
from tlcore.evaluation.predictions import Mistake, find_mistakes


def mistakes(store: Store, run_id: str) -> list[Mistake]:
    return find_mistakes(read_predictions(store, store.run(run_id)))


def look_closer(store: Store, run_id: str, place: int = 0) -> AppTest:
    page = visit("mistakes", run=run_id)
    field(page, "selectbox", "Look closer")[0].set_value(mistakes(store, run_id)[place].image_id).run()
    assert not page.exception
    return page


def grids(page: AppTest) -> dict[str, dict[str, object]]:
    """Return what the grids of a page hold, by what they are called."""
    drawn = [json.loads(each.proto.json) for each in page.get("bidi_component") if "tiles" in each.proto.json]
    return {grid["label"]: grid for grid in drawn}
