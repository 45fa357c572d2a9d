"""A page of another port of this machine: everything that it tries on the dashboard is refused."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.harness import Server
from tests.support.pages import DATASET, add_dataset
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

ATTEMPTS = """async ([url, picture]) => {
    const ask = (path, options) => fetch(url + path, options).then((answer) => answer.type + answer.status, () => "no");
    const load = (tag, set) => new Promise((done) => {
        const part = document.createElement(tag);
        part.onload = () => done("loaded");
        part.onerror = () => done("no");
        set(part);
        document.body.append(part);
    });
    const socket = (protocols) => new Promise((done) => {
        const opened = new WebSocket(url.replace("http", "ws") + "/_stcore/stream", protocols);
        opened.onopen = () => done("open");
        opened.onclose = () => done("no");
    });
    return {
        socket: await socket(["streamlit"]),
        plain_socket: await socket([]),
        read: await ask("/"),
        read_config: await ask("/_stcore/host-config"),
        opaque: await ask("/", { mode: "no-cors" }),
        post: await ask("/thaw/upload/upload-000000000000", { method: "POST", mode: "no-cors", body: "x" }),
        put: await ask("/_stcore/upload_file/a/b", { method: "PUT", body: "x" }),
        picture: await load("img", (part) => { part.src = url + picture; }),
        script: await load("script", (part) => { part.src = url + "/thaw/plotly.js"; }),
    };
}"""
FRAME = """(url) => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => done();
    frame.src = url;
    document.body.append(frame);
})"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def foreign_port(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "index.html").write_text("<!doctype html><title>Foreign</title><body></body>")
    handler = partial(Quiet, directory=str(tmp_path / "foreign"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as foreign:
        thread = threading.Thread(target=foreign.serve_forever, args=(0.05,))
        thread.start()
        yield foreign.server_port
        foreign.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_page_of_another_port_gets_nothing(
    server: Server, browser: BrowserContext, foreign_port: int, name: str
) -> None:
    store = Store(open_workspace(server.workspace))
    image = store.images(DATASET)[0] if any(each.id == DATASET for each in store.datasets()) else add_dataset(store)[0]
    page = browser.pages[0]
    page.goto(f"http://{name}:{foreign_port}")
    target = f"http://{name}:{server.port}"
    picture = f"/thaw/image/{DATASET}/{image.id}"
    got = page.evaluate(ATTEMPTS, [target, picture])
    assert got == dict.fromkeys(got, "no")
    page.evaluate(FRAME, target)
    assert page.frames[1].url.startswith("chrome-error:")
    # The same from Thaw's own page: it is for whose they are that the others are refused.
    page.goto(f"{target}/data")
    page.get_by_role("heading", name="Data", exact=True, level=1).wait_for()
    own = page.evaluate(ATTEMPTS, [target, picture])
    assert (own["socket"], own["read"], own["post"]) == ("open", "basic200", "basic403")
    assert own["picture"] == own["script"] == "loaded"


def test_a_page_that_opened_thaw_has_no_hold_on_it(server: Server, browser: BrowserContext, foreign_port: int) -> None:
    page = browser.pages[0]
    page.goto(f"http://127.0.0.1:{foreign_port}")
    with page.expect_popup() as opened:
        page.evaluate("(url) => { window.held = window.open(url); }", f"{server.url}/data")
    opened.value.get_by_role("heading", name="Data", exact=True, level=1).wait_for()
    assert page.evaluate("window.held.closed")
    assert opened.value.evaluate("window.opener") is None
