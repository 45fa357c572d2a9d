"""What the service does with requests that are wrong, too many, cut or hostile: a real process, serving an export."""

import asyncio
import base64
import collections
import concurrent.futures
import json
import os
import re
import socket
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.support.models.tiny_export import SIDE, pack, write_tiny_export
from tests.support.pictures.corpus import encoded, photo
from tests.support.serving.service_process import ROOT, ServiceProcess, head, send_slowly, send_then_read
from tests.support.serving.strange_bodies import strange_requests
from thaw.serving.limits import LARGEST_BODY_BYTES, MOST_REQUESTS
from thaw.serving.requests import MOST_PICTURES

PNG = {"content-type": "image/png"}
ROWS = "/v1/models/tiny:predict"


@pytest.fixture(scope="module")
def service(workspace, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    archive = pack(write_tiny_export(folder / "export"), folder / "export.zip")
    with ServiceProcess(archive, "--workspace", workspace.root, "--name", "tiny") as started:
        yield started


GOOD = encoded(photo(1, 64, 64), "PNG")
URL = b"data:image/png;base64," + base64.b64encode(GOOD)
AS_TEXT = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n%s\r\n--x--\r\n'
CUT_FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + GOOD


def test_the_python_client_prints_any_class_name_in_any_terminal(service, tmp_path):
    Image.new("RGB", (SIDE, SIDE), (0, 255, 0)).save(tmp_path / "green.png")
    line = [sys.executable, ROOT / "clients" / "client.py", service.url, tmp_path / "green.png"]
    done = subprocess.run(line, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"green.png: gr\\xfcn 0.99" in done.stdout


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain;charset=UTF-8", URL),
        ("image/png", URL + b"\n"),
        ("multipart/form-data; boundary=x", AS_TEXT % URL),
        ("application/json", json.dumps({"instances": [{"b64": URL.decode()}]}).encode()),
        ("application/json", json.dumps({"instances": [{"b64": base64.urlsafe_b64encode(GOOD).decode()}]}).encode()),
        (
            "application/json",
            json.dumps({"instances": [{"b64": base64.b64encode(GOOD).decode().rstrip("=")}]}).encode(),
        ),
    ],
)
def test_data_urls_and_other_spellings_of_base64_are_pictures_too(service, kind, body):
    expected = service.client.post("/predict", content=GOOD, headers=PNG).json()
    path = ROWS if kind == "application/json" else "/predict"
    answered = service.client.post(path, content=body, headers={"content-type": kind})
    assert answered.status_code == 200, answered.text
    said = answered.json()
    if path == ROWS:
        assert max(said["predictions"][0]["probabilities"]) == pytest.approx(expected["probability"], abs=1e-6)
    else:
        assert (said["label"], said["probability"]) == (expected["label"], pytest.approx(expected["probability"]))


