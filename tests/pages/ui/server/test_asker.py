"""Whose a job is: what is recorded with it, what each looker is told, and the mark that tells browsers apart."""

import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from pages.ui.server import asker, sign_in
from pages.ui.server.asker import COOKIE, find_asker, tell_asker
from pages.ui.server.guard import Guard
from tests.support.pages import DATASET, add_dataset
from tests.support.pages import store as store
from thaw.storage.store import Store

MARK, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def client():
    routes = [Route("/", lambda _: HTMLResponse("a page")), Route("/picture", lambda _: PlainTextResponse("none"))]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Guard)]), base_url="http://localhost:8501")


def test_a_browser_gets_its_mark_with_its_first_page_and_keeps_it(client, monkeypatch):
    assert COOKIE not in client.get("/picture").cookies
    told = client.get("/").headers["set-cookie"]
    assert re.match(rf"{COOKIE}=[0-9a-f]{{16}}; Path=/; .*HttpOnly; SameSite=Strict", told)
    assert "set-cookie" not in client.get("/").headers
    client.cookies.clear()
    monkeypatch.setattr(asker, "base_path", lambda: "/below")
    assert "; Path=/below;" in client.get("/").headers["set-cookie"]


@pytest.mark.parametrize(
    ("cookies", "found"),
    [({}, ""), ({COOKIE: MARK}, f"browser {MARK}"), ({COOKIE: "x" * 16}, ""), ({COOKIE: f"{MARK}\n"}, "")],
)
def test_a_browser_is_who_asks_where_nobody_signs_in(cookies, found):
    assert find_asker(cookies) == found


def test_a_person_is_who_asks_in_whichever_browser(monkeypatch):
    monkeypatch.setattr(sign_in, "current", lambda: sign_in.SignIn("mark", "anna@lab.example", True))
    assert find_asker({COOKIE: MARK}) == find_asker({}) == "anna@lab.example"


def test_a_job_that_waits_for_the_device_says_who_asked(store):
    add_dataset(store)
    mine, anna = (Store(store.workspace, asker=each) for each in (f"browser {MARK}", "anna@lab.example"))
    jobs = [each.job(each.add_job("check", {"seed": 1}, DATASET)) for each in (mine, anna, store)]
    told = [[tell_asker(job, looker) for job in jobs] for looker in (mine.asker, f"browser {OTHER}", anna.asker, "")]
    other = "asked for in another browser"
    assert told == [
        ["yours", "asked for by `anna@lab.example`", ""],
        [other, "asked for by `anna@lab.example`", ""],
        [other, "yours", ""],
        [other, "asked for by `anna@lab.example`", ""],
    ]
    assert jobs[0].request["seed"] == 1
    # What an import or a look ahead is asked for is compared as it is.
    assert mine.job(mine.add_job("look_ahead", {"backbone": "a"}, DATASET)).request == {"backbone": "a"}
