"""The doorkeeper: nothing of the workspace without a sign-in, by any route, and a WebSocket that ends with it."""

from contextlib import suppress

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.ui.server import sign_in, upload
from pages.ui.server.doorkeeper import Doorkeeper
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from pages.ui.server.token import TOKENS
from tests.support.serving.signing_in import AUTH, HOST, Secrets, cookie_of
from tests.support.serving.signing_in import secrets as secrets
from thaw.storage.workspace import open_workspace

ID = "data-000000000000"
ADDRESSES = {
    route.path.format(**dict.fromkeys(route.param_convertors, ID)): next(iter(route.methods - {"HEAD"}))
    for route in ROUTES
}
STREAMLITS = (
    "/media/x.png",
    "/_stcore/upload_file/a/b",
    "/_stcore/metrics",
    "/_stcore/agent/interact",
    "/app/static/x",
)
OPEN = ("/", "/data", "/static/js/x.js", "/_stcore/health", "/_stcore/host-config", "/auth/login", "/oauth2callback")
ANNA, STRANGER = cookie_of(), cookie_of("eve@evil.example")


@pytest.fixture
def client(tmp_path, monkeypatch, secrets: Secrets) -> TestClient:
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    secrets()

    async def answer(_: Request) -> PlainTextResponse:
        made = PlainTextResponse("hello")
        made.set_cookie("_streamlit_user", "x")
        return made

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                await socket.send_text(await socket.receive_text())

    rest = [WebSocketRoute("/_stcore/stream", talk), Route("/{path:path}", answer, methods=["GET", "POST"])]
    app = Starlette(
        routes=[*ROUTES, *rest], middleware=[Middleware(Doorkeeper)], exception_handlers={UploadRefused: refuse}
    )
    return TestClient(app, base_url=f"https://{HOST}")


def ask(client: TestClient, path: str, cookie: str = "", **headers: str):
    sent = {"origin": f"https://{HOST}", "cookie": cookie} | headers
    return client.request(ADDRESSES.get(path, "GET"), path, headers=sent)


def sign_in_of(cookie: str) -> sign_in.SignIn:
    found = sign_in.read_sign_in(cookie_parser(cookie), HOST)
    assert found is not None
    return found


@pytest.mark.parametrize("path", [*ADDRESSES, *STREAMLITS])
def test_every_route_with_data_wants_a_sign_in_of_someone_on_the_list(client, path):
    for cookie, status in (("", 401), (cookie_of(secret="y" * 40), 401), (STRANGER, 403)):
        answer = ask(client, path, cookie)
        assert answer.status_code == status
        assert "signed in" in answer.json()["error"]
    through = ask(client, path, ANNA)
    assert through.status_code != 401
    assert "are signed in" not in through.text


@pytest.mark.parametrize("path", OPEN)
def test_what_people_sign_in_by_is_open(client, path):
    assert ask(client, path).status_code == 200


@pytest.mark.parametrize("path", ["/%74haw/image/a/b", "/thaw%2fimage/a/b"])
def test_another_spelling_of_an_address_opens_nothing(client, path):
    assert ask(client, path).status_code == 401


def test_who_signed_out_has_no_use_for_a_copied_cookie(client):
    picture = "/thaw/image/data-000000000000/img-000000000000"
    assert ask(client, picture, ANNA).status_code == 404
    ask(client, "/auth/logout", STRANGER)
    assert ask(client, picture, ANNA).status_code == 404
    ask(client, "/auth/logout", ANNA)
    assert ask(client, picture, ANNA).status_code == 401


def test_a_socket_ends_with_the_sign_in_behind_it(client):
    headers = {"cookie": ANNA, "host": HOST}
    with client.websocket_connect("/_stcore/stream", headers=headers) as socket:
        socket.send_text("1")
        assert socket.receive_text() == "1"
        ask(client, "/auth/logout", ANNA)
        socket.send_text("2")
        assert ForwardMsg.FromString(socket.receive_bytes()).auth_redirect.url == "/"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


def test_cookies_go_by_https_alone_where_the_page_does(client, secrets: Secrets):
    assert ask(client, "/oauth2callback").headers["set-cookie"].endswith("; Secure")
    secrets(AUTH | {"redirect_uri": "http://localhost:8501/oauth2callback"})
    assert "Secure" not in ask(client, "/oauth2callback").headers["set-cookie"]


def test_a_pages_token_serves_the_sign_in_that_it_was_given_to_and_no_other(client):
    token = TOKENS.give("a session of anna's", sign_in_of(ANNA).mark)
    for cookie, status in ((ANNA, 200), (cookie_of("ben@team.example"), 403), (cookie_of(nonce="later"), 403)):
        headers = {"origin": f"https://{HOST}", "cookie": cookie, "x-thaw-token": token}
        assert client.post("/thaw/studio/state", json={}, headers=headers).status_code == status


def test_an_upload_is_of_the_sign_in_that_opened_it(client):
    noted = sign_in.ASKING.set(sign_in_of(ANNA))
    ticket = upload.open_upload(open_workspace())
    sign_in.ASKING.reset(noted)
    path, frame = f"/thaw/upload/{ticket.upload_id}", b"\0\0\0\2[]"
    for cookie, status in ((cookie_of("ben@team.example"), 403), (ANNA, 200)):
        headers = {"origin": f"https://{HOST}", "cookie": cookie, "x-thaw-token": ticket.token}
        assert client.post(path, content=frame, headers=headers).status_code == status
