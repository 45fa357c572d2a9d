"""Where the server listens: what is this machine alone, what is refused, and the switch that says what it means."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from pages.ui.server.listening import LocalOnly, is_local, require_door
from thaw.serving.hosts import OPEN_TO_ALL
from tlcore.errors import SettingsError

ROOT = Path(__file__).parents[4]
LOCAL = ("127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "::1", "[::1]", "unix:///run/thaw.sock")
REACHED = ("0.0.0.0", "::", "192.168.1.5", "gpu.lab.example", "", "127.0.0.1.evil.example", "fe80::1")


@pytest.mark.parametrize("address", LOCAL)
def test_this_machines_own_addresses_are_served_without_a_word(address):
    assert is_local(address)
    require_door(address, signs_in=False, open_to_all=False)


@pytest.mark.parametrize("address", [*REACHED, None])
def test_another_address_is_refused_unless_the_switch_says_so(address):
    with pytest.raises(SettingsError, match=r"which other machines reach|all of them") as refused:
        require_door(address, signs_in=False, open_to_all=False)
    assert "SSH tunnel" in str(refused.value)
    assert str(refused.value).count(OPEN_TO_ALL) == 2
    require_door(address, signs_in=False, open_to_all=True)
    require_door(address, signs_in=True, open_to_all=False)


@pytest.fixture
def app():
    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    return Starlette(routes=[Route("/", answer), WebSocketRoute("/stream", talk)], middleware=[Middleware(LocalOnly)])


@pytest.mark.parametrize(
    ("host", "status"), [("127.0.0.1", 200), ("localhost", 200), ("192.168.1.5", 403), ("8.8.8.8", 403)]
)
def test_what_came_in_from_elsewhere_is_refused_however_the_server_was_started(app, host, status, monkeypatch):
    client = TestClient(app, base_url=f"http://{host}:8501")
    assert client.get("/").status_code == status
    if status == 403:
        with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(f"ws://{host}:8501/stream"):
            pass
        assert refused.value.code == 1008
    monkeypatch.setattr(LocalOnly, "open_to_all", True)
    assert client.get("/").status_code == 200
    with client.websocket_connect(f"ws://{host}:8501/stream"):
        pass


STARTS = {
    "option": (["streamlit", "run", "app.py", "--server.address=0.0.0.0"], {}),
    "environment": (["streamlit", "run", "app.py"], {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}),
    "thaw app": (["thaw", "app", "--listen", "0.0.0.0"], {}),
}


@pytest.mark.parametrize("way", STARTS)
def test_a_server_for_others_does_not_start_and_says_what_to_do(way, tmp_path):
    words, environment = STARTS[way]
    port = ["--port", "8999"] if way == "thaw app" else ["--server.headless=true", "--server.port=8999"]
    environment = os.environ | environment | {"THAW_WORKSPACE": str(tmp_path / "workspace")}
    done = subprocess.run(
        [sys.executable, "-m", *words, *port], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode > 0
    assert "Received: '0.0.0.0', which other machines reach" in done.stderr
    assert OPEN_TO_ALL in done.stderr
    assert "Traceback" not in done.stderr
