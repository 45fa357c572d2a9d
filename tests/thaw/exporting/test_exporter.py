"""One run exported, as the command does it: every file proven, the folder complete, a stop leaves nothing."""

import ast
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import ask
from tests.support.pictures.corpus import photo
from tests.support.pictures.odd_pictures import write_odd_pictures
from thaw.exporting import exports
from thaw.exporting.guide import show_program, show_signature
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.prediction.classifier import load_classifier
from thaw.prediction.files import predict_files
from thaw.runs.decision import keep_decision
from thaw.runs.results import read_predictions
from thaw.storage.export_record import export_folder, find_changed
from thaw.worker import work
from tlcore.environment import SOURCE_ROOT
from tlcore.errors import RunError, SettingsError
from tlcore.evaluation.calibration import temper
from tlcore.exporting.formats import FORMATS, choose_formats, explain_answer
from tlcore.progress import Stage
from tlcore.settings import Decision, HeadSettings

TEMPERATURE, THRESHOLD = 1.3, 0.5
# What needs no TensorFlow to be proven; the others, which take as long again, come with the slow tests.
LIGHT = ("litert", "onnx")
EVERY = tuple(row.name for row in choose_formats(None))


@pytest.fixture(scope="module")
def run_id(store, tiny_dataset):
    run_id = starts.add_head_job(store, tiny_dataset, HeadSettings(image_size=64, epochs=6, validation_split=0.4))
    work(store, waiting_job(store, run_id))
    keep_decision(store, run_id, Decision(1, TEMPERATURE, THRESHOLD))
    return run_id


@pytest.fixture(
    scope="module", params=[LIGHT, pytest.param(EVERY, marks=pytest.mark.slow)], ids=["light", "all formats"]
)
def answer(request, store, run_id, tmp_path_factory):
    """What the command prints of an export; every test below reads the same one."""
    target = tmp_path_factory.mktemp("exported") / "model.zip"
    return ask(store, "export", run_id, "--formats", *request.param, "--to", target)


@pytest.fixture(scope="module")
def made(store, run_id, answer):
    return exports.latest_export(store, run_id)


def test_every_format_is_proven(store, run_id, answer, made):
    assert [each["name"] for each in answer["formats"]] in ([*LIGHT], [*EVERY])
    images = len(read_predictions(store, store.run(run_id)).images)
    for each in made.formats:
        # Of nine photos 8 bits may well turn three, and the file is refused as it should be.
        assert each.offered or each.name == "litert-int8", f"{each.name}: {each.reason}"
        assert each.verdict == "passed" or FORMATS[each.name].tolerance, each.reason
        assert [judged.images for judged in each.proof.judged] == [images]
        assert 0 < each.proof.latency_ms < 5000
        assert each.proof.batch_ms > 0
        assert FORMATS[each.name].runtime in each.proof.runtime
    assert made.reference == "the stored predictions of the run"
    assert (made.temperature, made.threshold, made.phase) == (TEMPERATURE, THRESHOLD, 1)


def test_the_folder_is_whole_and_nothing_else_is_left(store, run_id, made):
    folder = export_folder(store.workspace, run_id)
    assert find_changed(folder, made) == []
    assert json.loads((folder / "labels.json").read_text()) == made.labels
    expected = {each.file for each in made.offered} | {"labels.json", "export.json", "README.txt", "SHA256SUMS"}
    expected |= {"read_photo.py"}
    card = {path.name for path in folder.iterdir() if path.name.startswith("model_card")}
    assert {"model_card.md", "model_card.html"} <= card
    assert not list(folder.rglob("*.jpg"))
    expected |= card
    assert expected <= {path.name for path in folder.iterdir()}
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".export")]
    assert not list((store.workspace.root / "staging").glob("export-*"))


def test_the_zip_has_all_that_is_offered(answer, made):
    with zipfile.ZipFile(answer["zip"]) as archive:
        assert archive.testzip() is None
        # Of the SavedModel, a folder, its own name is the first part of others.
        names = {name.split("/")[1] for name in archive.namelist()}
    assert {"read_photo.py", "SHA256SUMS", *(each.file for each in made.offered)} <= names


@pytest.mark.slow
def test_the_signature_is_told_as_tensorflow_tells_it(store, run_id, made, capsys):
    from tensorflow.python.tools import saved_model_cli

    find_offered(made, "saved-model")

    folder = export_folder(store.workspace, run_id) / "saved_model"
    # What `saved_model_cli show --dir saved_model --tag_set serve --signature_def serving_default` calls.
    saved_model_cli._show_inputs_outputs(str(folder), "serve", "serving_default")
    assert show_signature(made.signature) in capsys.readouterr().out


def find_offered(made, name):
    """Return a format of the export, or skip the test where another export has it."""
    if name not in [each.name for each in made.offered]:
        pytest.skip("only the export of all formats has it")
    return next(each for each in made.offered if each.name == name)


