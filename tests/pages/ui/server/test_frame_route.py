"""The webcam's route: who may ask, and what it refuses; what it answers is tested with the page."""

from types import SimpleNamespace

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.server.frame_route import MAX_FRAME_BYTES, frames_url
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from pages.ui.server.token import page_token
from tests.support.boxes.detectors import add_boxed, add_detector_run
from tests.support.pictures.corpus import jpeg
from thaw.prediction.client import Sighting
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.detection.found import Found

TOKEN = page_token()
ORIGIN = {"origin": "http://testserver"}
SENT = ORIGIN | {"x-thaw-token": TOKEN}


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    return TestClient(Starlette(routes=ROUTES, exception_handlers={UploadRefused: refuse}))


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"x-thaw-token": TOKEN}, "only from Thaw's own page"),
        (SENT | {"origin": "http://evil.example"}, "only from Thaw's own page"),
        (ORIGIN, "not known here"),
        (ORIGIN | {"x-thaw-token": TOKEN[:-1]}, "not known here"),
        (ORIGIN | {"x-thaw-token": "\xe9"}, "not known here"),
    ],
)
def test_only_the_page_that_was_given_the_token_is_heard(client, headers, words):
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = client.post(frames_url("run-0123456789ab"), content=jpeg(1), headers=raw)
    assert answer.status_code == 403
    assert words in answer.json()["error"]


@pytest.mark.parametrize("run_id", ["run-0123456789ab", "run-0123456789AB", "run-0123456789abc", "data-0123456789ab"])
def test_only_runs_of_this_workspace_are_asked(client, run_id):
    answer = client.post(frames_url(run_id), content=jpeg(1), headers=SENT)
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("Expected the id of a run")


def answer_with(monkeypatch, sighting):
    """Have the route's predictor see `sighting` in every frame; return the list of the frames it was asked about."""
    asked = []

    def find(run_id, pictures):
        asked.append((run_id, *pictures))
        return [sighting]

    monkeypatch.setattr("pages.ui.server.frame_route.predictor", lambda workspace: SimpleNamespace(find=find))
    return asked


def test_a_detector_answers_with_boxes_in_shares_of_the_frame(client, monkeypatch):
    store = Store(open_workspace())
    run_id, frame = add_detector_run(store, add_boxed(store)), jpeg(1)
    edges = np.array([(0.5, 0.25, 0.75, 1), (0, 0, 0.5, 0.5), (0, 0, 1, 1)], np.float32)
    found = Found(edges, np.array([0.9, 0.5, 0.01], np.float32), np.array([1, 0, 0]))
    asked = answer_with(monkeypatch, Sighting(found, None, 64, 48))

    answer = client.post(frames_url(run_id), content=frame, headers=SENT)

    assert answer.status_code == 200
    assert answer.json() == {
        "boxes": [
            {"label": "pear", "confidence": 0.9, "x": 0.5, "y": 0.25, "width": 0.25, "height": 0.75},
            {"label": "apple", "confidence": 0.5, "x": 0.0, "y": 0.0, "width": 0.5, "height": 0.5},
        ]
    }
    assert asked == [(run_id, frame)]


def test_a_frame_that_a_detector_cannot_read_is_told_with_the_reason(client, monkeypatch):
    store = Store(open_workspace())
    run_id = add_detector_run(store, add_boxed(store))
    answer_with(monkeypatch, Sighting(None, "it is cut off"))

    assert client.post(frames_url(run_id), content=jpeg(1), headers=SENT).json() == {"unread": "it is cut off"}


def test_a_frame_beyond_the_limit_is_refused(client):
    answer = client.post(frames_url("run-0123456789ab"), content=bytes(MAX_FRAME_BYTES + 1), headers=SENT)
    assert answer.status_code == 413
    assert "2,000,000 bytes" in answer.json()["error"]


def test_frames_are_posted_and_nothing_else(client):
    assert client.get(frames_url("run-0123456789ab"), headers=SENT).status_code == 405
