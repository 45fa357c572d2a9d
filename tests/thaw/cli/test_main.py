"""The command line as a person or a script uses it: one JSON value on standard output, plain words for failures."""

import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from thaw.__main__ import main

pytestmark = pytest.mark.usefixtures("warm_decoder")

ROOT = Path(__file__).parents[3]
EPOCH_FIELDS = {"epoch", "phase", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
TRAINING_FIELDS = {
    "run",
    "backbone",
    "frozen_layers",
    "epochs",
    "val_accuracy",
    "val_loss",
    "seconds",
    "images_per_second",
    "result_phase",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("command-line")


@pytest.fixture(scope="module")
def command(workspace):
    """Return a function that runs `python -m thaw ...` in a workspace of its own."""

    def run(*words, workspace=workspace):
        line = [sys.executable, "-m", "thaw", *map(str, words), "--workspace", str(workspace)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(line, capture_output=True, text=True, timeout=200, cwd=workspace, env=environment)

    return run


@pytest.fixture(scope="module")
def answer(workspace):
    """Return a function that does a command with --json and returns its one JSON value.

    In this process, since each of its own would load TensorFlow; `test_environment.py` starts real ones.
    """

    def ask(*words, status=0):
        with redirect_stdout(io.StringIO()) as told:
            assert main([*map(str, words), "--workspace", str(workspace), "--json"]) == status
        assert told.getvalue().count("\n") == 1
        return json.loads(told.getvalue(), parse_constant=pytest.fail)

    return ask


@pytest.fixture(scope="module")
def imported(answer, tiny_photos):
    (tiny_photos / "leaf" / "page.jpg").write_text("<html>404</html>")
    try:
        return answer("import", tiny_photos, "--name", "Tiny")
    finally:
        (tiny_photos / "leaf" / "page.jpg").unlink()


@pytest.fixture(scope="module")
def trained(answer, imported):
    options = ["--image-size", 48, "--epochs", 3, "--batch-size", 8, "--validation-split", 0.25, "--seed", 3]
    return answer("train", imported["dataset"], "--backbone", "efficientnet-lite0", "--learning-rate", 1e-3, *options)


@pytest.fixture(scope="module")
def tuned(answer, trained):
    return answer(
        "finetune", trained["run"], "--layers", 9, "--epochs", 1, "--learning-rate", 1e-4, "--batch-size", 8, "--insist"
    )


def test_ctrl_c_ends_a_command_in_plain_words(monkeypatch, capsys):
    def interrupt(*_words):
        raise KeyboardInterrupt

    monkeypatch.setattr("thaw.__main__.run_command", interrupt)
    assert main(["train", "data-1", "--json"]) == 130
    told = capsys.readouterr()
    assert told.err.startswith("Stopped by Ctrl+C. What was finished is kept")
    assert "Traceback" not in told.err
    assert json.loads(told.out)["error"] == told.err.strip()


def test_import_counts_what_it_took_and_names_what_it_did_not(imported):
    assert {"dataset", "accepted", "rejected", "classes"} <= set(imported)
    assert (imported["accepted"], imported["classes"]) == (24, {"berry": 8, "leaf": 8, "sky": 8})
    (rejected,) = imported["rejected"]
    assert set(rejected) == {"name", "reason"}
    assert rejected["name"].endswith("leaf/page.jpg")
    assert "web page" in rejected["reason"]


def test_train_tells_every_epoch_and_how_long_it_took(trained):
    assert set(trained) >= TRAINING_FIELDS
    assert (trained["backbone"], trained["frozen_layers"], trained["result_phase"]) == ("efficientnet-lite0", 141, 1)
    assert [(epoch["epoch"], epoch["phase"]) for epoch in trained["epochs"]] == [(1, 1), (2, 1), (3, 1)]
    assert all(set(epoch) == EPOCH_FIELDS for epoch in trained["epochs"])
    assert set(trained["seconds"]) == {"features", "training", "total"}
    assert 0 < trained["seconds"]["training"] < trained["seconds"]["total"]
    assert trained["images_per_second"] > 0
    best = min(trained["epochs"], key=lambda epoch: epoch["val_loss"])
    assert (trained["val_loss"], trained["val_accuracy"]) == (best["val_loss"], best["val_accuracy"])


def test_finetune_tells_both_phases(trained, tuned):
    assert set(tuned) >= TRAINING_FIELDS
    assert (tuned["run"], tuned["frozen_layers"]) == (trained["run"], 141 - 9)
    assert [(epoch["epoch"], epoch["phase"]) for epoch in tuned["epochs"]] == [(1, 1), (2, 1), (3, 1), (4, 2)]
    assert tuned["epochs"][:3] == trained["epochs"]
    assert tuned["result_phase"] in (1, 2)
    result = min(
        (epoch for epoch in tuned["epochs"] if epoch["phase"] == tuned["result_phase"]), key=lambda e: e["val_loss"]
    )
    assert tuned["val_accuracy"] == result["val_accuracy"]


def test_mistakes_are_as_many_as_the_accuracy_says(answer, tuned):
    mistakes = answer("mistakes", tuned["run"])
    assert len(mistakes) == round((1 - tuned["val_accuracy"]) * 6) > 0
    assert all(
        {"image", "true", "predicted", "confidence", "confidence_gap"} <= set(mistake)
        and mistake["true"] != mistake["predicted"]
        and 0 < mistake["confidence_gap"] <= mistake["confidence"] <= 1
        for mistake in mistakes
    )
    gaps = [mistake["confidence_gap"] for mistake in mistakes]
    assert gaps == sorted(gaps, reverse=True)


def test_predict_agrees_with_the_mistakes(answer, tuned, tiny_photos, tmp_path):
    (tmp_path / "not.jpg").write_bytes(b"%PDF-1.7")
    mistake = answer("mistakes", tuned["run"])[0]
    (picture,) = (
        path for path in tiny_photos.rglob("*.png") if mistake["image"].endswith(f"{path.parent.name}/{path.name}")
    )
    one, other = answer("predict", tuned["run"], picture, tmp_path / "not.jpg", status=2)
    assert (one["image"], one["predicted"]) == (str(picture), mistake["predicted"])
    assert one["confidence"] == pytest.approx(mistake["confidence"], abs=1e-4)
    assert set(one["probabilities"]) == {"berry", "leaf", "sky"}
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert set(other) == {"image", "error"}
    assert "PDF" in other["error"]


def test_predict_takes_folders_beside_files(answer, tuned, tiny_photos, tmp_path):
    (tmp_path / "inner").mkdir()
    for number in (10, 9):
        shutil.copy(next(tiny_photos.rglob("*.png")), tmp_path / "inner" / f"{number}.png")
    (tmp_path / ".DS_Store").write_bytes(b"system")
    (tmp_path / "cut.jpg").write_bytes(b"")
    alone = next((tiny_photos / "sky").iterdir())
    answers = answer("predict", tuned["run"], tmp_path, alone, status=2)
    names = [tmp_path / "cut.jpg", tmp_path / "inner" / "9.png", tmp_path / "inner" / "10.png", alone]
    assert [each["image"] for each in answers] == [str(name) for name in names]
    assert ["error" in each for each in answers] == [True, False, False, False]
    assert len(answer("predict", tuned["run"], tmp_path / "inner")) == 2
    (bad,) = answer("predict", tuned["run"], tmp_path / "cut.jpg", status=1)
    assert set(bad) == {"image", "error"}


def test_runs_and_datasets_list_what_there_is(answer, imported, tuned):
    (run,) = answer("runs")
    assert (run["run"], run["dataset"], run["status"]) == (tuned["run"], imported["dataset"], "finished")
    assert (run["result_phase"], run["val_accuracy"]) == (tuned["result_phase"], tuned["val_accuracy"])
    (dataset,) = answer("datasets")
    assert dataset == imported


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["import", "no-such-folder"], "no-such-folder"),
        (["train", "data-none"], "Expected the id of a data set"),
        (["finetune", "run-none"], "Expected the id of a run"),
        (["mistakes", "run-none"], "Expected the id of a run"),
        (["predict", "run-none", "x.png"], "Expected the id of a run"),
        (["train", "data-none", "--epochs", "0"], "epochs between 1 and 1000. Received: epochs=0"),
        (["train", "data-none", "--backbone", "vgg"], "vgg"),
    ],
)
def test_a_failure_says_why_in_json_and_on_standard_error(command, words, reason):
    done = command(*words, "--json")
    assert done.returncode == 1
    assert set(json.loads(done.stdout)) == {"error"}
    assert reason in json.loads(done.stdout)["error"]
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_without_json_the_answer_is_for_a_person(command, imported):
    done = command("datasets")
    assert done.returncode == 0
    assert f'dataset: "{imported["dataset"]}"' in done.stdout
    assert "web page" in done.stdout
