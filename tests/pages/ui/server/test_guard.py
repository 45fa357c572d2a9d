import re
import shlex

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit import config

from pages.ui.server import guard
from pages.ui.server import headers as policy
from pages.ui.server.guard import Guard

OWN = "http://localhost:8501"
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
FOREIGN_ORIGINS = (
    "http://localhost:9999",
    "http://127.0.0.1:8501",
    "http://localhost",
    "https://evil.example",
    "null",
    "",
    "http://[",
    "file://localhost:8501",
    "http://localhost:8501.evil.example",
    "http://evil.example@localhost:8501",
)


@pytest.fixture
def client() -> TestClient:
    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def fail(_: Request) -> PlainTextResponse:
        raise RuntimeError("unforeseen")

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
    app = Starlette(
        routes=[Route("/", answer, methods=methods), Route("/fail", fail), WebSocketRoute("/stream", talk)],
        middleware=[Middleware(Guard)],
        exception_handlers={Exception: policy.tell_failure},
    )
    return TestClient(app, base_url=OWN, raise_server_exceptions=False)


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_request_of_another_origin_is_refused(client, origin, method):
    answer = client.request(method, "/", headers={"origin": origin})
    assert answer.status_code == 403
    assert "Expected a request of Thaw's own page" in answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", [*FOREIGN_ORIGINS, None])
def test_a_socket_of_another_origin_or_of_none_is_refused_before_it_opens(client, origin):
    headers = {"host": "localhost:8501"} | ({} if origin is None else {"origin": origin})
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/stream", headers=headers):
        pass
    assert refused.value.code == guard.POLICY_VIOLATION


def test_the_own_page_is_heard(client):
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert client.request(method, "/", headers={"origin": OWN}).status_code == 200
    with client.websocket_connect("/stream", headers={"host": "localhost:8501", "origin": "HTTP://LOCALHOST:8501"}):
        pass


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("HEAD", 200), ("POST", 403), ("PUT", 403)])
def test_without_an_origin_a_request_may_read_only(client, method, status):
    assert client.request(method, "/").status_code == status


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_link_to_a_page_and_nothing_else(client, site):
    link = LINK | {"sec-fetch-site": site}
    assert client.get("/", headers=link).status_code == 200
    for instead in ({"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, {"sec-fetch-dest": "iframe"}):
        assert client.get("/", headers=link | instead).status_code == 403
    for own in ("same-origin", "none"):
        assert client.get("/", headers={"sec-fetch-site": own}).status_code == 200


def test_two_hosts_or_origins_are_none(client):
    for twice in ([("host", "localhost:8501"), ("host", "evil.example")], [("origin", OWN), ("origin", OWN)]):
        assert client.get("/", headers=twice).status_code == 403


@pytest.mark.parametrize(
    ("host", "listed", "served"),
    [
        ("localhost", [], True),
        ("LOCALHOST:8501", [], True),
        ("[::1]:1", [], True),
        ("127.0.0.2", [], False),
        ("a@localhost.b", [], False),
        ("", ["*"], False),
        ("[", ["*"], False),
        ("thaw.example", ["thaw.example"], True),
        ("thaw.example:80", ["Thaw.Example "], True),
        ("a.thaw.example", ["thaw.example"], False),
        ("a.thaw.example", ["*.thaw.example"], True),
        ("athaw.example", ["*.thaw.example"], False),
        ("anything", ["*"], True),
    ],
)
def test_the_host_header_is_read_as_streamlit_reads_its_list(host, listed, served):
    before = config.get_option("server.allowedHosts")
    config.set_option("server.allowedHosts", listed)
    try:
        assert guard.allowed(host) is served
    finally:
        config.set_option("server.allowedHosts", before)


def test_a_refused_host_is_told_how_to_be_allowed(client):
    answer = client.get("/", headers={"host": "thaw.example:8501"})
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/plain")
    (command,) = re.findall(r"streamlit run app.py.*", answer.text)
    assert shlex.split(command)[-2:] == ["--server.allowedHosts", "thaw.example"]
    assert all(f"--server.allowedHosts {name}" in command for name in config.get_option("server.allowedHosts"))
    assert '"thaw.example" to allowedHosts' in answer.text


def test_a_hosts_name_that_would_be_a_command_is_not_put_into_one(client):
    answer = client.get("/", headers={"host": "x;rm -rf ~"})
    assert answer.status_code == 403
    assert ";rm" not in answer.text.partition("streamlit run")[2]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/nowhere", {}, 404),
        ("/fail", {}, 500),
        ("/", {"host": "evil"}, 403),
        ("/", {"origin": "x"}, 403),
    ],
)
def test_every_answer_says_what_a_browser_may_do_with_it(client, path, headers, status):
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "private, no-store"
    permissions = answer.headers["permissions-policy"].split(", ")
    assert [each for each in permissions if not each.endswith("=()")] == ["camera=(self)"]
    rules = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert rules["frame-ancestors"] == rules["default-src"] == "'none'"
    assert "'unsafe" not in rules["script-src"]


def test_the_policy_names_no_host_but_the_own():
    named = set(re.findall(r"[a-z]+://[^\s;]+", policy.write_policy("localhost:8501")))
    assert named == {"ws://localhost:8501", "wss://localhost:8501"}
    assert "*" not in policy.write_policy("localhost:8501")
    for strange in ("[::1]:8501", "x; script-src *", "x\r\ny"):
        assert "ws:" not in policy.write_policy(strange)
        assert strange not in policy.write_policy(strange)
