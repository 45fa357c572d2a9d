"""The webcam's route: who may ask, and what it refuses; what it answers is tested with the page."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.server.frame_route import MAX_FRAME_BYTES, TOKEN, frames_url
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from tests.support.pictures.corpus import jpeg

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


def test_a_frame_beyond_the_limit_is_refused(client):
    answer = client.post(frames_url("run-0123456789ab"), content=bytes(MAX_FRAME_BYTES + 1), headers=SENT)
    assert answer.status_code == 413
    assert "2,000,000 bytes" in answer.json()["error"]


def test_frames_are_posted_and_nothing_else(client):
    assert client.get(frames_url("run-0123456789ab"), headers=SENT).status_code == 405
