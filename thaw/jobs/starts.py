"""What each kind of job asks for: what is checked and recorded before it starts, and the start itself."""

import dataclasses
import json
import shutil
from typing import Any

from thaw.jobs import lifecycle
from thaw.storage.database import new_id
from thaw.storage.records import Job, JobKind, Run
from thaw.storage.store import Store
from thaw.storage.workspace import BOXES_FILE, LABELS_FILE, LAYERS_FILE, MAP_FILE, SPLIT_FILE
from thaw.tuning.probe_record import PROBE_FILE, ProbeSettings
from thaw.tuning.search_record import SearchSettings
from tlcore.environment import KEPT_MEMORY
from tlcore.errors import GuardError, RunError, SettingsError
from tlcore.models.backbones import find_backbone, find_pretrained
from tlcore.settings import FineTuneSettings, HeadSettings, detector_fine_tune
from tlcore.training.recommendations import (
    recommend_depth,
    recommend_detector,
    recommend_learning_rate,
    refuse_fine_tune,
)

RECORDS = (LABELS_FILE, SPLIT_FILE, BOXES_FILE, LAYERS_FILE, PROBE_FILE, MAP_FILE)
HEAD_FILES = (*RECORDS, "head.npz", "predictions-1*.npz", "found-1*.npz", "rates-*.json")
SVM_IMAGES = 1000
TRIALS = 200


def start_import(store: Store, request: dict[str, Any]) -> str:
    """Start importing in a process of its own; return the job's id. `thaw.datasets.importer` reads the request."""
    job_id = store.add_job("import", dict(request))
    lifecycle.launch(store, job_id)
    return job_id


def add_check_job(store: Store, dataset_id: str, backbone: str, seed: int) -> str:
    """Record a check of a data set that is about to start; return the job's id. Raise RunError while one goes on,
    and BackboneError for a backbone that is unknown, or knows nothing yet."""
    find_pretrained(backbone)
    store.dataset(dataset_id)
    lifecycle.reconcile(store)
    if any(job.active and job.dataset_id == dataset_id for job in store.jobs("check")):
        raise RunError("Expected no check of this data set to be going on. Received: one that is. Wait or stop it.")
    return store.add_job("check", {"backbone": backbone, "seed": seed}, dataset_id)


def start_check(store: Store, dataset_id: str, backbone: str, seed: int) -> str:
    """Start cross-validating a data set on a backbone's features, in a process of its own; return the job's id."""
    job_id = add_check_job(store, dataset_id, backbone, seed)
    lifecycle.launch(store, job_id)
    return job_id


def add_search_job(store: Store, dataset_id: str, settings: SearchSettings) -> str:
    """Record a search of settings for a data set that is about to start; return the job's id.

    Raises RunError while one of it goes on, BackboneError for a backbone that is unknown, or knows nothing yet.
    """
    for backbone in settings.backbones:
        find_pretrained(backbone)
    store.dataset(dataset_id)
    lifecycle.reconcile(store)
    if any(job.active and job.dataset_id == dataset_id for job in store.jobs("search")):
        raise RunError("Expected no search for this data set to be going on. Received: one that is. Wait or stop it.")
    return store.add_job("search", {"settings": dataclasses.asdict(settings)}, dataset_id)


def add_head_job(store: Store, dataset_id: str, settings: HeadSettings) -> str:
    """Record a new run that waits for phase 1; return its id.

    Raise BackboneError for an unknown backbone, or for an image size that it does not take.
    """
    row = find_backbone(settings.backbone)
    if settings.image_size is not None:
        row.require_size(settings.image_size)
    if settings.task == "detect":
        find_pretrained(settings.backbone)
    if row.fresh and settings.method == "svm":
        raise SettingsError(
            f"Expected a backbone that has learnt from photos below a support vector machine. Received: {row.title!r}. "
            "Train it by gradient steps."
        )
    images = store.dataset(dataset_id).included
    if settings.method == "svm" and images >= SVM_IMAGES:
        raise SettingsError(
            f"Expected fewer than {SVM_IMAGES:,} images for a support vector machine. Received: {images:,}. Train the "
            "head by gradient steps, which suits large sets better."
        )
    run_id = store.add_run(dataset_id, settings.backbone, settings.to_json())
    store.add_job("head", {}, dataset_id, run_id)
    return run_id


def find_head(store: Store, dataset_id: str, settings: HeadSettings) -> str | None:
    """Return the run whose phase 1 waits or works with these settings on the data set as it is, or None."""
    lifecycle.reconcile(store)
    version = store.dataset(dataset_id).version
    for job, run in _in_line(store, "head"):
        same = run.dataset_id == dataset_id and run.head == settings and run.facts.retrained_from is None
        if same and not job.stop_requested and run.facts.dataset_version in (None, version):
            return run.id
    return None