@pytest.mark.parametrize(
    "name", [*LIGHT, *(pytest.param(each, marks=pytest.mark.slow) for each in ("keras", "saved-model"))]
)
def test_the_program_that_is_shown_prints_what_the_dashboard_says(store, run_id, made, tmp_path, name):
    each, folder = find_offered(made, name), export_folder(store.workspace, run_id)
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    photo(77, 900, 700).save(tmp_path / "photo.jpg", quality=95)
    pictures = [tmp_path / "photo.jpg", *write_odd_pictures(tmp_path, ("small",))]
    (tmp_path / "classify.py").write_text(show_program(made, each), encoding="utf-8")
    ended = run_program(tmp_path, "classify.py", *(path.name for path in pictures))
    answers = predict_files(load_classifier(store, store.run(run_id)), pictures)
    lines = ended.splitlines()
    for path, said, probabilities, told in zip(pictures, lines[::2], lines[1::2], answers, strict=True):
        expected = temper(told.probabilities[None], TEMPERATURE)[0]
        found = ast.literal_eval(probabilities)
        assert list(found) == made.labels
        # Of the small ones both see the same pixels; what a copy in JPEG costs, the network magnifies.
        assert list(found.values()) == pytest.approx(expected, abs=1e-4 if "small" in path.name else 0.02), path.name
        if abs(expected.max() - THRESHOLD) > 0.02 and np.diff(np.sort(expected))[-1] > 0.02:
            label = made.labels[expected.argmax()] if expected.max() >= THRESHOLD else "I don't know"
            assert said == f"{path.name}: {label}"
    if name == "onnx":
        assert run_program(tmp_path, "classify.py").splitlines() == lines[:2], "photo.jpg, if nothing is named"


def run_program(folder: Path, *words: str) -> str:
    """Run a program of the README as a person would; return what it prints."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    line = [sys.executable, *words]
    ended = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("name", LIGHT)
def test_the_program_needs_neither_thaw_nor_tensorflow(store, run_id, made, tmp_path, name):
    folder = export_folder(store.workspace, run_id)
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    photo(77, 300, 200).save(tmp_path / "photo.jpg")
    program = show_program(made, find_offered(made, name))
    (tmp_path / "classify.py").write_text(program + "\nprint(*sorted(sys.modules))", encoding="utf-8")
    modules = run_program(tmp_path, "classify.py").splitlines()[-1].split()
    assert not {"tlcore", "tensorflow", "keras"} & set(modules)


@pytest.mark.parametrize("name", [*LIGHT, pytest.param("litert-float16", marks=pytest.mark.slow)])
def test_a_file_is_proven_by_its_own_runtime_alone(store, run_id, made, tmp_path, name):
    find_offered(made, name)
    folder = export_folder(store.workspace, run_id)
    np.save(tmp_path / "pixels.npy", np.zeros((3, 64, 64, 3), np.uint8))
    words = [name, str(folder / FORMATS[name].file), "--pixels", str(tmp_path / "pixels.npy")]
    command = [sys.executable, "-m", "tlcore.exporting.verify_file", *words, "--answers", str(tmp_path / "answers.npz")]
    subprocess.run(command, check=True, cwd=SOURCE_ROOT, capture_output=True)
    with np.load(tmp_path / "answers.npz", allow_pickle=False) as archive:
        assert not {"tensorflow", "keras"} & set(archive["modules"].tolist())
        assert archive["probabilities"].shape == (3, len(made.labels))


def test_the_readme_says_what_answer_means_how_photos_are_read_and_which_keras_is_the_oldest(store, run_id, made):
    text = (export_folder(store.workspace, run_id) / "README.txt").read_text(encoding="utf-8")
    words = " ".join(text.split())
    assert 'its place in labels.json, counted from 0. Or -1, "I don\'t know", where' in words
    assert "below 50%" in words
    assert ("Keras 3.6 or later" in words) == ("keras" in [each.name for each in made.offered])
    assert f"from 0..{made.grey_range}" in words
    assert "Alpha that is the same everywhere means nothing and is dropped." in words
    assert "It is never -1" in explain_answer(0.0, "labels.json")
    assert "below 99.95%" in explain_answer(0.9995, "labels.json")


def test_another_threshold_or_model_makes_an_export_stale(store, run_id, made):
    assert exports.explain_stale(store, store.run(run_id), made) is None
    keep_decision(store, run_id, Decision(1, TEMPERATURE, 0.9))
    assert "(90% instead of" in (exports.explain_stale(store, store.run(run_id), made) or "")
    keep_decision(store, run_id, Decision(1, 1.5, THRESHOLD))
    assert "temperature" in (exports.explain_stale(store, store.run(run_id), made) or "")
    keep_decision(store, run_id, Decision(1, TEMPERATURE, THRESHOLD))
    head = store.workspace.run(run_id) / "head.npz"
    kept = head.read_bytes()
    np.savez(head, **{name: array + 1 for name, array in np.load(head).items()})
    assert "another model" in (exports.explain_stale(store, store.run(run_id), made) or "")
    head.write_bytes(kept)
    assert exports.explain_stale(store, store.run(run_id), made) is None


def test_a_stop_keeps_the_earlier_export(store, run_id, made):
    job_id = exports.add_export_job(store, run_id, ["onnx"])
    with pytest.raises(RunError, match="no other job of this kind"):
        exports.add_export_job(store, run_id)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == Stage.VERIFYING:
            store.ask_to_stop(job_id)

    work(store, job_id, stop)
    assert store.job(job_id).status == "stopped"
    test_the_folder_is_whole_and_nothing_else_is_left(store, run_id, made)
    assert exports.latest_export(store, run_id) == made


def test_what_cannot_be_exported_is_refused_in_words(store, tiny_dataset, run_id):
    untrained = store.add_run(tiny_dataset, "efficientnet-lite0", HeadSettings().to_json())
    with pytest.raises(RunError, match="whose head has been trained"):
        exports.add_export_job(store, untrained)
    with pytest.raises(SettingsError, match="Received: pytorch"):
        exports.add_export_job(store, run_id, ["pytorch"])
    with pytest.raises(SettingsError, match=r"--to FILE\.zip"):
        ask(store, "export", run_id, "--to", "model.tar")
