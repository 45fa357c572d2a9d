"""The service as its clients meet it: one real process for all of this, which answers for a run of the tiny photos."""

import asyncio
import base64
import collections
import concurrent.futures
import re
import socket
import time

import numpy as np
import pytest

from tests.corpus import encoded, photo
from tests.service_process import ServiceProcess, head, send_slowly
from tests.strange_bodies import strange_requests
from tlcore import jobs
from tlcore.decision import Decision
from tlcore.evaluation import read_predictions
from tlcore.images import load_pixels
from tlcore.service_engine import load_run
from tlcore.service_gate import LARGEST_BODY_BYTES, MOST_REQUESTS
from tlcore.service_routes import MOST_PICTURES
from tlcore.settings import HeadSettings
from tlcore.worker import work

SIDE = 48
PNG = {"content-type": "image/png"}
ROWS = "/v1/models/tiny:predict"


@pytest.fixture(scope="module")
def run_id(store, tiny_dataset):
    run_id = jobs.add_head_job(store, tiny_dataset, HeadSettings(image_size=SIDE, epochs=3, validation_split=0.25))
    work(store, run_id)
    assert store.latest_job(run_id).status == "finished", store.latest_job(run_id).error
    return run_id


@pytest.fixture(scope="module")
def service(store, run_id):
    with ServiceProcess(run_id, "--workspace", store.workspace.root, "--name", "tiny") as started:
        yield started


@pytest.fixture(scope="module")
def recorded(store, run_id):
    """What training kept of the validation images: their labels and probabilities."""
    return read_predictions(store, store.run(run_id), 1)


@pytest.fixture(scope="module")
def originals(recorded, tiny_photos):
    """The files of the validation images."""
    return [tiny_photos / image.name.removeprefix(f"{tiny_photos.name}/") for image in recorded.images]


@pytest.fixture(scope="module")
def pixels(store, recorded, tiny_dataset):
    copies = [store.workspace.image(tiny_dataset, image.id, image.suffix) for image in recorded.images]
    return np.stack([load_pixels(path, SIDE) for path in copies])


def test_a_picture_gets_the_answer_that_training_recorded(service, recorded, originals):
    for path, shares in zip(originals, recorded.probabilities, strict=True):
        answer = service.client.post("/predict", content=path.read_bytes(), headers=PNG).json()
        likeliest = np.argsort(-shares)
        assert answer["label"] == recorded.labels[likeliest[0]]
        assert answer["probability"] == pytest.approx(shares.max(), abs=1e-5)
        assert [each["label"] for each in answer["top"]] == [recorded.labels[place] for place in likeliest]
        assert [each["probability"] for each in answer["top"]] == pytest.approx(-np.sort(-shares), abs=1e-5)
        assert answer["model"] == "tiny"
        assert 0 < answer["ms"] < 60_000


def test_a_form_of_several_files_gets_an_answer_for_each(service, recorded, originals):
    files = [("file", (path.name, path.read_bytes(), "image/png")) for path in originals]
    answers = service.client.post("/predict", files=files).json()["answers"]
    assert [answer["file"] for answer in answers] == [path.name for path in originals]
    predicted = [recorded.labels[place] for place in recorded.probabilities.argmax(axis=1)]
    assert [answer["label"] for answer in answers] == predicted
    one = service.client.post("/predict", files=files[:1]).json()
    assert (one["label"], one["probability"]) == (predicted[0], pytest.approx(answers[0]["probability"], abs=1e-5))


def test_rows_columns_and_encoded_pictures_agree(service, recorded, originals, pixels):
    rows = service.client.post(ROWS, json={"instances": pixels.tolist()}).json()["predictions"]
    shares = np.array([row["probabilities"] for row in rows])
    np.testing.assert_allclose(shares, recorded.probabilities, atol=1e-5, rtol=0)
    assert [row["answer"] for row in rows] == recorded.probabilities.argmax(axis=1).tolist()
    assert all(row["class_names"] == recorded.labels for row in rows)
    versioned = "/v1/models/tiny/versions/1:predict"
    columns = service.client.post(versioned, json={"inputs": {"image": pixels.tolist()}}).json()["outputs"]
    np.testing.assert_allclose(columns["probabilities"], shares, atol=1e-6, rtol=0)
    sent = [{"b64": base64.b64encode(path.read_bytes()).decode()} for path in originals]
    mixed = service.client.post(ROWS, json={"instances": [*sent, pixels[0].tolist()]}).json()["predictions"]
    again = np.array([row["probabilities"] for row in mixed])
    np.testing.assert_allclose(again, np.concatenate([shares, shares[:1]]), atol=1e-5, rtol=0)