@pytest.mark.parametrize(
    ("path", "kind", "body", "status", "reason"),
    [
        ("/predict", "image/png", b"<html>404</html>", 422, "web page"),
        ("/predict", "image/jpeg", GOOD[:200], 422, "damaged|cut off"),
        ("/predict", "image/png", encoded(photo(1, 640, 8), "PNG"), 422, "at most 20 times"),
        ("/predict", "image/png", b"", 400, "Expected a body"),
        ("/predict", "text/plain", GOOD, 415, "content-type image"),
        ("/predict", "", GOOD, 415, "content-type image"),
        ("/predict", "application/x-www-form-urlencoded", GOOD, 415, "content-type image"),
        ("/predict", "image/png", bytes(LARGEST_BODY_BYTES + 1), 413, "at most 20 MB"),
        ("/predict", "multipart/form-data", GOOD, 400, "whole form"),
        ("/predict", "multipart/form-data; boundary=x", GOOD, 400, "whole form"),
        ("/predict", "multipart/form-data; boundary=x", CUT_FORM, 400, "end is missing"),
        ("/predict", "multipart/form-data; boundary=x", b"--x--\r\n", 400, "at least one file"),
        (
            "/predict",
            "multipart/form-data; boundary=x",
            AS_TEXT % b"photo.jpg",
            400,
            "'file' without a file name.*with the @",
        ),
        ("/predict", "multipart/form-data; boundary=x", AS_TEXT % GOOD, 400, "'file' without a file name"),
        ("/predict", "multipart/form-data; boundary=x", AS_TEXT % bytes(3_000_000), 400, "without a file name"),
        ("/predict", "image/png", b"data:image/png," + GOOD, 400, "Begin it with data:image/jpeg;base64,"),
        ("/predict", "image/png", URL[:-9] + b"!", 400, "Expected base64"),
        (ROWS, "application/json", b"{", 400, "JSON"),
        (ROWS, "application/json", b'{"instances": []}', 400, "at least one picture"),
        (ROWS, "application/json", b'{"instances": [[[0]]]}', 400, r"shape \(48, 48, 3\)"),
        (ROWS, "application/json", b'{"instances": [{"b64": "aaaa"}]}', 422, "that cannot"),
        (ROWS, "image/png", GOOD, 415, "Expected JSON"),
        (ROWS, "application/json", b"[" * (LARGEST_BODY_BYTES + 1), 413, "at most 20 MB"),
        ("/v1/models/other:predict", "application/json", b"{}", 404, "the model 'tiny'"),
        ("/v1/models/tiny/versions/2:predict", "application/json", b"{}", 404, "Expected version 1"),
        ("/v1/models/tiny:classify", "application/json", b"{}", 404, "Expected a route"),
        ("/v1/models/tiny", "application/json", b"{}", 405, "Expected the method GET"),
        ("/health", "image/png", GOOD, 405, "Expected the method GET"),
        ("/elsewhere", "image/png", GOOD, 404, "Expected a route"),
    ],
)
def test_what_cannot_be_answered_gets_its_status_and_its_reason(service, path, kind, body, status, reason):
    answer = service.client.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert "Expected " in answer.json()["error"]
    assert "Received: " in answer.json()["error"]
    assert re.search(reason, answer.json()["error"]), answer.text