def find_fine_tune(store: Store, run_id: str, settings: FineTuneSettings) -> str | None:
    """Return the run whose phase 2 waits or works with these settings on the head of `run_id`, or None.

    Raises RunError where that run has no head yet, or nothing frozen.
    """
    lifecycle.reconcile(store)
    run = store.run(run_id)
    _require_frozen(run)
    wanted = suit(store, run, run.head, settings)
    for job, other in _in_line(store, "fine_tune"):
        if run_id in (other.id, other.facts.branched_from) and other.fine_tune == wanted and not job.stop_requested:
            return other.id
    return None


def add_fine_tune_job(store: Store, run_id: str, settings: FineTuneSettings) -> str:
    """Record that a run waits for phase 2; return the run's id.

    A run that has had a phase 2 keeps it: a new run is branched off at the end of its phase 1, and that one's id is
    returned. Raises GuardError where phase 2 would smash the pretrained weights, unless the settings insist, and
    RunError while the run is busy, has no head yet or nothing frozen.
    """
    run = store.run(run_id)
    _require_idle(store, run_id)
    epochs, head = store.epochs(run_id), run.head
    _require_frozen(run)
    settings = suit(store, run, head, settings)
    row = find_backbone(run.backbone)
    if settings.layers is not None and settings.layers > row.layers:
        raise SettingsError(
            f"Expected at most {row.layers} layers to unfreeze, all that {row.title} has. Received: {settings.layers}."
        )
    reason = None if settings.insist else refuse_fine_tune(epochs, head, settings)
    if reason:
        raise GuardError(reason)
    target = run_id if run.fine_tune is None else branch(store, run)
    store.set_fine_tune(target, settings.to_json())
    store.add_job("fine_tune", {}, run.dataset_id, target)
    return target


def complete(run: Run, **chosen: Any) -> FineTuneSettings:
    """Return the settings of phase 2 of a run, `chosen` in the place of what suits a classifier or a detector."""
    if run.head.task == "detect":
        return detector_fine_tune(run.head.batch_size, **chosen)
    return FineTuneSettings(**chosen)


def suit(store: Store, run: Run, head: HeadSettings, settings: FineTuneSettings) -> FineTuneSettings:
    """Fill in what the settings leave to Thaw: the depth and the learning rate that suit the run's images."""
    image_size, input_size = run.image_size, find_backbone(run.backbone).input_size
    layers = json.loads((store.workspace.run(run.id) / LAYERS_FILE).read_text(encoding="utf-8"))
    if head.task == "detect":
        depth, rate = recommend_detector(layers, head.learning_rate)
    else:
        depth = recommend_depth(layers, image_size, input_size)
        rate = recommend_learning_rate(head.learning_rate, image_size, input_size)
    return dataclasses.replace(
        settings,
        layers=depth if settings.layers is None else settings.layers,
        learning_rate=settings.learning_rate or rate,
    )


def branch(store: Store, run: Run) -> str:
    """Copy a run as it was at the end of phase 1; return the new run's id."""
    branched = new_id("run")
    source, target = store.workspace.run(run.id), store.workspace.run(branched)
    target.mkdir(parents=True)
    for file in (file for pattern in HEAD_FILES for file in source.glob(pattern)):
        shutil.copy2(file, target / file.name)
    # The row last: a run that is on record has its files.
    store.branch_run(run.id, branched)
    return branched


def start_head(store: Store, dataset_id: str, settings: HeadSettings) -> str:
    """Start phase 1 on a data set in a process of its own; return the new run's id."""
    run_id = add_head_job(store, dataset_id, settings)
    launch_worker(store, run_id)
    return run_id


def start_fine_tune(store: Store, run_id: str, settings: FineTuneSettings) -> str:
    """Start phase 2 in a process of its own; return the id of the run that has it (see `add_fine_tune_job`)."""
    target = add_fine_tune_job(store, run_id, settings)
    launch_worker(store, target)
    return target


def add_probe_job(store: Store, run_id: str, settings: ProbeSettings) -> str:
    """Record a depth probe of a run that is about to start; return the job's id.

    Raises RunError while the run has no head or nothing frozen, or while a probe of it goes on. One with the settings
    of an earlier goes on with the depths that are missing.
    """
    store.run(run_id).require_classifier()
    _require_frozen(store.run(run_id))
    return add_trial(store, "probe", run_id, dataclasses.asdict(settings))