def test_it_tells_how_it_is_and_what_it_can_do(service, run_id):
    health = service.client.get("/health")
    assert (health.status_code, health.json()) == (200, {"live": True, "ready": True, "model": "tiny", "run": run_id})
    (version,) = service.client.get("/v1/models/tiny").json()["model_version_status"]
    assert (version["version"], version["state"]) == ("1", "AVAILABLE")
    described = service.client.get("/v1/models/tiny/versions/1/metadata").json()
    signature = described["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert [size["size"] for size in signature["inputs"]["image"]["tensor_shape"]["dim"]] == ["-1", "48", "48", "3"]
    page = service.client.get("/")
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<li>berry</li>" in page.text


def test_the_description_names_every_route_and_every_status_that_it_gives(service):
    described = service.client.get("/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    for path, methods in described["paths"].items():
        ((method, operation),) = methods.items()
        answer = service.client.request(method, path, content=b"{}" if method == "post" else None)
        assert str(answer.status_code) in operation["responses"], (path, answer.text)
        assert service.client.request("DELETE", path).status_code == 405
    assert str(described).count("'$ref'") > 10
    for name in {part.split("'")[0] for part in str(described).split("#/components/schemas/")[1:]}:
        assert name in described["components"]["schemas"]


def test_requests_pictures_and_batches_are_counted(service, originals):
    def counted():
        lines = service.client.get("/metrics").text.splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

    before = counted()
    service.client.post("/predict", content=originals[0].read_bytes(), headers=PNG)
    service.client.post("/predict", content=b"no picture", headers=PNG)
    service.client.get("/v1/models/never-seen/" + "x" * 50)
    after = counted()
    for name in (
        'thaw_requests_total{route="/predict",status="200"}',
        'thaw_requests_total{route="/predict",status="422"}',
        'thaw_pictures_total{answer="class"}',
        "thaw_batch_pictures_count",
    ):
        assert after[name] - before.get(name, 0) == 1, name
    assert after["process_resident_memory_bytes"] > 0
    assert not any("never-seen" in name for name in after)


GREY = [[[0, 0, 0]] * SIDE] * SIDE
GOOD = encoded(photo(1, 64, 64), "PNG")
CUT_FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + GOOD


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
        (ROWS, "application/json", b"{", 400, "JSON"),
        (ROWS, "application/json", b'{"instances": []}', 400, "at least one picture"),
        (ROWS, "application/json", b'{"instances": [[[0]]]}', 400, r"shape \(48, 48, 3\)"),
        (ROWS, "application/json", b'{"instances": [{"b64": "aaaa"}]}', 422, "that cannot"),
        (ROWS, "image/png", GOOD, 415, "Expected JSON"),
        (ROWS, "application/json", b"[" * (LARGEST_BODY_BYTES + 1), 413, "at most 20 MB"),
        ("/v1/models/other:predict", "application/json", b"{}", 404, "the model 'tiny'"),
        ("/v1/models/tiny/versions/2:predict", "application/json", b"{}", 404, "Expected version 1"),
        ("/v1/models/tiny:classify", "application/json", b"{}", 405, "Expected the method"),
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


def test_cut_connections_cost_nothing(service, originals, wait_for):
    body = originals[0].read_bytes()
    for kept in (0, 1, len(body) // 2, len(body)) * 15:
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(head(len(body)) + body[:kept])
    wait_for(lambda: service.metric("thaw_requests_inside") == 0, 20, "the end of the cut requests")
    assert service.metric("thaw_held_bytes") == 0
    assert service.metric("thaw_pictures_waiting") == 0
    assert service.client.post("/predict", content=body, headers=PNG).status_code == 200


def test_overload_is_refused_and_never_a_crash(service, wait_for):
    body = encoded(photo(3, 200, 200), "PNG")
    before = service.memory_bytes

    async def all_at_once():
        return await asyncio.gather(*(send_slowly(service.port, body, 8, 0.2) for _ in range(200)))

    started = time.monotonic()
    statuses = collections.Counter(asyncio.run(asyncio.wait_for(all_at_once(), 120)))
    assert set(statuses) == {200, 503}, statuses
    assert statuses[200] >= MOST_REQUESTS
    assert statuses[503] > 0
    assert time.monotonic() - started < 100
    assert service.memory_bytes - before < 300_000_000
    wait_for(lambda: service.metric("thaw_requests_inside") == 0, 20, "the end of the rush")
    refused = service.client.post("/predict", content=body, headers=PNG)
    assert refused.status_code == 200


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


def test_a_kept_decision_tempers_the_answers_and_withholds_the_doubtful(store, run_id, recorded, pixels):
    from tlcore.calibration import temper
    from tlcore.decision import keep_decision

    expected = temper(recorded.probabilities, 2.5)
    threshold = float(np.median(expected.max(axis=1)))
    keep_decision(store, run_id, Decision(1, 2.5, threshold))
    try:
        engine = load_run(store, store.run(run_id))
    finally:
        store.add_facts(run_id, {"decision": None})
    shares = engine.network(pixels)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, expected, atol=1e-5, rtol=0)
    answers = [engine.choose(row) for row in expected]
    assert answers == np.where(expected.max(axis=1) >= threshold, expected.argmax(axis=1), -1).tolist()
    assert 0 < answers.count(-1) < len(answers)


def test_told_to_stop_it_answers_what_it_has_and_ends(service, run_id):
    """The last one, since it ends the process of all the others."""
    body = encoded(photo(3, 200, 200), "PNG")

    async def stop_while_they_send():
        sending = [asyncio.ensure_future(send_slowly(service.port, body, 6, 0.2)) for _ in range(12)]
        await asyncio.sleep(0.6)
        stopping = asyncio.to_thread(service.stop)
        return await asyncio.gather(*sending), await stopping

    statuses, (status, printed) = asyncio.run(stop_while_they_send())
    assert statuses == [200] * 12
    assert (status, printed) == (0, {"served": "tiny", "run": run_id})