def test_a_body_is_counted_where_nothing_tells_its_size(service):
    def pieces():
        for _ in range(LARGEST_BODY_BYTES // 1_000_000 + 1):
            yield bytes(1_000_000)

    assert service.client.post("/predict", content=pieces(), headers=PNG).status_code == 413
    assert service.client.post("/predict", content=iter([GOOD[:50], GOOD[50:]]), headers=PNG).status_code == 200


def test_too_many_pictures_in_a_request_are_refused(service):
    files = [("file", ("a.png", GOOD, "image/png"))] * (MOST_PICTURES + 1)
    rows = {"instances": [{"b64": ""}] * (MOST_PICTURES + 1)}
    for answer in (service.client.post("/predict", files=files), service.client.post(ROWS, json=rows)):
        assert (answer.status_code, f"{MOST_PICTURES}" in answer.json()["error"]) == (400, True)
    assert service.client.post("/predict", files=files[1:]).status_code == 200


def test_another_hosts_name_is_refused(service):
    for name in ("evil.example", "127.0.0.1.evil.example:8600", "", "["):
        answer = service.client.get("/health", headers={"host": name})
        assert (answer.status_code, "this machine" in answer.json()["error"]) == (403, True)
    assert service.client.get("/health", headers={"host": "localhost:1"}).status_code == 200


def test_cut_connections_cost_nothing(service, wait_for):
    body = encoded(photo(2, 300, 300), "PNG")
    for kept in (0, 1, len(body) // 2, len(body)) * 15:
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(head(len(body)) + body[:kept])
    assert service.client.post("/predict", content=body, headers=PNG).status_code == 200
    # The service may still be accepting the last of them, so each figure is waited for: what leaks never gets to 0.
    for held in ("thaw_requests_inside", "thaw_held_bytes", "thaw_pictures_waiting"):
        wait_for(lambda held=held: service.metric(held) == 0, 20, f"{held} of the cut requests to come to 0")


def test_overload_is_refused_and_never_a_crash(service, wait_for):
    body = encoded(photo(3, 200, 200), "PNG")
    before = service.memory_bytes

    async def all_at_once():
        return await asyncio.gather(*(send_slowly(service.port, body, 8, 0.2) for _ in range(200)))

    started = time.monotonic()
    statuses = collections.Counter(asyncio.run(asyncio.wait_for(all_at_once(), 240)))
    assert set(statuses) == {200, 503}, statuses
    assert statuses[200] >= MOST_REQUESTS
    assert statuses[503] > 0
    assert time.monotonic() - started < 200
    assert service.memory_bytes - before < 300_000_000
    wait_for(lambda: service.metric("thaw_requests_inside") == 0, 20, "the end of the rush")
    refused = service.client.post("/predict", content=body, headers=PNG)
    assert refused.status_code == 200


def test_under_load_slow_and_oversized_clients_get_an_answer_that_they_can_read(service, wait_for):
    body = encoded(photo(3, 200, 200), "PNG")

    async def all_at_once():
        slow = [send_then_read(service.port, body, len(body), 12, 0.4) for _ in range(150)]
        oversized = [send_then_read(service.port, body, LARGEST_BODY_BYTES + 5_000_000, 25, 0.1) for _ in range(12)]
        told = await asyncio.gather(*slow, *oversized)
        return collections.Counter(told[: len(slow)]), collections.Counter(told[len(slow) :])

    slow, oversized = asyncio.run(asyncio.wait_for(all_at_once(), 240))
    assert set(slow) == {200, 503}, slow
    assert set(oversized) <= {413, 503}, oversized
    wait_for(lambda: service.metric("thaw_requests_inside") == 0, 20, "the end of the rush")


@pytest.mark.slow
def test_a_body_that_trickles_is_answered_and_closed(service):
    async def all_at_once():
        return await asyncio.gather(*(send_slowly(service.port, bytes(10_000), 1000, 0.5) for _ in range(80)))

    started = time.monotonic()
    statuses = collections.Counter(asyncio.run(asyncio.wait_for(all_at_once(), 240)))
    assert set(statuses) == {408, 503}
    assert statuses[408] == MOST_REQUESTS
    assert time.monotonic() - started < 120


def send_strange(service, count):
    """Send strange requests, four at a time; return how many got each status."""
    statuses = collections.Counter()

    def send(request):
        answer = service.client.post(request.path, content=request.body, headers={"content-type": request.kind})
        if answer.status_code != 200:
            assert set(answer.json()) == {"error"}, request.name
        return answer.status_code

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        statuses.update(pool.map(send, strange_requests(count, SIDE)))
    return statuses


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_random_bodies_neither_crash_nor_leak(service, count):
    send_strange(service, 60)
    before = service.memory_bytes
    statuses = send_strange(service, count)
    assert set(statuses) <= {200, 400, 404, 405, 415, 422}, statuses
    assert min(statuses[200], statuses[400], statuses[422]) > 0, statuses
    assert service.memory_bytes - before < 120_000_000
    assert service.client.get("/health").json()["ready"]
    assert service.metric("thaw_requests_inside") == 0


def test_told_to_stop_it_answers_what_it_has_and_ends(service):
    """The last one, since it ends the process of all the others."""
    body = encoded(photo(3, 200, 200), "PNG")

    async def stop_while_they_send():
        sending = [asyncio.ensure_future(send_slowly(service.port, body, 6, 0.2)) for _ in range(12)]
        await asyncio.sleep(0.6)
        stopping = asyncio.to_thread(service.stop)
        return await asyncio.gather(*sending), await stopping

    statuses, (status, printed) = asyncio.run(stop_while_they_send())
    assert statuses == [200] * 12
    assert (status, printed) == (0, {"served": "tiny", "run": "run-1"})
