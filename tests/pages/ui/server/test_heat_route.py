"""The route of the heat maps: what it answers for a photo of this workspace, without a map, and for other addresses."""

import io

import httpx
import numpy as np
import pytest
from PIL import Image as Picture
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.server import heat_route
from tests.support.judged_runs import DATASET, add
from tests.support.judged_runs import store as store
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.evaluation.heat_maps import HeatMap, HeatMaps

RUN = "run-0123456789ab"
IMAGE = "img-000000000000"


class Predicting:
    """Answers as the predictor does, with a map that is hot at its left half, or not at all."""

    def __init__(self, maps: HeatMaps | None) -> None:
        self.maps, self.asked = maps, []

    def heat_maps(self, run_id: str, path: object, class_number: int) -> HeatMaps:
        self.asked.append((run_id, path, class_number))
        if self.maps is None:
            raise RunError("Expected a run with a model. Received another one.")
        return self.maps


def ask(monkeypatch: pytest.MonkeyPatch, predicting: Predicting, url: str) -> httpx.Response:
    monkeypatch.setattr(heat_route, "predictor", lambda _: predicting)
    return TestClient(Starlette(routes=[heat_route.HEAT_ROUTE])).get(url)


def test_it_draws_the_map_of_the_class_over_the_photo(store: Store, monkeypatch):
    add(store, each=2)
    values = np.array([[1, 0], [1, 0]], dtype=np.float32)
    picture = np.full((40, 60, 3), 90, np.uint8)
    predicting = Predicting(HeatMaps(picture, 1, HeatMap(values, "top", "block 7"), None))
    answer = ask(monkeypatch, predicting, heat_route.heat_url(RUN, DATASET, IMAGE, 1))
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == heat_route.NOT_KEPT
    assert predicting.asked == [(RUN, store.workspace.image(DATASET, IMAGE, ".png"), 1)]
    drawn = np.asarray(Picture.open(io.BytesIO(answer.content))).astype(int)
    assert drawn.shape == picture.shape
    assert drawn[:, :10].mean() > drawn[:, -10:].mean() + 60


def test_a_photo_without_a_map_is_answered_by_a_picture_that_says_so(store: Store, monkeypatch):
    add(store, each=2)
    answer = ask(monkeypatch, Predicting(None), heat_route.heat_url(RUN, DATASET, IMAGE, 0))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "No heat map of this photo" in answer.text


@pytest.mark.parametrize(
    "named",
    [
        (RUN, DATASET, "img-ffffffffffff", "1"),
        (RUN, "data-ffffffffffff", IMAGE, "1"),
        ("run-1", DATASET, IMAGE, "1"),
        (RUN, "..", IMAGE, "1"),
        (RUN, DATASET, "img-00000000000%00", "1"),
        (RUN, DATASET, IMAGE, "-1"),
    ],
)
def test_what_is_not_here_is_not_asked_for(store: Store, monkeypatch, named):
    add(store, each=2)
    predicting = Predicting(None)
    assert ask(monkeypatch, predicting, f"/thaw/heat/{'/'.join(named)}").status_code == 404
    assert not predicting.asked
