"""The commands about runs, asked in the words of the command line: one small run is trained, fine-tuned and tried."""

import json
import os
import types

import pytest
from filelock import FileLock

from tests.support.command_line import ask
from tests.support.pictures.corpus import write_classes
from thaw.cli.runs import describe_training
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.errors import DatasetError, GuardError, RunError, SettingsError
from tlcore.progress import Stage
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch

pytestmark = pytest.mark.usefixtures("warm_decoder")

SMALL = ("--image-size", 32, "--batch-size", 8, "--validation-split", 0.25)
TRAINING, VALIDATION = 12, 4
HEAD_RATE = 1e-2
RECIPE = "mirror,crop=0.2,rotation=10"


@pytest.fixture
def empty(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


@pytest.fixture
def listed(empty):
    """A store with one data set on record, of which nothing is trained."""
    empty.add_dataset("data-1", "Photos", "here", Arrival([]))
    return empty


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A workspace with a few photos, a run that has both phases, and one whose head learnt from ever new views."""
    store = Store(open_workspace(tmp_path_factory.mktemp("run-commands") / "workspace"))
    folder = write_classes(tmp_path_factory.mktemp("photos") / "flowers", {"rose": 8, "tulip": 8})
    dataset = ask(store, "import", folder)["dataset"]
    plain = ask(store, "train", dataset, *SMALL, "--epochs", 2, "--learning-rate", HEAD_RATE)
    tuned = ask(store, "finetune", plain["run"], "--layers", 9, "--epochs", 1, "--batch-size", 8, "--insist")
    views = ("--augmentation", RECIPE, "--views", 2, "--exact")
    with pytest.MonkeyPatch.context() as patch:
        # Nothing listens there, and MLflow's client may not even be installed.
        patch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cret@127.0.0.1:1")
        augmented = ask(store, "train", dataset, *SMALL, "--epochs", 2, *views)
    return types.SimpleNamespace(store=store, dataset=dataset, plain=plain, tuned=tuned, augmented=augmented)


def state(store, run_id, but):
    """Return all that makes a run, except the file that holds what was tried on it."""
    files = {path.name: path.read_bytes() for path in store.workspace.run(run_id).iterdir() if path.name != but}
    return store.run(run_id), store.epochs(run_id), store.latest_job(run_id), files


def test_unknown_ids_are_refused(empty):
    with pytest.raises(DatasetError, match="data-none"):
        ask(empty, "train", "data-none")
    for command in ("finetune", "resume", "stop", "probe", "find-rate", "mistakes"):
        with pytest.raises(RunError, match=r"Expected the id of a run.*run-none"):
            ask(empty, command, "run-none")


def test_a_recipe_its_views_and_exactness_are_recorded(small):
    for answer, asked in ((small.plain, ("none", 4, False)), (small.augmented, (RECIPE, 2, True))):
        settings = small.store.run(answer["run"]).head
        assert (settings.augmentation, settings.views, settings.exact) == asked
        assert [epoch["epoch"] for epoch in answer["epochs"]] == [1, 2]


def test_a_recipe_that_makes_no_sense_is_refused_before_anything_is_recorded(small):
    before = small.store.runs()
    with pytest.raises(SettingsError) as refused:
        ask(small.store, "train", small.dataset, "--augmentation", "mirror,spin=90")
    expected, received = str(refused.value).split("Received: ")
    assert expected.startswith("Expected augmentation to be one of: none, light,")
    assert 'a recipe such as "mirror,crop=0.2,rotation=10"' in expected
    assert "rotation" in expected.split("(of ")[1]
    assert received == "augmentation='mirror,spin=90'."
    with pytest.raises(SettingsError, match=r"crop between 0 and 0\.4\. Received: crop=0\.9"):
        ask(small.store, "train", small.dataset, "--augmentation", "crop=0.9")
    assert small.store.runs() == before


def test_fine_tuning_tells_what_the_guards_found(small):
    assert [(epoch["epoch"], epoch["phase"]) for epoch in small.tuned["epochs"]] == [(1, 1), (2, 1), (3, 2)]
    assert (small.tuned["run"], small.tuned["frozen_layers"]) == (small.plain["run"], 141 - 9)
    for answer in (small.plain, small.tuned):
        assert answer["evidence"]
        assert all(set(each) == {"rule", "passed", "words"} for each in answer["evidence"])
    first, second = ({each["rule"] for each in answer["evidence"]} for answer in (small.plain, small.tuned))
    assert "Head settled" in first - second
    assert {"Learning rate", "First epoch of phase 2"} <= second - first
    json.dumps(small.tuned, allow_nan=False)


@pytest.mark.slow
def test_a_probe_recommends_a_depth_and_leaves_the_run_as_it_was(small):
    run_id = small.plain["run"]
    before = state(small.store, run_id, "probe.json")
    answer = ask(small.store, "probe", run_id, "--depths", 2, "--folds", 2, "--epochs", 1)
    assert [depth["top"] for depth in answer["depths"]] == [0, 141]
    for depth in answer["depths"]:
        assert (depth["images"], len(depth["accuracies"])) == (TRAINING, 2)
        assert depth["accuracy"] == depth["right"] / TRAINING
        assert 0 <= depth["standard_error"] < 1
    assert answer["recommended_layers"] in (0, 141)
    assert state(small.store, run_id, "probe.json") == before
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize(("phase", "words"), [(1, ()), (2, ("--layers", 9, "--batch-size", 4))])
def test_a_search_returns_its_curve_and_leaves_the_run_as_it_was(small, phase, words):
    run_id = small.plain["run"]
    before = state(small.store, run_id, f"rates-{phase}.json")
    answer = ask(small.store, "find-rate", run_id, "--phase", phase, *words)
    assert (answer["run"], answer["phase"]) == (run_id, phase)
    assert len(answer["rates"]) == len(answer["losses"]) > 20
    assert answer["rates"] == sorted(answer["rates"])
    if phase == 1:
        assert (answer["layers"], answer["batch_size"], answer["cap"]) == (None, 8, None)
    else:
        assert (answer["layers"], answer["batch_size"]) == (9, 4)
        assert 0 < answer["cap"] <= HEAD_RATE / 10
        assert answer["suggestion"] is None or answer["suggestion"] <= answer["cap"]
    assert state(small.store, run_id, f"rates-{phase}.json") == before
    json.dumps(answer, allow_nan=False)


def test_a_guard_refuses_what_the_head_is_not_ready_for(small):
    with pytest.raises(GuardError, match="needed to see whether it has settled"):
        ask(small.store, "finetune", small.plain["run"], "--layers", 9)


def test_a_data_set_that_cannot_be_trained_is_refused_with_advice(empty, tmp_path):
    dataset = ask(empty, "import", write_classes(tmp_path / "alone", {"rose": 3}))["dataset"]
    with pytest.raises(RunError, match=r"at least 2 classes.*Add a second folder"):
        ask(empty, "train", dataset, "--image-size", 48)


def test_trials_need_a_head(listed):
    run_id = listed.add_run("data-1", "resnet50", HeadSettings().to_json())
    for command in ("probe", "find-rate", "finetune"):
        with pytest.raises(RunError, match="Train its head first"):
            ask(listed, command, run_id)


def test_a_run_at_rest_cannot_be_stopped_or_resumed(small):
    run_id = small.plain["run"]
    with pytest.raises(RunError, match=rf"Expected a run that is training or waiting. Received: '{run_id}'.*at rest"):
        ask(small.store, "stop", run_id)
    with pytest.raises(RunError, match=r"Expected a run that stopped or failed.*which finished. Start a new one"):
        ask(small.store, "resume", run_id)


def test_a_run_that_waits_is_told_to_stop_and_then_never_starts(small):
    run_id = starts.add_head_job(small.store, small.dataset, HeadSettings())
    job_id = small.store.latest_job(run_id).id
    assert ask(small.store, "stop", run_id) == {"run": run_id, "job": job_id, "stop_requested": True}
    assert small.store.job(job_id).stop_requested
    work(small.store, job_id)
    assert small.store.job(job_id).status == "stopped"
    assert small.store.epochs(run_id) == []


def test_a_run_whose_process_is_gone_is_at_rest(listed):
    run_id = listed.add_run("data-1", "resnet50", HeadSettings().to_json())
    job_id = listed.add_job("head", {}, "data-1", run_id)
    listed.claim_job(job_id, os.getpid())
    with pytest.raises(RunError, match="at rest"):
        ask(listed, "stop", run_id)
    assert (listed.job(job_id).status, listed.job(job_id).stop_requested) == ("failed", False)


def test_a_run_that_was_stopped_goes_on_where_it_was(small):
    store, views = small.store, {"augmentation": RECIPE, "views": 2}
    settings = HeadSettings(image_size=32, batch_size=8, validation_split=0.25, epochs=400, patience=400, **views)
    run_id = starts.add_head_job(store, small.dataset, settings)

    def stop_early(stage, done, total):
        if store.epochs(run_id) and not store.latest_job(run_id).stop_requested:
            ask(store, "stop", run_id)

    work(store, waiting_job(store, run_id), stop_early)
    assert store.latest_job(run_id).status == "stopped"
    stopped = store.epochs(run_id)
    # The first view of a photo is the photo itself, which the other runs have cached.
    assert store.run(run_id).facts.head.features_computed == TRAINING
    assert 1 <= len(stopped) < settings.epochs
    answer = ask(store, "resume", run_id)
    assert [epoch["epoch"] for epoch in answer["epochs"]] == list(range(1, settings.epochs + 1))
    assert store.epochs(run_id)[: len(stopped) - 1] == stopped[:-1]
    assert store.latest_job(run_id).status == "finished"


def test_the_queue_is_told_in_order_and_a_job_that_waits_can_go_first(listed):
    assert ask(listed, "queue") == []
    runs = [listed.add_run("data-1", "resnet50", HeadSettings().to_json()) for _ in range(3)]
    at_work, second, third = (listed.add_job("head", {}, "data-1", run_id) for run_id in runs)
    searching = listed.add_job("rate_search", {"run": runs[0], "settings": {}}, "data-1")
    for job_id in (second, third, searching):
        listed.note_pid(job_id, os.getpid())
    with FileLock(listed.workspace.job_lock(at_work)):
        listed.claim_job(at_work, os.getpid())
        listed.update_job(at_work, stage=Stage.TRAINING_HEAD)
        listed.update_job(second, stage=Stage.WAITING_FOR_DEVICE)
        queue = ask(listed, "queue")
        assert [each["job"] for each in queue] == [at_work, second, third, searching]
        assert [each["waiting"] for each in queue] == [False, True, True, True]
        assert [each["run"] for each in queue] == [*runs, runs[0]]
        assert (queue[0]["stage"], queue[3]["kind"]) == ("training, phase 1", "rate_search")
        # What works keeps the device, whoever goes first of those that wait.
        moved = ask(listed, "queue", "--front", third)
        assert [each["job"] for each in moved] == [at_work, third, second, searching]
        with pytest.raises(RunError, match=rf"Expected a job that waits. Received: '{at_work}'.*`queue` lists"):
            ask(listed, "queue", "--front", at_work)
    with pytest.raises(RunError, match=r"Expected the id of a job.*job-none"):
        ask(listed, "queue", "--front", "job-none")


def test_a_comparison_names_what_differs(small):
    answer = ask(small.store, "compare", small.tuned["run"], small.augmented["run"])
    assert answer["runs"] == {"A": small.tuned["run"], "B": small.augmented["run"]}
    assert answer["accuracy"] == {"A": small.tuned["val_accuracy"], "B": small.augmented["val_accuracy"]}
    rows = {row["setting"]: (row["differs"], row["A"], row["B"]) for row in answer["settings"]}
    assert rows["Augmentation"] == (True, "none", RECIPE)
    assert rows["Learning rate"] == (True, HEAD_RATE, 1e-3)
    assert rows["Views"] == (True, 4, 2)
    assert rows["Seed"] == (False, 0, 0)
    differing = [row["differs"] for row in answer["settings"]]
    assert differing == sorted(differing, reverse=True)
    (verdict,) = answer["verdict"]
    assert "On the same 4 validation images" in verdict
    assert answer["warning"] is None


def test_a_comparison_needs_two_runs_that_exist(small):
    with pytest.raises(SettingsError, match=r"Expected 2 to 8 runs to compare. Received: 1\. `runs` lists"):
        ask(small.store, "compare", small.plain["run"])
    with pytest.raises(RunError, match="run-none"):
        ask(small.store, "compare", small.plain["run"], "run-none")


def test_mistakes_are_as_many_as_the_accuracy_says(small):
    for answer in (small.tuned, small.augmented):
        mistakes = ask(small.store, "mistakes", answer["run"])
        assert len(mistakes) == round((1 - answer["val_accuracy"]) * VALIDATION)
        assert all(mistake["true"] != mistake["predicted"] for mistake in mistakes)
        assert all(0 < mistake["confidence_gap"] <= mistake["confidence"] <= 1 for mistake in mistakes)


def test_runs_are_listed_newest_first(small):
    found = {run["run"]: run for run in ask(small.store, "runs")}
    known = [small.augmented["run"], small.plain["run"]]
    assert [run_id for run_id in found if run_id in known] == known
    for answer in (small.augmented, small.tuned):
        run = found[answer["run"]]
        assert (run["dataset"], run["backbone"], run["status"]) == (small.dataset, "efficientnet-lite0", "finished")
        assert (run["result_phase"], run["val_loss"]) == (answer["result_phase"], answer["val_loss"])


def test_runs_are_listed_with_the_metrics_of_their_result(listed):
    assert ask(listed, "runs") == []
    run_id = listed.add_run("data-1", "resnet50", HeadSettings().to_json())
    (waiting,) = ask(listed, "runs")
    assert (waiting["status"], waiting["result_phase"], waiting["val_accuracy"]) == (None, None, None)
    for number, phase, loss in ((1, 1, 0.5), (2, 1, 0.4), (3, 2, 0.3), (4, 2, 0.6)):
        listed.add_epochs(run_id, [Epoch(number, phase, loss, 0.5, loss, 1 - loss, 0.1)])
    listed.add_facts(run_id, {"head": {"best_epoch": 2}, "fine_tune": {"best_epoch": 3}})
    for phase, loss in ((1, 0.4), (2, 0.3)):
        listed.set_result(run_id, phase)
        (found,) = ask(listed, "runs")
        assert (found["val_loss"], found["val_accuracy"]) == (loss, 1 - loss)


def test_frozen_layers_are_those_below_the_top(listed):
    run_id = listed.add_run("data-1", "resnet50", HeadSettings().to_json())
    seconds = {"features": 0.25, "training": 0.75, "total": 1.0}
    measured = {"seconds": seconds, "images_per_second": None, "features_per_second": 5.0}
    listed.add_facts(run_id, {"head": measured, "device": "CPU: one", "versions": {}})
    assert describe_training(listed, listed.run(run_id), "head")["frozen_layers"] == 175
    listed.set_fine_tune(run_id, FineTuneSettings(layers=33).to_json())
    answer = describe_training(listed, listed.run(run_id), "head")
    assert (answer["frozen_layers"], answer["seconds"], answer["epochs"]) == (142, seconds, [])


def test_the_history_tells_what_a_real_run_was_made_of(small):
    rows = {row["model_id"]: row for row in ask(small.store, "history")}
    row, layers = rows[small.tuned["run"]], small.tuned["frozen_layers"]
    assert (row["frozen_layers_count"], row["unfrozen_layers_count"]) == (layers, 9)
    described = json.loads((small.store.workspace.run(row["model_id"]) / "layers.json").read_text())
    assert row["unfrozen_from_layer"] == described[-9]["name"]
    assert row["class_counts"]["training"] == {"rose": 6, "tulip": 6}
    assert row["class_counts"]["validation"] == {"rose": 2, "tulip": 2}
    assert row["final_accuracy_validation"] == pytest.approx(small.tuned["accuracies"]["validation"])
    assert row["pretrained_weights"].startswith("efficientnet")
    assert (row["fine_tuning_start_epoch"], row["epochs"]) == (3, 3)
    assert rows[small.augmented["run"]]["unfrozen_from_layer"] is None
    assert rows[small.augmented["run"]]["frozen_layers_count"] == layers + 9


def test_the_history_is_a_table_of_commas_on_request(small):
    lines = ask(small.store, "history", "--csv").splitlines()
    assert lines[0].startswith("model_id,base_architecture,pretrained_weights")
    assert len(lines) == 1 + len(small.store.runs())
    with pytest.raises(SettingsError, match="one of --csv and --json"):
        ask(small.store, "history", "--csv", "--json")


def test_an_mlflow_server_that_cannot_be_told_costs_the_run_a_note_and_nothing_else(small):
    told = small.store.run(small.augmented["run"]).facts.mlflow
    assert told.sent is False
    assert told.server == "http://127.0.0.1:1"
    assert "is complete without" in told.words
    assert small.store.latest_job(small.augmented["run"]).status == "finished"
    assert small.store.run(small.plain["run"]).facts.mlflow is None
