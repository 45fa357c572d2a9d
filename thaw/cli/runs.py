"""The commands about runs: train, try, compare, queue."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from thaw.cli.commands import BackboneName, cluster_option, command, shards_option
from thaw.cli.jobs import do
from thaw.cli.output import Output, warn_of_unknown
from thaw.cluster.keeping import choose_store
from thaw.cluster.spreading import choose_cluster
from thaw.detection import comparison as detectors
from thaw.detection.found import FOUND, read_found, tell_found
from thaw.jobs import lifecycle, starts
from thaw.jobs.queue import waits
from thaw.jobs.stages import phrase
from thaw.runs import comparison
from thaw.runs.results import read_predictions
from thaw.storage.facts import PhaseFacts
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.training.evidence import judge_run
from thaw.training.run_facts import kept_epoch
from thaw.tuning.probe_record import ProbeSettings, read_probe, recommend
from thaw.tuning.rate_curve import read_curve
from tlcore.errors import RunError, SettingsError
from tlcore.evaluation.predictions import find_mistakes
from tlcore.images.recipes import PRESETS
from tlcore.models.backbone_table import SMALL_RESIDUAL
from tlcore.models.backbones import find_backbone, find_pretrained, without_pretrained
from tlcore.settings import (
    ADAPTING_ROUNDS,
    CLASS_WEIGHTS,
    METHODS,
    OUTPUTS,
    PARTS,
    TASKS,
    FineTuneSettings,
    HeadSettings,
    detection_settings,
    scratch_settings,
)

# An option that is not given keeps the default of its settings.
HEAD, TUNED, PROBE = HeadSettings(), FineTuneSettings(), ProbeSettings()
CUT_SHORT = "It was stopped before it had finished; what was measured is kept."


@command("train")
@click.argument("dataset")
@click.option("--backbone", type=BackboneName(), help=f"default: {HEAD.backbone}; `backbones` lists all")
@click.option(
    "--from-scratch",
    is_flag=True,
    help=f"without pretrained weights: the backbone's network, or {SMALL_RESIDUAL.network}; the defaults are others",
)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    help="classify photos, or detect objects on photos with boxes; the defaults of a detector are others "
    f"(default: {HEAD.task})",
)
@click.option("--image-size", type=int, help="pixels a side (default: suits the data set and backbone)")
@click.option("--epochs", type=int, help=f"at most (default: {HEAD.epochs})")
@click.option("--batch-size", type=int, help=f"default: {HEAD.batch_size}")
@click.option("--learning-rate", type=float, help=f"default: {HEAD.learning_rate:g}")
@click.option("--dropout", type=float, help=f"share, 0 to 0.9 (default: {HEAD.dropout:g})")
@click.option("--hidden-units", type=int, help="size of an extra layer in the head (default: none)")
@click.option("--output", type=click.Choice(OUTPUTS), help=f"default: {HEAD.output}; sigmoid is for two classes")
@click.option("--seed", type=int, help=f"default: {HEAD.seed}")
@click.option("--validation-split", type=float, help=f"share (default: {HEAD.validation_split:g})")
@click.option(
    "--augmentation",
    help=f"{', '.join(PRESETS)}, or a recipe such as mirror,crop=0.15,rotation=10 (default: {HEAD.augmentation})",
)
@click.option("--views", type=int, help=f"of each image, computed once and cached (default: {HEAD.views})")
@click.option("--exact", is_flag=True, default=None, help="draw new views in every epoch, uncached: far slower")
@click.option("--later-share", type=float, help="share of the newest photos kept for evaluation (default: 0)")
@click.option("--parts", type=click.Choice(PARTS), help=f"of a ready-made split, or Thaw's (default: {HEAD.parts})")
@click.option("--class-weights", type=click.Choice(CLASS_WEIGHTS), help=f"default: {HEAD.class_weights}")
@click.option("--method", type=click.Choice(METHODS), help=f"default: {HEAD.method}; svm is for small sets")
@click.option("--patience", type=int, help=f"epochs without improvement (default: {HEAD.patience})")
@cluster_option
@shards_option
def run_train(
    store: Store,
    dataset: str,
    from_scratch: bool,
    task: str | None,
    cluster: str | None,
    shards: str | None,
    **options: Any,
) -> Output:
    """Do phase 1, or all of a training from scratch, in this process."""
    choose_cluster(cluster)
    choose_store(shards)
    given = _given(options)
    if task == "detect":
        row, photos = find_pretrained(given.pop("backbone", HEAD.backbone)), store.count_looked_at(dataset)
        return _work(store, starts.add_head_job(store, dataset, detection_settings(row.name, photos, **given)), "head")
    backbone = given.pop("backbone", SMALL_RESIDUAL.name if from_scratch else HEAD.backbone)
    row = without_pretrained(backbone) if from_scratch else find_backbone(backbone)
    settings = scratch_settings(row.name, **given) if row.fresh else HeadSettings(backbone=row.name, **given)
    return _work(store, starts.add_head_job(store, dataset, settings), "head")


@command("finetune")
@click.argument("run")
@click.option("--layers", type=int, help="Keras layers from the top (default: suits the images, whole blocks)")
@click.option("--epochs", type=int, help=f"at most (default: {TUNED.epochs}; {ADAPTING_ROUNDS} for a detector)")
@click.option("--batch-size", type=int, help=f"default: {TUNED.batch_size}")
@click.option("--learning-rate", type=float, help="default: a hundredth of the head's, or a tenth")
@click.option("--patience", type=int, help=f"epochs without improvement (default: {TUNED.patience}, or 10)")
@click.option(
    "--largest-drop",
    type=float,
    help="share of accuracy that the first epoch may lose before a smaller rate is tried "
    f"(default: {TUNED.largest_drop:g})",
)
@click.option("--insist", is_flag=True, help="go on where Thaw refuses to spoil the weights")
@cluster_option
@shards_option
def run_finetune(store: Store, run: str, cluster: str | None, shards: str | None, **options: Any) -> Output:
    """Do phase 2 in this process."""
    choose_cluster(cluster)
    choose_store(shards)
    settings = starts.complete(store.run(run), **_given(options))
    return _work(store, starts.add_fine_tune_job(store, run, settings), "fine_tune")


@command("resume")
@click.argument("run")
@cluster_option
@shards_option
def run_resume(store: Store, run: str, cluster: str | None, shards: str | None) -> Output:
    """Go on with a run that was paused or cut short, in this process."""
    choose_cluster(cluster)
    choose_store(shards)
    return _work(store, run, starts.add_resume_job(store, run))


@command("stop")
@click.argument("run")
def run_stop(store: Store, run: str) -> Output:
    """Ask the process that trains a run, or waits to, to stop after the present step."""
    lifecycle.reconcile(store)
    job = store.latest_job(store.run(run).id)
    if job is None or not job.active:
        raise RunError(
            f"Expected a run that is training or waiting. Received: {run!r}, which is at rest. `queue` lists "
            "those that can be stopped."
        )
    store.ask_to_stop(job.id)
    return {"run": run, "job": job.id, "stop_requested": True}


@command("queue")
@click.option("--front", metavar="JOB", help="let this job go first of those that wait")
def run_queue(store: Store, front: str | None) -> Output:
    """List what works on the device and what waits for it, in order; `front` goes first of those."""
    lifecycle.reconcile(store)
    if front:
        _move_to_front(store, front)
    return [
        {
            "job": job.id,
            "kind": job.kind,
            "run": job.run_id or job.request.get("run"),
            "waiting": waits(job),
            "stage": phrase(job.stage),
        }
        # A job that was moved ahead of the one at work has not overtaken it.
        for job in sorted(store.queue(), key=waits)
    ]


@command("probe")
@click.argument("run")
@click.option("--depths", type=int, help=f"how many (default: {PROBE.depths})")
@click.option("--folds", type=int, help=f"of the cross-validation (default: {PROBE.folds})")
@click.option("--epochs", type=int, help=f"of each short run (default: {PROBE.epochs})")
@click.option("--images", type=int, help=f"that take part at most (default: {PROBE.images})")
@cluster_option
@shards_option
def run_probe(store: Store, run: str, cluster: str | None, shards: str | None, **options: Any) -> Output:
    """Try several depths on a trained head, in this process, and recommend one."""
    choose_cluster(cluster)
    choose_store(shards)
    do(store, starts.add_probe_job(store, run, ProbeSettings(**_given(options))), CUT_SHORT)
    found = read_probe(store.workspace.run(run))
    depths = found.depths if found else []
    best = recommend(depths)
    return {
        "run": run,
        "depths": [
            asdict(depth) | {"accuracy": depth.accuracy, "standard_error": depth.standard_error} for depth in depths
        ],
        "recommended_layers": best.top if best else None,
    }


@command("find-rate")
@click.argument("run")
@click.option("--phase", type=click.Choice([1, 2]), default=2, help="default: 2")
@click.option("--layers", type=int, help="unfrozen in phase 2 (default: as `finetune`)")
@click.option("--batch-size", type=int, help=f"in phase 2 (default: {TUNED.batch_size})")
def run_find_rate(store: Store, run: str, phase: int, **options: Any) -> Output:
    """Search a learning rate for a phase of a run, in this process."""
    do(store, starts.add_rate_job(store, run, phase, FineTuneSettings(**_given(options))), CUT_SHORT)
    curve = read_curve(store.workspace.run(run), phase)
    return {"run": run} | (asdict(curve) if curve else {})


@command("compare")
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
def run_compare(store: Store, run_ids: Sequence[str]) -> Output:
    """Compare two or more runs: their settings, those that differ first, and which is better beyond chance."""
    runs = [store.run(run_id) for run_id in run_ids]
    if not 2 <= len(runs) <= comparison.MOST_RUNS:
        raise SettingsError(
            f"Expected 2 to {comparison.MOST_RUNS} runs to compare. Received: {len(runs)}. `runs` lists all there are."
        )
    comparison.require_one_task(runs)
    names = [store.dataset(run.dataset_id).name for run in runs]
    detects = runs[0].head.task == "detect"
    entries = [
        comparison.ComparedRun(
            letter, run, name, read_predictions(store, run) if run.result_phase and not detects else None
        )
        for letter, run, name in zip(comparison.LETTERS, runs, names, strict=False)
    ]
    return {
        "runs": {entry.letter: entry.run.id for entry in entries},
        **(_judge_detectors(store, entries) if detects else _judge_classifiers(entries)),
        "settings": [
            {"setting": row.name, "differs": row.differs}
            | {entry.letter: value for entry, value in zip(entries, row.values, strict=True)}
            for row in comparison.compare_settings(entries)
        ],
    }


def _judge_classifiers(entries: Sequence[comparison.ComparedRun]) -> dict[str, Any]:
    return {
        "accuracy": {entry.letter: entry.judged.accuracy if entry.judged else None for entry in entries},
        "verdict": comparison.summarise(entries),
        "warning": comparison.warn(entries),
    }


def _judge_detectors(store: Store, entries: Sequence[comparison.ComparedRun]) -> dict[str, Any]:
    found = {entry.letter: read_found(store, entry.run) for entry in entries if entry.run.result_phase}
    return {
        "ap50": {entry.letter: found[entry.letter].precision if entry.letter in found else None for entry in entries},
        **{name: {letter: tell_found(photos)[name] for letter, photos in found.items()} for name in FOUND},
        "verdict": detectors.summarise(entries, found),
        "warning": detectors.warn(entries, found),
    }


@command("mistakes")
@click.argument("run")
def run_mistakes(store: Store, run: str) -> Output:
    """List the misclassified validation images, largest confidence gap first."""
    mistakes = find_mistakes(read_predictions(store, store.run(run)))
    return [
        {
            "image": mistake.name,
            "true": mistake.true,
            "predicted": mistake.predicted,
            "confidence": mistake.confidence,
            "true_confidence": mistake.true_confidence,
            "confidence_gap": mistake.confidence_gap,
        }
        for mistake in mistakes
    ]


@command("runs")
def run_runs(store: Store) -> Output:
    """List the runs, newest first."""
    lifecycle.reconcile(store)
    warn_of_unknown(store)
    return [
        {
            "run": run.id,
            "dataset": run.dataset_id,
            "task": run.head.task,
            "backbone": run.backbone,
            "status": latest.status if (latest := store.latest_job(run.id)) else None,
            "result_phase": run.result_phase,
            **_result_metrics(store, run),
            "created_at": run.created_at,
        }
        for run in store.runs()
    ]


def describe_training(store: Store, run: Run, phase: str) -> dict[str, Any]:
    """Return what `train` and `finetune` print of a run; `frozen_layers` counts the backbone's frozen Keras layers."""
    row, layers = find_backbone(run.backbone), (run.fine_tune.layers if run.fine_tune else None) or 0
    epochs = [asdict(epoch) for epoch in store.epochs(run.id)]
    facts: PhaseFacts = getattr(run.facts, phase)
    return {
        "run": run.id,
        "backbone": run.backbone,
        "frozen_layers": row.layers - layers if facts.frozen_layers is None else facts.frozen_layers,
        "epochs": epochs,
        **_result_metrics(store, run),
        "accuracies": run.facts.phase(run.result_phase or 1).accuracies,
        "seconds": facts.seconds and asdict(facts.seconds),
        "images_per_second": facts.images_per_second,
        "features_per_second": facts.features_per_second,
        "result_phase": run.result_phase,
        "evidence": [asdict(each) for each in judge_run(run, store.epochs(run.id), 2 if run.fine_tune else 1)],
        "device": run.facts.device,
        "versions": run.facts.versions,
    }


def _result_metrics(store: Store, run: Run) -> dict[str, float | None]:
    """Return how good a run's result is: of a detector AP50 and, from the usual confidence on, what is found."""
    best = kept_epoch(run, store.epochs(run.id), run.result_phase) if run.result_phase else None
    score, loss = (best.val_accuracy, best.val_loss) if best else (None, None)
    if run.head.task == "classify":
        return {"val_accuracy": score, "val_loss": loss}
    return {"ap50": score, **(tell_found(read_found(store, run)) if best else dict.fromkeys(FOUND)), "val_loss": loss}


def _move_to_front(store: Store, job_id: str) -> None:
    job = store.job(job_id)
    if not waits(job):
        raise RunError(
            f"Expected a job that waits. Received: {job_id!r}, which is at work or has ended. `queue` lists those that "
            "wait."
        )
    store.move_to_front(job.id)


def _work(store: Store, run_id: str, phase: str) -> Output:
    """Do the job that waits for a run in this process."""
    do(store, starts.waiting_job(store, run_id), f"The run {run_id!r} was stopped before it had finished.")
    return describe_training(store, store.run(run_id), phase)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that were given on the command line."""
    return {name: value for name, value in options.items() if value is not None}
