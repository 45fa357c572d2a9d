"""Tells an MLflow tracking server of a phase that has left a result, where the person has set MLFLOW_TRACKING_URI.

MLflow is no requirement of Thaw (`pip install mlflow-skinny` brings its client). It runs in a process of its own,
`python -m thaw.tracking.mlflow RUN --workspace DIR`, with a limit on time: whatever happens to it, the run has ended
well. Sent are settings, hashes, versions, counts, the data set's name and accuracies (of a detector AP50 and how many
objects are found): no photo, no file's name, no class's name.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from thaw.detection.found import read_found, tell_found
from thaw.jobs.children import child_command
from thaw.jobs.reporter import Reporter
from thaw.storage.experiments import Experiment
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.environment import SOURCE_ROOT
from tlcore.progress import Stage
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch

VARIABLE = "MLFLOW_TRACKING_URI"
FACT = "mlflow"
EXPERIMENT = "Thaw"
WITHIN_S = 60
# MLflow's own defaults are two minutes a request and seven retries, each after a longer wait.
IMPATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
EPOCH_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")
MOST_METRICS = 1000
NO_CLIENT = "MLflow is not installed here: `pip install mlflow-skinny` brings its client."


def tracking_server() -> str | None:
    """Return the address that the person has set, without any password in it, or None."""
    address = os.environ.get(VARIABLE, "").strip()
    user, _, _ = urlsplit(address).netloc.rpartition("@")
    return (address.replace(f"{user}@", "", 1) if user else address) or None


def mirror_run(reporter: Reporter, run_id: str) -> None:
    """Tell the tracking server of a run, if one is set; how that went is a fact of the run and never an error."""
    server = tracking_server()
    if server is None:
        return
    reporter.progress(Stage.TELLING_MLFLOW, 0, 0)
    problem = _tell(reporter.store, run_id)
    words = f"The run was sent to the MLflow server {server}."
    if problem:
        words = f"The run was not sent to the MLflow server {server}, and is complete without. {problem}"
    # Standard output is the job's log.
    sys.stdout.write(f"{words}\n")
    reporter.store.add_facts(run_id, {FACT: {"server": server, "sent": problem is None, "words": words}})


def _tell(store: Store, run_id: str) -> str | None:
    """Run this module in a process of its own; return what went wrong, or None."""
    if importlib.util.find_spec("mlflow") is None:
        return NO_CLIENT
    command = child_command("thaw.tracking.mlflow", run_id, "--workspace", str(store.workspace.root))
    try:
        ended = subprocess.run(
            command,
            env=IMPATIENCE | os.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=WITHIN_S,
            check=False,
            cwd=SOURCE_ROOT,
        )
    except subprocess.TimeoutExpired:
        return f"It did not answer within {WITHIN_S} seconds."
    except OSError as problem:
        return f"Its client did not start ({problem})."
    if ended.returncode == 0:
        return None
    said = ended.stderr.strip().splitlines()[-1:] or ["no reason given"]
    address = os.environ.get(VARIABLE, "").strip()
    return f"MLflow says: {said[0].replace(address, tracking_server() or '')[:500]}"


def send(store: Store, run_id: str) -> None:
    """Write a run to the tracking server: parameters, tags, the metrics of epochs that it lacks, final accuracies.

    A run is one MLflow run, found again by its tag, so that phase 2 joins phase 1. MLflow's own errors pass through.
    """
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = next(each for each in store.experiments() if each.model_id == run_id)
    mirrored = _find_run(client, experiment)
    recorded = {metric.step for metric in client.get_metric_history(mirrored, "val_loss")}
    run, epochs = store.run(run_id), store.epochs(run_id)
    points = [point for point in list_points(run, epochs) if point[3] not in recorded]
    points += [
        # One step after the last epoch, so that phase 2's are later than phase 1's.
        (name, value, points[-1][2] if points else int(1000 * run.created_at), len(epochs) + 1)
        for name, value in list_results(store, run, experiment).items()
    ]
    parameters = [Param(name, str(value)) for name, value in list_parameters(experiment, run.head, run.fine_tune)]
    tags = [RunTag(name, str(value)) for name, value in _tags(experiment).items() if value is not None]
    client.log_batch(mirrored, params=parameters, tags=tags)
    for start in range(0, len(points), MOST_METRICS):
        client.log_batch(mirrored, metrics=[Metric(*point) for point in points[start : start + MOST_METRICS]])
    client.set_terminated(mirrored)


def list_parameters(
    experiment: Experiment, head: HeadSettings, fine_tune: FineTuneSettings | None
) -> list[tuple[str, Any]]:
    """Return what was chosen for a run as pairs of name and value; MLflow lets none of them change afterwards."""
    fixed = ("base_architecture", "pretrained_weights", "pretrained_weights_sha256", "dataset_sha256")
    chosen = {name: value for name, value in asdict(experiment).items() if name in fixed}
    detects = head.task == "detect"
    chosen |= {f"phase1.{name}": value for name, value in asdict(head.detector if detects else head).items()}
    chosen["phase1.task"] = head.task
    if fine_tune:
        chosen |= {f"phase2.{name}": value for name, value in asdict(fine_tune).items()}
        chosen["phase2.learning_rate_used"] = experiment.learning_rate_phase2
    return [(name, value) for name, value in chosen.items() if value is not None]


def list_results(store: Store, run: Run, experiment: Experiment) -> dict[str, float]:
    """Return how good a run's result is, by name: the final accuracies; or of a detector AP50 on the same sets, and on
    validation how much is found from the usual confidence on."""
    finals = {name: value for name, value in asdict(experiment).items() if name.startswith("final_accuracy")}
    if run.head.task == "detect":
        finals = {name.replace("accuracy", "ap50"): value for name, value in finals.items()}
        if run.result_phase is not None:
            counted = tell_found(read_found(store, run))
            finals |= {f"final_{name}_validation": float(number) for name, number in counted.items()}
    return {name: value for name, value in finals.items() if value is not None}


def list_points(run: Run, epochs: list[Epoch]) -> list[tuple[str, float, int, int]]:
    """Return (name, value, milliseconds since 1970, step) of every metric of a run's epochs; what classifiers have as
    accuracy is AP50 of a detector, and is called so.

    Thaw keeps how long each epoch took and not when it ended; the times are those added up.
    """
    moment, points = run.created_at, []
    names = {name: name.replace("accuracy", "ap50") if run.head.task == "detect" else name for name in EPOCH_METRICS}
    for epoch in epochs:
        moment += epoch.seconds
        points += [(names[name], getattr(epoch, name), int(1000 * moment), epoch.epoch) for name in EPOCH_METRICS]
    return points


def _find_run(client: Any, experiment: Experiment) -> str:
    """Return the id of the MLflow run that stands for a run; make it where there is none."""
    known = client.get_experiment_by_name(EXPERIMENT)
    place = known.experiment_id if known else client.create_experiment(EXPERIMENT)
    found = client.search_runs([place], f"tags.`thaw.run` = '{experiment.model_id}'", max_results=1)
    if found:
        return found[0].info.run_id
    named = f"{experiment.base_architecture}, {experiment.model_id}"
    return client.create_run(place, tags={"thaw.run": experiment.model_id}, run_name=named).info.run_id


def _tags(experiment: Experiment) -> dict[str, Any]:
    names = (
        "task",
        "dataset_name",
        "dataset_version",
        "device",
        "result_phase",
        "frozen_layers_count",
        "unfrozen_from_layer",
        "fine_tuning_start_epoch",
    )
    tags = {f"thaw.{name}": getattr(experiment, name) for name in names}
    versions = experiment.package_versions or {}
    return tags | {f"thaw.version.{name}": version for name, version in versions.items()}


def main() -> int:
    """Send one run; return 0, or 1 with MLflow's reason as the last line of standard error."""
    parser = argparse.ArgumentParser(description="Tell the MLflow tracking server of a run.")
    parser.add_argument("run")
    parser.add_argument("--workspace", required=True)
    arguments = parser.parse_args()
    from mlflow.exceptions import MlflowException

    try:
        send(Store(open_workspace(arguments.workspace)), arguments.run)
    except MlflowException as problem:
        sys.stderr.write(f"{' '.join(str(problem).split())}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
