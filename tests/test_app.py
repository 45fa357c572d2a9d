import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app import choose_workspace
from pages.ui import guard
from tlcore import devices
from tlcore.store import Store
from tlcore.workspace import open_workspace

ROOT = Path(__file__).parents[1]
MEMORY_LIMIT_BYTES = 250e6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, psutil.Process]]:
    """A real server, started as a person would start it, with a job whose process died long ago."""
    root = tmp_path_factory.mktemp("workspace")
    store = Store(open_workspace(root))
    job_id = store.add_job("import", {"kind": "digits", "path": "", "name": ""})
    store.update_job(job_id, status="running", pid=2**22 - 1)
    with socket.socket() as chooser:
        chooser.bind(("127.0.0.1", 0))
        port = chooser.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    environment = {name: value for name, value in os.environ.items() if name != "TLCORE_WORKSPACE"}
    process = subprocess.Popen([*command, "--", "--workspace", str(root)], cwd=ROOT, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        yield address, root, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{address}/_stcore/health").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("the server did not answer within 30 s")


def test_server_answers_on_loopback_names(server):
    address, _, _ = server
    port = address.rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", f"[::1]:{port}"):
        assert httpx.get(address, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::2]"])
def test_server_refuses_other_hosts_in_plain_words(server, host):
    address, _, _ = server
    answer = httpx.get(address, headers={"host": host})
    assert answer.status_code in (400, 403)
    assert "Traceback" not in answer.text


def handshake(address: str, host: str, origin: str) -> int:
    """Ask for the WebSocket as a browser would; return the HTTP status of the answer."""
    port = int(address.rpartition(":")[2])
    lines = (
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        f"Origin: {origin}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: streamlit",
    )
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(64).split()[1])


def test_websocket_refuses_other_hosts_and_origins(server):
    address, _, _ = server
    own = address.removeprefix("http://")
    assert handshake(address, own, address) == 101
    assert handshake(address, "evil.example", "http://evil.example") == 403
    assert handshake(address, own, "http://evil.example") == 403


def test_server_listens_on_loopback_only(server):
    _, _, process = server
    listening = {each.laddr.ip for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_server_tells_the_truth_about_jobs_that_died_before_it_started(server):
    _, root, _ = server
    (job,) = Store(open_workspace(root)).jobs("import")
    assert job.status == "failed"
    assert "ended without finishing" in (job.error or "")


def test_server_finds_out_the_device_as_it_starts(server):
    _, root, _ = server
    deadline = time.monotonic() + 60
    while devices.read_report(open_workspace(root)) is None:
        assert time.monotonic() < deadline, "no report on the device within 60 s"
        time.sleep(0.2)
    assert devices.read_report(open_workspace(root)).device in ("CPU", "GPU")


def test_server_stays_small(server):
    _, _, process = server
    assert process.memory_info().rss < MEMORY_LIMIT_BYTES


def test_upload_route_is_there_and_wants_a_token(server):
    address, _, _ = server
    answer = httpx.post(f"{address}/thaw/upload/upload-000000000000", headers={"origin": address}, content=b"")
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("This upload is not known")


def test_config_keeps_to_this_machine():
    settings = (ROOT / ".streamlit" / "config.toml").read_text()
    for line in ('address = "127.0.0.1"', "gatherUsageStats = false", 'showErrorDetails = "none"'):
        assert line in settings


@pytest.mark.parametrize(
    ("host", "served"),
    [("localhost", True), ("localhost:8501", True), ("[::1]:1", True), ("127.0.0.2", False), ("a@localhost.b", False)],
)
def test_guard_reads_the_host_header(host, served):
    assert guard.allowed(host) is served


def test_workspace_can_be_chosen_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCORE_WORKSPACE", "elsewhere")
    choose_workspace(["--workspace", str(tmp_path)])
    assert os.environ["TLCORE_WORKSPACE"] == str(tmp_path)
    assert open_workspace().root == tmp_path
