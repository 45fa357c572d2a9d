"""One run exported whole, as the command does it: every file proven, the folder complete, a stop leaves nothing."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.corpus import photo
from tlcore import exporter, exports, jobs
from tlcore.calibration import temper
from tlcore.classifier import load_classifier, predict_files
from tlcore.commands import COMMANDS
from tlcore.decision import Decision, keep_decision
from tlcore.errors import RunError, SettingsError
from tlcore.evaluation import read_predictions
from tlcore.export_guide import show_program, show_signature
from tlcore.export_record import export_folder, find_changed
from tlcore.formats import FORMATS, choose_formats
from tlcore.parser import build_parser
from tlcore.proof import Reference
from tlcore.proving import SCORING, Bench, prove
from tlcore.reporter import Reporter
from tlcore.settings import HeadSettings
from tlcore.worker import work

TEMPERATURE, THRESHOLD = 1.3, 0.5


@pytest.fixture(scope="module")
def run_id(store, tiny_dataset):
    run_id = jobs.add_head_job(store, tiny_dataset, HeadSettings(image_size=64, epochs=6, validation_split=0.4))
    work(store, run_id)
    keep_decision(store, run_id, Decision(1, TEMPERATURE, THRESHOLD))
    return run_id


@pytest.fixture(scope="module")
def answer(store, run_id, tmp_path_factory):
    """What the command prints of an export of all formats; every test below reads the same one."""
    target = tmp_path_factory.mktemp("exported") / "model.zip"
    arguments = build_parser().parse_args(["export", run_id, "--to", str(target)])
    return COMMANDS["export"](store, arguments)


@pytest.fixture(scope="module")
def made(store, run_id, answer):
    return exports.latest_export(store, run_id)


def test_every_format_is_proven(store, run_id, answer, made):
    assert [each["name"] for each in answer["formats"]] == list(FORMATS)
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
        names = {name.removeprefix(f"{made.run}-export/") for name in archive.namelist()}
    assert {"model.onnx", "model.keras", "saved_model/saved_model.pb", "SHA256SUMS"} <= names


def test_the_signature_is_told_as_tensorflow_tells_it(store, run_id, made, capsys):
    from tensorflow.python.tools import saved_model_cli

    folder = export_folder(store.workspace, run_id) / "saved_model"
    # What `saved_model_cli show --dir saved_model --tag_set serve --signature_def serving_default` calls.
    saved_model_cli._show_inputs_outputs(str(folder), "serve", "serving_default")
    assert show_signature(made.signature) in capsys.readouterr().out


@pytest.mark.parametrize("name", ["onnx", "litert", "keras", pytest.param("saved-model", marks=pytest.mark.slow)])
def test_the_program_that_is_shown_prints_what_the_dashboard_says(store, run_id, made, tmp_path, name):
    folder = export_folder(store.workspace, run_id)
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    picture = photo(77, 900, 700)
    picture.save(tmp_path / "photo.jpg", quality=95)
    each = next(each for each in made.formats if each.name == name)
    program = show_program(made, each) + '\nimport sys\nprint("\\n", *sorted(sys.modules))'
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    *_, said, probabilities, _, modules = ended.stdout.splitlines()
    assert "tlcore" not in modules.split()
    assert ("tensorflow" in modules.split()) is (name in ("keras", "saved-model"))
    (told,) = predict_files(load_classifier(store, store.run(run_id)), [tmp_path / "photo.jpg"])
    expected = temper(told.probabilities[None], TEMPERATURE)[0]
    found = {label: float(p) for label, p in zip(made.labels, _numbers(probabilities), strict=True)}
    assert list(found.values()) == pytest.approx(expected, abs=0.01)
    assert said == (made.labels[expected.argmax()] if expected.max() >= THRESHOLD else "I don't know")


def _numbers(line: str) -> list[float]:
    return [float(each) for each in re.findall(r"float32\(([^)]+)\)", line)]


@pytest.mark.parametrize("name", ["litert-float16", "onnx"])
def test_a_file_is_proven_by_its_own_runtime_alone(store, run_id, made, tmp_path, name):
    folder = export_folder(store.workspace, run_id)
    np.save(tmp_path / "pixels.npy", np.zeros((3, 64, 64, 3), np.uint8))
    words = [name, str(folder / FORMATS[name].file), "--pixels", str(tmp_path / "pixels.npy")]
    command = [sys.executable, "-m", "tlcore.prove", *words, "--answers", str(tmp_path / "answers.npz")]
    subprocess.run(command, check=True, cwd=Path(exporter.__file__).parents[1], capture_output=True)
    with np.load(tmp_path / "answers.npz", allow_pickle=False) as archive:
        assert not {"tensorflow", "keras"} & set(archive["modules"].tolist())
        assert archive["probabilities"].shape == (3, len(made.labels))


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
        if stage == SCORING:
            store.ask_to_stop(job_id)

    exporter.run_export(store, job_id, stop)
    assert store.job(job_id).status == "stopped"
    test_the_folder_is_whole_and_nothing_else_is_left(store, run_id, made)
    assert exports.latest_export(store, run_id) == made


def test_a_file_that_its_runtime_cannot_open_is_refused_alone(store, run_id, made, tmp_path):
    (tmp_path / "model.keras").write_bytes(b"no zip")
    np.save(tmp_path / "pixels.npy", np.zeros((2, 64, 64, 3), np.uint8))
    bench = Bench(tmp_path, tmp_path, tmp_path / "pixels.npy", tmp_path / "pixels.npy", tmp_path / "none")
    reference = Reference("validation", np.eye(3)[:2], np.array([0, 1]))
    reporter = Reporter(store, jobs.latest_trial(store, "export", run_id).id)
    # The job was stopped: only a fresh one is not asked to stop.
    store.update_job(reporter.job_id, stop_requested=0)
    (found,) = prove(reporter, bench, choose_formats(["keras"]), [reference], made.labels, 0.0)
    assert found.verdict == "refused"
    assert "its runtime could not run it: " in found.reason
    assert (found.sha256, found.bytes, found.proof) == (None, None, None)
    assert not (tmp_path / "model.keras").exists()


def test_what_cannot_be_exported_is_refused_in_words(store, tiny_dataset, run_id):
    untrained = store.add_run(tiny_dataset, "efficientnet-lite0", HeadSettings().to_json())
    with pytest.raises(RunError, match="whose head has been trained"):
        exports.add_export_job(store, untrained)
    with pytest.raises(SettingsError, match="Received: pytorch"):
        exports.add_export_job(store, run_id, ["pytorch"])
    arguments = build_parser().parse_args(["export", run_id, "--to", "model.tar"])
    with pytest.raises(SettingsError, match=r"--to FILE\.zip"):
        COMMANDS["export"](store, arguments)
