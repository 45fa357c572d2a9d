"""The command `serve` before it serves: what it refuses, what it warns of, and the folder for TensorFlow Serving."""

import socket
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.support.command_line import ask
from tests.support.models.tiny_export import pack, record
from thaw.cli.serve import _announce, _read_origins, choose_confidence
from thaw.serving.app import build_app
from thaw.serving.detector_engine import DetectorEngine
from thaw.serving.engine import ClassifierEngine
from thaw.serving.service import Service
from tlcore.errors import RunError, SettingsError
from tlcore.exporting.formats import Signature
from tlcore.settings import HeadSettings


@pytest.fixture
def archive(tmp_path):
    """The zip of an export whose model is never loaded here."""
    (tmp_path / "export" / "saved_model").mkdir(parents=True)
    (tmp_path / "export" / "saved_model" / "saved_model.pb").write_bytes(b"graph")
    record(tmp_path / "export", Signature([], []), 0.0)
    return pack(tmp_path / "export", tmp_path / "export.zip")


def serve(store, *words):
    return ask(store, "serve", *words)


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", ".hidden", "a:predict", "x" * 101, "ä"])
def test_a_name_that_is_no_part_of_an_address_is_refused(store, archive, name):
    with pytest.raises(SettingsError, match="Expected a name"):
        serve(store, archive, "--name", name)


def test_an_address_that_is_taken_or_is_none_is_refused(store, archive):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port}: "):
            serve(store, archive, "--port", port)
    for wrong in (["--port", 70_000], ["--host", "no.such.host.invalid"]):
        with pytest.raises(SettingsError, match="Expected an address"):
            serve(store, archive, *wrong)


@pytest.mark.parametrize(
    "origin", ["", "example.org", "https://", "https://a.org/", "https://a.org/x", "https://*.org"]
)
def test_an_origin_that_no_browser_sends_is_refused(store, archive, origin):
    with pytest.raises(SettingsError, match="Expected an origin"):
        serve(store, archive, "--allow-origin", "https://fine.org", "--allow-origin", origin)


def test_a_confidence_is_for_detectors_and_a_share():
    facts = ("run-1", ["a", "b"], 8, 0.4, lambda pixels: pixels)
    detector = DetectorEngine(*facts)
    assert choose_confidence(detector, None) is detector
    assert choose_confidence(detector, 0.25).threshold == 0.25
    with pytest.raises(SettingsError, match=r"from 0 to 1\. Received: 40"):
        choose_confidence(detector, 40)
    with pytest.raises(SettingsError, match="with a model that finds objects"):
        choose_confidence(ClassifierEngine(*facts), 0.25)


def ask_from_a_page(origins, **headers):
    """Return the headers that a browser looks at, of the service's answer and of its answer to a preflight."""
    engine = ClassifierEngine("run-1", ["a", "b"], 8, 0.0, lambda pixels: np.full((len(pixels), 2), 0.5, np.float32))
    with TestClient(build_app(Service("tiny", engine), None, origins)) as client:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        before = client.options("/predict", headers=headers | asked)
        answer = client.post("/predict", content=b"<html>", headers=headers | {"content-type": "image/png"})
        assert answer.status_code == 422
        return answer.headers, before


def test_pages_of_an_origin_that_is_allowed_may_read_answers_and_no_others():
    here, elsewhere = "https://shop.example:8443", "https://evil.example"
    origins = _read_origins(["http://localhost:3000", "https://Shop.example:8443"])
    answer, before = ask_from_a_page(origins, origin=here)
    assert answer["access-control-allow-origin"] == before.headers["access-control-allow-origin"] == here
    assert before.status_code == 200
    assert "content-type" in before.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in answer
    answer, before = ask_from_a_page(origins, origin=elsewhere)
    assert "access-control-allow-origin" not in answer
    assert before.status_code == 400
    for nobody in ((), origins):
        answer, _ = ask_from_a_page(nobody, origin=elsewhere)
        assert not [name for name in answer if name.startswith("access-control-allow-origin")]


def test_telemetry_of_the_environment_is_not_heeded(monkeypatch, caplog):
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    ask_from_a_page((), origin="https://example.org")
    assert "OpenTelemetry" not in caplog.text


def test_what_has_no_model_is_refused(store, tiny_dataset, tmp_path):
    untrained = store.add_run(tiny_dataset, "efficientnet-lite0", HeadSettings().to_json())
    with pytest.raises(RunError, match="no model yet"):
        serve(store, untrained, "--port", 0)
    with pytest.raises(RunError, match="Expected the id of a run"):
        serve(store, "run-none", "--port", 0)
    with pytest.raises(RunError, match="which has none"):
        serve(store, tmp_path, "--port", 0)
    with pytest.raises(RunError, match=f"thaw export {untrained}"):
        serve(store, untrained, "--tensorflow-serving", tmp_path / "models")


def test_the_folder_for_tensorflow_serving_is_written_without_serving(store, archive, tmp_path):
    told = serve(store, archive, "--name", "birds", "--tensorflow-serving", tmp_path / "models")
    assert told["models"] == ["birds"]
    assert (tmp_path / "models" / "birds" / "1" / "saved_model.pb").read_bytes() == b"graph"
    assert 'name: "birds"' in (tmp_path / "models" / "models.config").read_text()


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True)])
def test_it_warns_where_others_can_reach_it(host, warned):
    service = SimpleNamespace(name="birds", engine=SimpleNamespace(run="run-1"))
    listener = SimpleNamespace(getsockname=lambda: (host, 8600))
    said = _announce(service, host, listener)
    assert said.startswith("Serving run-1 as 'birds' at http://")
    assert ("Warning: " in said) == warned
