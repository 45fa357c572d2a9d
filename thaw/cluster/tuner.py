"""Has Ray Tune try settings on the nodes of a cluster, fewer and fewer of them for more and more epochs (ASHA).

As all that has to do with Ray, Tune runs in a process of its own, which tells the job by a pipe how each trial ended.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from thaw.cluster import node
from thaw.cluster.connection import (
    EXAMINED_WITHIN_S,
    INSTALL,
    find_fault,
    list_nodes,
    no_machine,
    own_versions,
    place_on,
    tell_unseen,
)
from thaw.cluster.driver import NODES_EVERY_S, say_goodbye, serve
from thaw.cluster.ray_runner import JOINED_WITHIN_S, DriverProcess
from thaw.cluster.runner import LOOK_AGAIN_S, TRIES, ClusterError, Outcome, tell_problem
from tlcore.progress import CheckStop

# Of the epochs that every trial gets, and the share of trials that go on beyond each rung, a third (Li et al. 2020,
# "A System for Massively Parallel Hyperparameter Tuning", whose own factor is 4).
GRACE_EPOCHS, REDUCTION = 5, 3
# Tune is to write no curves of its own, and to look for no processors that a cluster might grow.
QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "-1",
}
NODE_LABEL = "ray.io/node-id"


@dataclass(frozen=True)
class Tuning:
    """A function of a module, what all its trials have in common, the trials by number, and how long they may take.

    The function is called as function(common, trial, report) on machines that see the file `witness` and have the
    versions of `packages` that this one has, and reports dicts with "epochs" and "loss" after every epoch. Below
    `storage`, a folder that each of those machines sees, Tune keeps what it has to.
    """

    function: Callable[[Any, Any, Callable[[dict[str, Any]], None]], None]
    common: Any
    trials: Mapping[int, Any]
    epochs: int
    witness: Path
    packages: tuple[str, ...]
    storage: Path


def tune(address: str, tuning: Tuning, tell: Callable[[str], None], check_stop: CheckStop) -> Iterator[Outcome]:
    """Yield how each trial ended, as they end: its last report as the result, or the reason why there is none.

    `tell` hears in words where the trials run and which machines are left out; without trials that is all that is found
    out. Raises ClusterError where there is no cluster, none of its machines is fit, or it is lost.
    """
    name = f"{tuning.function.__module__}:{tuning.function.__qualname__}"
    asked = vars(tuning) | {"function": name, "witness": str(tuning.witness), "storage": str(tuning.storage)}
    with closing(DriverProcess(drive, address)) as driver:
        driver.send(asked | {"sha256": node.hash_file(str(tuning.witness))})
        message = driver.hear_first(JOINED_WITHIN_S, check_stop)
        while message is None or message[0] != "over":
            match message:
                case ("told", words):
                    tell(words)
                case ("done", number, result):
                    yield Outcome(number, address, result)
                case ("failed", number, reason):
                    yield Outcome(number, address, reason=reason)
            check_stop()
            message = driver.hear(LOOK_AGAIN_S)


def drive(pipe: Connection, address: str) -> None:
    """Join the cluster and have the trials made that the job at the other end of the pipe asks for."""
    serve(pipe, address, lambda asked: _tune(pipe, address, asked))


def run_trial(config: dict[str, Any], function: str, common: Any, trials: Mapping[int, Any]) -> None:
    """Make one trial; what runs on a node."""
    from ray.tune import report

    resolve_name(function)(common, trials[config["number"]], report)


def _tune(pipe: Connection, address: str, asked: dict[str, Any]) -> None:
    os.environ.update(QUIET)
    try:
        from ray import tune as ray_tune
    except ImportError as problem:
        raise ClusterError(
            f"Expected Ray Tune, to have trials made on the cluster at {address}. Received: a Ray without it "
            f"({problem}). Install it: {INSTALL}"
        ) from problem
    fit = _find_fit(pipe, asked)
    if not fit:
        raise no_machine(address)
    machines = "1 machine" if len(fit) == 1 else f"{len(fit)} machines"
    pipe.send(("told", f"On {machines} of the cluster at {address}."))
    try:
        if asked["trials"]:
            _plan_trials(ray_tune, pipe, address, asked, fit).fit()
    except Exception as problem:
        raise ClusterError(
            f"Expected Ray Tune to see the trials through. Received: {tell_problem(problem)}. `ray status` on a "
            f"machine of the cluster at {address} says more."
        ) from problem
    pipe.send(("over",))
    # Until the job, which has heard of all, ends this process.
    pipe.poll(None)


def _plan_trials(ray_tune: Any, pipe: Connection, address: str, asked: dict[str, Any], fit: list[str]) -> Any:
    """Return the tuner that makes the trials on the nodes that are fit."""
    trainable = ray_tune.with_parameters(
        run_trial, function=asked["function"], common=asked["common"], trials=asked["trials"]
    )
    there = [{NODE_LABEL: f"in({','.join(fit)})"}]
    epochs = asked["epochs"]
    return ray_tune.Tuner(
        ray_tune.with_resources(trainable, ray_tune.PlacementGroupFactory([{"CPU": 1}], bundle_label_selector=there)),
        param_space={"number": ray_tune.grid_search(list(asked["trials"]))},
        tune_config=ray_tune.TuneConfig(
            scheduler=ray_tune.schedulers.ASHAScheduler(
                "epochs", "loss", "min", epochs, min(GRACE_EPOCHS, epochs), REDUCTION
            ),
            # A process loads TensorFlow once for all trials that it makes.
            reuse_actors=True,
        ),
        run_config=ray_tune.RunConfig(
            name="search",
            storage_path=asked["storage"],
            failure_config=ray_tune.FailureConfig(max_failures=TRIES - 1),
            callbacks=[_make_teller(pipe, address, set(fit))],
            verbose=0,
        ),
    )


def _find_fit(pipe: Connection, asked: dict[str, Any]) -> list[str]:
    """Ask every node what it has; return the ids of those that are fit, and tell why the others are left out."""
    import ray

    # By value: a node without Thaw is to say so.
    ray.cloudpickle.register_pickle_by_value(node)
    own, describe, fit = own_versions(asked["packages"]), ray.remote(node.describe), list[str]()
    nodes = [each for each in list_nodes() if each.alive and each.cpus >= 1]
    questions = [describe.options(**place_on(each.id, 0)).remote(asked["packages"], asked["witness"]) for each in nodes]
    deadline = time.monotonic() + EXAMINED_WITHIN_S
    for each, question in zip(nodes, questions, strict=True):
        try:
            said = ray.get(question, timeout=max(0.0, deadline - time.monotonic()))
        except ray.exceptions.RayError as problem:
            pipe.send(("told", f"{each.name} is left out: it did not say what it has ({tell_problem(problem)})."))
            continue
        fault = find_fault(each.name, said, own)
        if fault is None and said["witness"] != asked["sha256"]:
            fault = tell_unseen(each.name, asked["witness"])
        if fault:
            pipe.send(("told", fault))
        else:
            fit.append(each.id)
    return fit


def _make_teller(pipe: Connection, address: str, fit: set[str]) -> Any:
    """Return what tells the job of every trial that ends, and ends this process with the job or with the last machine
    that was fit."""
    from ray.tune import Callback

    class Teller(Callback):
        looked_at = 0.0

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            pipe.send(("done", trial.config["number"], _plain(trial.last_result)))

        def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
            if pipe.poll():
                # The job says nothing more: it has gone.
                os._exit(0)
            if time.monotonic() - self.looked_at > NODES_EVERY_S:
                self.looked_at = time.monotonic()
                if not any(each.alive for each in list_nodes() if each.id in fit):
                    say_goodbye(pipe, no_machine(address))
                    os._exit(0)

        def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
            # Only now the errors can be read.
            for trial in trials:
                if trial.status == trial.ERROR:
                    pipe.send(("failed", trial.config["number"], _tell_failure(trial)))

    return Teller()


def _plain(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial reported, without what Tune adds."""
    return {name: result[name] for name in ("epochs", "loss", "accuracy", "best_epoch", "seconds", "over")}


def _tell_failure(trial: Any) -> str:
    from ray.exceptions import OutOfMemoryError, RayActorError

    problem = trial.get_pickled_error() or trial.get_error()
    if isinstance(problem, OutOfMemoryError):
        return "it ran out of memory"
    if isinstance(problem, RayActorError):
        return "its process died, perhaps for want of memory"
    if not isinstance(problem, BaseException):
        # What Tune keeps as text: its last line says what it was.
        return str(problem).strip().rpartition("\n")[2] or "nobody knows why"
    return tell_problem(getattr(problem, "cause", None) or problem)
