"""The service as its clients meet it: a real process that answers for a run of the tiny photos, and three clients."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.support.pictures.odd_pictures import write_odd_pictures
from tests.support.runs import train_head
from tests.support.serving.service_process import ROOT, ServiceProcess
from thaw.prediction.classifier import load_classifier
from thaw.prediction.files import predict_files
from thaw.runs.decision import keep_decision
from thaw.runs.results import read_predictions
from thaw.serving.loading import load_run
from tlcore.evaluation.calibration import temper
from tlcore.images.pixels import load_pixels
from tlcore.settings import Decision, HeadSettings

pytestmark = pytest.mark.usefixtures("warm_decoder")

SIDE = 48
PNG = {"content-type": "image/png"}
ROWS = "/v1/models/tiny:predict"
PYTHON = [sys.executable, ROOT / "clients" / "client.py"]


@pytest.fixture(scope="module")
def run_id(store, tiny_dataset):
    return train_head(store, tiny_dataset, HeadSettings(image_size=SIDE, epochs=3, validation_split=0.25))


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
    assert f"{service.url}/predict" in page.text


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


def run_client(line, cwd, **variables):
    line, environment = list(map(str, line)), os.environ | variables
    return subprocess.run(line, capture_output=True, text=True, timeout=120, cwd=cwd, check=False, env=environment)


@pytest.fixture(scope="module")
def java(tmp_path_factory):
    """The command that runs the Java client, compiled without a warning."""
    if not shutil.which("javac"):
        pytest.skip("there is no javac")
    folder = tmp_path_factory.mktemp("java")
    source = ROOT / "clients" / "java" / "ThawClient.java"
    done = run_client(["javac", "--release", "17", "-Xlint:all", "-Werror", "-d", folder, source], folder)
    assert done.returncode == 0, done.stderr
    return ["java", "-cp", folder, "ThawClient"]


@pytest.mark.parametrize("language", ["java", "python"])
def test_a_client_prints_what_training_recorded(request, service, recorded, originals, tiny_photos, language):
    line = request.getfixturevalue("java") if language == "java" else PYTHON
    names = [str(path.relative_to(tiny_photos)) for path in originals]
    done = run_client([*line, service.url, *names], tiny_photos)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{name}: {recorded.labels[shares.argmax()]} {shares.max():.4f}"
        for name, shares in zip(names, recorded.probabilities, strict=True)
    ]


def test_proxies_are_not_asked_for_this_machine(request, service, originals, tiny_photos):
    """Nothing listens where these variables point to."""
    dead = "http://127.0.0.1:9"
    proxies = {name: dead for each in ("http_proxy", "https_proxy", "all_proxy") for name in (each, each.upper())}
    proxies |= {"no_proxy": "", "NO_PROXY": ""}
    java = ["-Dhttp.proxyHost=127.0.0.1", "-Dhttp.proxyPort=9", "-Dhttp.nonProxyHosts="]
    healthy = json.loads(re.search(r"HEALTHCHECK .* CMD (\[.*)", (ROOT / "Dockerfile").read_text())[1])
    lines = [
        [*PYTHON, service.url, originals[0]],
        [sys.executable, *(word.replace("8600", str(service.port)) for word in healthy[1:])],
    ]
    if shutil.which("curl"):
        lines.append(["sh", ROOT / "clients" / "client.sh", service.url, originals[0]])
    if shutil.which("javac"):
        program, *words = request.getfixturevalue("java")
        lines.append([program, *java, *words, service.url, originals[0]])
    for line in lines:
        done = run_client(line, tiny_photos, **proxies)
        assert (done.returncode, done.stderr) == (0, ""), line
    elsewhere = run_client([*PYTHON, "http://thaw.invalid:8600", originals[0]], tiny_photos, **proxies)
    assert "refused" in elsewhere.stderr, "the proxy is asked for other machines"


def test_odd_pictures_get_the_answers_of_the_dashboard(store, service, run_id, recorded, tmp_path):
    pictures = write_odd_pictures(tmp_path, ("small",))
    told = predict_files(load_classifier(store, store.run(run_id)), pictures)
    done = run_client([*PYTHON, service.url, *(path.name for path in pictures)], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{path.name}: {recorded.labels[answer.probabilities.argmax()]} {answer.probabilities.max():.4f}"
        for path, answer in zip(pictures, told, strict=True)
    ]


@pytest.mark.parametrize("language", ["java", "python"])
def test_a_client_tells_why_it_has_no_answer(request, service, tmp_path, language):
    line = request.getfixturevalue("java") if language == "java" else PYTHON
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    done = run_client([*line, service.url, "page.jpg", "absent.jpg"], tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert "page.jpg: the service answered with status 422" in first
    assert "web page" in first
    assert second.startswith("absent.jpg: ")
    nobody = run_client([*line, "http://127.0.0.1:9", "page.jpg"], tmp_path)
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert len(nobody.stderr.splitlines()) == 1
    assert run_client([*line, service.url], tmp_path).returncode == 2


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl_prints_the_answers_as_json(service, recorded, originals, tmp_path):
    script = ["sh", ROOT / "clients" / "client.sh"]
    odd = tmp_path / "a \"b\"; 'c', d\\e.png"
    shutil.copy(originals[0], odd)
    done = run_client([*script, service.url, originals[1], odd], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    answers = json.loads(done.stdout)["answers"]
    assert [answer["label"] for answer in answers] == [
        recorded.labels[recorded.probabilities[place].argmax()] for place in (1, 0)
    ]
    assert answers[1]["file"] == odd.name.replace('"', "%22"), "curl writes it as browsers do"
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    refused = run_client([*script, service.url, "page.jpg"], tmp_path)
    assert refused.returncode == 22
    assert "web page" in json.loads(refused.stdout)["error"]
    assert run_client([*script, service.url], tmp_path).returncode == 2


def test_a_kept_decision_tempers_the_answers_and_withholds_the_doubtful(store, run_id, recorded, pixels):
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