def add_rate_job(store: Store, run_id: str, phase: int, settings: FineTuneSettings | None = None) -> str:
    """Record a search of the learning rate of a phase of a run; return the job's id. Errors are `add_probe_job`'s.

    Phase 2 is searched with the depth and batch size of `settings`, phase 1 with the run's own batch size.
    """
    run = store.run(run_id)
    head = run.head
    run.require_classifier()
    _require_frozen(run)
    chosen = suit(store, run, head, settings or FineTuneSettings())
    batch_size = chosen.batch_size if phase == 2 else head.batch_size
    asked = {"phase": phase, "layers": chosen.layers if phase == 2 else 0, "batch_size": batch_size}
    return add_trial(store, "rate_search", run_id, asked)


def start_probe(store: Store, run_id: str, settings: ProbeSettings | None = None) -> str:
    """Start a depth probe of a run in a process of its own; return the job's id (see `add_probe_job`)."""
    job_id = add_probe_job(store, run_id, settings or ProbeSettings())
    lifecycle.launch(store, job_id)
    return job_id


def start_rate_search(store: Store, run_id: str, phase: int, settings: FineTuneSettings | None = None) -> str:
    """Start a search of a learning rate in a process of its own; return the job's id (see `add_rate_job`)."""
    job_id = add_rate_job(store, run_id, phase, settings)
    lifecycle.launch(store, job_id)
    return job_id


def add_trial(store: Store, kind: JobKind, run_id: str, settings: dict[str, Any]) -> str:
    """Record what is about to be tried or made of a run and leaves it as it is; return the job's id.

    Raises RunError while the run has no head, or while a job of this kind works on it.
    """
    run = store.run(run_id)
    _require_head(run)
    lifecycle.reconcile(store)
    latest = latest_trial(store, kind, run_id)
    if latest and latest.active:
        raise RunError(
            f"Expected a run on which no other job of this kind works. Received: {run_id!r}. Wait or stop it first."
        )
    return store.add_job(kind, {"run": run_id, "backbone": run.backbone, "settings": settings}, run.dataset_id)


def latest_trial(store: Store, kind: JobKind, run_id: str) -> Job | None:
    """Return the newest probe or search of a run, or None before the first.

    What changes nothing about a run is no job of the run's own, which tell how the run itself stands.
    """
    return next((job for job in store.jobs(kind, limit=TRIALS) if job.request["run"] == run_id), None)


def add_resume_job(store: Store, run_id: str) -> JobKind:
    """Record that a stopped or failed run goes on; return which phase. Raise RunError for a run that finished."""
    latest = _require_idle(store, store.run(run_id).id)
    if latest is None or latest.status == "finished":
        raise RunError(f"Expected a run that stopped or failed. Received: {run_id!r}, which finished. Start a new one.")
    store.add_job(latest.kind, {"resume": True}, latest.dataset_id, run_id)
    return latest.kind


def resume(store: Store, run_id: str) -> None:
    """Go on with a stopped or failed run from its last finished epoch, in a new process."""
    add_resume_job(store, run_id)
    launch_worker(store, run_id)


def launch_worker(store: Store, run_id: str) -> None:
    """Start the worker that does the job a run waits for."""
    job_id = waiting_job(store, run_id)
    retrains = store.job(job_id).kind == "head" and store.run(run_id).facts.retrained_from is not None
    lifecycle.launch(store, job_id, KEPT_MEMORY if retrains else None)


def waiting_job(store: Store, run_id: str) -> str:
    """Return the id of the job that a run waits for; raise RunError where it waits for none."""
    job = store.latest_job(run_id)
    if job is None or job.status != "starting":
        raise RunError(f"Expected a run whose job waits to start. Received: {run_id!r}. Start or resume it first.")
    return job.id


def _in_line(store: Store, kind: JobKind) -> list[tuple[Job, Run]]:
    return [(job, store.run(job.run_id)) for job in store.queue() if job.kind == kind and job.run_id]


def _require_head(run: Run) -> None:
    if run.result_phase is None:
        raise RunError(f"Expected a run whose head has been trained. Received: {run.id!r}. Train its head first.")


def _require_frozen(run: Run) -> None:
    """Raise RunError for a run that has no head yet, or that learnt from scratch."""
    _require_head(run)
    if find_backbone(run.backbone).fresh:
        raise RunError(
            f"Expected a run whose backbone was frozen. Received: {run.id!r}, all of which has learnt from scratch, so "
            "that nothing is left to thaw. Train it for more epochs, or choose a backbone that has learnt from photos."
        )


def _require_idle(store: Store, run_id: str) -> Job | None:
    lifecycle.reconcile(store)
    latest = store.latest_job(run_id)
    if latest and latest.active:
        raise RunError(f"Expected a run at rest. Received: {run_id!r}, which is running. Stop it or wait for its end.")
    return latest
