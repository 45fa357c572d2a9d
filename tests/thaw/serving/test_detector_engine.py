"""A detector behind the service: boxes in pixels of the upright picture, over HTTP and by every client."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.support.models.tiny_export import LABELS, SIDE, pack, write_tiny_detector
from tests.support.serving.service_process import ROOT, ServiceProcess
from thaw.serving.detector_engine import MOST, DetectorEngine, pack_every
from thaw.serving.engine import Look
from thaw.serving.exported import open_export
from thaw.serving.loading import load_export
from thaw.serving.tf_serving import describe_signature
from tlcore.detection.suppression import suppress
from tlcore.detection.views import Window

PNG = {"content-type": "image/png"}
RED, BLUE = (255, 0, 0), (0, 0, 255)
# Two things on a photo of 480 x 240: in the square of 48 it is 48 x 24, so that 16 pixels there are 160 of it.
THINGS = [("red", [0, 40, 160, 160]), ("<b>blue</b>", [320, 40, 160, 160])]


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return write_tiny_detector(tmp_path_factory.mktemp("tiny") / "export")


@pytest.fixture(scope="module")
def service(export):
    with ServiceProcess(pack(export, export.with_name("export.zip")), "--name", "tiny") as started:
        yield started


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A wide photo with two things, the same stored on its side, and one of nothing."""
    folder = tmp_path_factory.mktemp("photos")
    wide = Image.new("RGB", (480, 240), (90, 90, 90))
    wide.paste(RED, (0, 40, 160, 200))
    wide.paste(BLUE, (320, 40, 480, 200))
    wide.save(folder / "wide.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    wide.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    Image.new("RGB", (100, 100), (90, 90, 90)).save(folder / "nothing.png")
    return folder


def test_a_row_holds_what_suppression_leaves():
    chance = np.random.default_rng(0)
    low = chance.uniform(0, 30, (2, 50, 2))
    edges = np.concatenate([low, low + chance.uniform(5, 15, (2, 50, 2))], axis=-1).astype(np.float32)
    scores = chance.uniform(0, 1, (2, 50, 3)).astype(np.float32)
    engine = DetectorEngine("run-1", LABELS, SIDE, 0.5, lambda pixels: pixels)
    rows = pack_every(edges, scores)
    assert rows.shape == (2, MOST, 6)
    for place in range(2):
        boxes, values, kinds = suppress(edges[place], scores[place])
        said = engine.give_outputs(rows[place])
        assert said["count"] == len(values)
        np.testing.assert_array_equal(said["boxes"][: len(values)], boxes)
        np.testing.assert_array_equal(said["scores"][: len(values)], values)
        assert said["classes"] == [*kinds.tolist(), *[-1] * (MOST - len(values))]
        window = Window(SIDE, SIDE, SIDE)
        described = engine.describe(rows[place], Look(np.zeros((SIDE, SIDE, 3), np.uint8), SIDE, SIDE, window))
        assert [each["confidence"] for each in described["boxes"]] == pytest.approx(values[values >= 0.5])


def test_boxes_are_told_in_pixels_of_the_upright_picture(service, photos):
    for name in ("wide.png", "turned.png"):
        answer = service.client.post("/predict", content=(photos / name).read_bytes(), headers=PNG).json()
        assert (answer["width"], answer["height"], answer["model"]) == (480, 240, "tiny"), name
        assert sorted(each["label"] for each in answer["boxes"]) == sorted(label for label, _ in THINGS)
        for each in answer["boxes"]:
            # The place in the middle is 16 pixels high, of which the thing has all.
            assert each["box"] == pytest.approx(dict(THINGS)[each["label"]], abs=0.01)
            assert 0.9 < each["confidence"] <= 1
    nothing = service.client.post("/predict", content=(photos / "nothing.png").read_bytes(), headers=PNG).json()
    assert nothing["boxes"] == []


def test_tensorflows_shape_has_the_outputs_of_the_saved_model(service, export, photos):
    with Image.open(photos / "nothing.png") as picture:
        pixels = np.asarray(picture.resize((SIDE, SIDE))).copy()
    pixels[:16, 16:32] = RED
    (row,) = service.client.post("/v1/models/tiny:predict", json={"instances": [pixels.tolist()]}).json()["predictions"]
    assert (row["count"], row["classes"][:2], row["boxes"][0]) == (1, [0, -1], [16, 0, 32, 16])
    columns = service.client.post("/v1/models/tiny:predict", json={"inputs": [pixels.tolist()]}).json()["outputs"]
    assert {name: values[0] for name, values in columns.items()} == row
    with open_export(export) as opened:
        told = describe_signature("tiny", load_export(opened))
        expected = {tensor.name: tensor.shape for tensor in opened.record.signature.outputs}
    outputs = told["metadata"]["signature_def"]["signature_def"]["serving_default"]["outputs"]
    assert {
        name: [int(size["size"]) for size in tensor["tensor_shape"]["dim"]] for name, tensor in outputs.items()
    } == expected


def test_the_description_and_the_page_speak_of_boxes(service):
    described = service.client.get("/openapi.json").json()
    found = described["components"]["schemas"]["Found"]["properties"]
    assert found["label"]["enum"] == LABELS
    assert (found["box"]["minItems"], found["box"]["maxItems"]) == (4, 4)
    assert "in pixels of the picture" in found["box"]["description"]
    page = service.client.get("/").text
    assert "Finds objects of 3 kinds on pictures." in page
    assert "at least 40% sure of" in page
    counted = service.client.get("/metrics").text
    assert 'thaw_pictures_total{answer="objects"}' in counted


def run_client(line, cwd):
    return subprocess.run(list(map(str, line)), capture_output=True, text=True, timeout=120, cwd=cwd, check=False)


@pytest.mark.parametrize("language", ["java", "python"])
def test_a_client_prints_a_line_for_each_box(service, photos, tmp_path, language):
    line = [sys.executable, ROOT / "clients" / "client.py"]
    if language == "java":
        if not shutil.which("javac"):
            pytest.skip("there is no javac")
        source = ROOT / "clients" / "java" / "ThawClient.java"
        made = run_client(["javac", "--release", "17", "-Xlint:all", "-Werror", "-d", tmp_path, source], tmp_path)
        assert made.returncode == 0, made.stderr
        line = ["java", "-cp", tmp_path, "ThawClient"]
    done = run_client([*line, service.url, "wide.png", "nothing.png"], photos)
    assert (done.returncode, done.stderr) == (0, "")
    *found, last = done.stdout.splitlines()
    assert last == "nothing.png: nothing found"
    assert sorted(each.partition(" ")[2].partition(" ")[0] for each in found) == ["<b>blue</b>", "red"]
    assert any(each.endswith(" at 320.0 40.0, 160.0 x 160.0") for each in found), done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl_prints_the_boxes_as_json(service, photos):
    done = run_client(["sh", ROOT / "clients" / "client.sh", service.url, "wide.png", "nothing.png"], photos)
    assert (done.returncode, done.stderr) == (0, "")
    answers = json.loads(done.stdout)["answers"]
    assert [(answer["file"], len(answer["boxes"])) for answer in answers] == [("wide.png", 2), ("nothing.png", 0)]
