"""A detector's run exported, as the command does it: files proven, a README that says what comes out, and a program
that prints the boxes of the dashboard."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.support.boxes.detectors import add_shapes
from tests.support.command_line import ask
from tests.support.runs import train_head
from thaw.detection.found import CONFIDENCE, read_found
from thaw.exporting import exports
from thaw.prediction.detector import find_in_files, load_detector
from thaw.serving.loading import load_run
from thaw.storage.export_record import export_folder, find_changed, handed_on
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import SettingsError
from tlcore.exporting.formats import DETECTOR_FORMATS
from tlcore.files import load_arrays, save_arrays
from tlcore.settings import detection_settings

DATASET = "data-0b0cede00000"
SETTINGS = detection_settings("efficientnet-lite0", image_size=64, epochs=1, views=1, batch_size=4)
ALL = pytest.param(DETECTOR_FORMATS, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("detector")
    made = Store(open_workspace(root / "workspace"))
    add_shapes(made, DATASET, root / "photos", 20)
    return made


@pytest.fixture(scope="module")
def run(store):
    """A run that has learnt for seconds, and then is made to believe that there is something everywhere."""
    run = store.run(train_head(store, DATASET, SETTINGS))
    head = store.workspace.run(run.id) / "head.npz"
    arrays = load_arrays(head)
    (bias,) = (name for name, array in arrays.items() if array.shape == (1,))
    save_arrays(head, arrays | {bias: arrays[bias] + 6})
    return run


@pytest.fixture(scope="module", params=[("litert", "onnx"), ALL], ids=["light", "all formats"])
def answer(request, store, run, tmp_path_factory):
    """What the command prints of an export; every test below reads the same one."""
    target = tmp_path_factory.mktemp("exported") / "model.zip"
    return ask(store, "export", run.id, "--formats", *request.param, "--to", target)


@pytest.fixture(scope="module")
def made(store, run, answer):
    return exports.latest_export(store, run.id)


def test_every_file_is_proven_by_its_boxes_and_scores(store, run, made):
    photos = read_found(store, run)
    assert (made.task, made.threshold, made.labels) == ("detect", CONFIDENCE, photos.labels)
    for each in made.formats:
        (judged,) = each.proof.judged
        assert (each.verdict, judged.images, judged.disagreements) == ("passed", len(photos.images), 0), each.reason
        assert judged.largest_shift_px < 0.5
        assert judged.largest_difference < 1e-4
        assert judged.accuracy_change == pytest.approx(0, abs=0.01)
        assert 0 < each.proof.latency_ms < 5000
    assert made.reference == "the run's detector computed again in float32 on the CPU"
    assert exports.explain_stale(store, run, made) is None


def test_what_is_handed_on_says_how_to_use_it(store, run, made):
    folder = export_folder(store.workspace, run.id)
    assert find_changed(folder, made) == []
    names = {name.partition("/")[0] for name in handed_on(folder, made)}
    assert {"model_card.md", "model_card.html"} <= names
    beside = {"labels.json", "export.json", "README.txt", "SHA256SUMS", "read_photo.py", "find_objects.py"}
    assert names >= beside | {each.file for each in made.offered}
    text = (folder / "README.txt").read_text(encoding="utf-8")
    assert "boxes    float32 (n, 300, 4): left, upper, right and lower edge in pixels of the square." in text
    assert "pip install onnxruntime pillow" in text
    assert 'model = find_objects.load("model.onnx")' in text
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)


def test_the_program_beside_the_files_prints_the_boxes_of_the_dashboard(store, run, made, tmp_path):
    folder = shutil.copytree(export_folder(store.workspace, run.id), tmp_path / "export")
    detector, files = load_detector(store, run), read_found(store, run).files
    seen = find_in_files(detector, files, run.facts.grey_range)
    # Between two boxes as far apart as any, so that rounding does not choose.
    surest = np.sort(np.concatenate([each.found.scores for each in seen]))[::-1]
    place = 10 + int(np.argmax(-np.diff(surest[10:60])))
    threshold = float(surest[place : place + 2].mean())
    recorded = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    (folder / "export.json").write_text(json.dumps(recorded | {"threshold": threshold}), encoding="utf-8")
    expected = [detector.name(each.found.above(threshold)) for each in seen]
    assert sum(map(len, expected)) == place + 1
    for each in made.offered:
        printed = run_program(folder, each.file, *files)
        assert [(line["width"], line["height"]) for line in printed] == [(128, 96)] * len(files)
        for line, objects in zip(printed, expected, strict=True):
            assert len(line["boxes"]) == len(objects)
            for found in objects:
                boxes = [box["box"] for box in line["boxes"] if box["label"] == found.label]
                assert np.abs(np.array(boxes) - found.box.in_pixels(128, 96)).max(axis=1).min() < 0.5


def test_the_service_answers_for_the_run_as_the_dashboard_does(store, run):
    engine, detector, files = load_run(store, run), load_detector(store, run), read_found(store, run).files
    told = 0
    for file, seen in zip(files, find_in_files(detector, files, run.facts.grey_range), strict=True):
        look = engine.look(file, seen.width, seen.height)
        (row,) = engine.network(look.pixels[None])
        said = engine.describe(row, look)
        expected = detector.name(seen.found.above(CONFIDENCE))
        assert (said["width"], said["height"]) == (128, 96)
        assert [each["label"] for each in said["boxes"]] == [each.label for each in expected]
        for box, found in zip(said["boxes"], expected, strict=True):
            assert box["box"] == pytest.approx(found.box.in_pixels(128, 96), abs=0.01)
        told += len(expected)
    assert told > 0


def run_program(folder, *words):
    """Run the program as a person would; return what it prints of each photo."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    line = [sys.executable, "find_objects.py", *map(str, words)]
    ended = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(each) for each in ended.stdout.splitlines()]


def test_formats_of_fewer_bits_are_refused_in_words(store, run):
    with pytest.raises(SettingsError, match=r"Expected one or more of keras, saved-model, litert, onnx\. Received"):
        exports.add_export_job(store, run.id, ["litert-int8"])
