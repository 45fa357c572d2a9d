"""The two phases of a run: reads it, has `tlcore.training.phases` train, and records what comes of it."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from thaw.jobs.reporter import Reporter
from thaw.runs.results import predictions_file
from thaw.storage.facts import PhaseFacts
from thaw.training.lineage import record_layers, record_materials, record_times
from thaw.training.materials import RunMaterials, gather
from thaw.training.run_facts import kept_epoch, name_trained, record_outcome
from tlcore.errors import RunError, Stopped
from tlcore.features.compute import list_views
from tlcore.features.frozen import freeze_up_to
from tlcore.features.inputs import Feed
from tlcore.files import load_arrays, save_arrays
from tlcore.images.recipes import PLAIN
from tlcore.models.classifier import Cut
from tlcore.models.loading import LoadedBackbone
from tlcore.models.plan import POOLED, pooled_cut
from tlcore.progress import never_stop
from tlcore.training import phases
from tlcore.training.from_scratch import train_from_scratch
from tlcore.training.history import Epoch
from tlcore.training.recommendations import better_phase
from tlcore.training.recovery import Incidents
from tlcore.training.results import Observer, PhaseResult

HEAD, FINE_TUNE = "head", "fine_tune"


class RunObserver(Observer):
    """Records what one phase of a run ("head" or "fine_tune") tells, and hears the person's wish to stop."""

    def __init__(self, reporter: Reporter, run_id: str, phase: str) -> None:
        self._reporter, self._store, self._run_id, self._phase = reporter, reporter.store, run_id, phase

    def progress(self, stage: str, done: int, total: int) -> None:
        self._reporter.progress(stage, done, total)

    def check_stop(self) -> None:
        self._reporter.check_stop()

    def measure_features(self, feed: Feed, cut: Cut) -> None:
        facts: dict[str, Any] = {"engine": feed.frozen.engine}
        if feed.frozen.note:
            facts["engine_note"] = feed.frozen.note
        if feed.at_once:
            facts["features_at_once"] = feed.at_once
        if self._phase == HEAD and cut.names == (POOLED,):
            cache = {"folder": feed.cache, "channels": cut.shapes[0][0]}
            facts |= {"seconds_per_image": feed.seconds_per_image, "feature_cache": cache}
        self._store.add_facts(self._run_id, facts)

    def go_on_after(self, epoch: int) -> None:
        self._store.drop_epochs(self._run_id, after=epoch)

    def finish_epochs(self, epochs: Sequence[Epoch]) -> None:
        self._store.add_epochs(self._run_id, epochs)


def train_head(reporter: Reporter, run_id: str) -> None:
    """Do phase 1 of a run, or all of one that learns from scratch. A stop after the first epoch keeps the best so far
    as the result; Stopped is raised on, and a later call resumes from the last finished epoch."""
    started = time.perf_counter()
    store = reporter.store
    folder = store.workspace.run(run_id)
    materials = gather(reporter, run_id)
    record_materials(reporter, materials)
    train = train_from_scratch if materials.row.fresh else phases.train_head
    result = train(
        materials,
        folder,
        RunObserver(reporter, run_id, HEAD),
        incidents=read_incidents(reporter, run_id, HEAD),
        history=store.epochs(run_id),
    )
    save_arrays(folder / "head.npz", result.weights)
    save_predictions(reporter, materials, result, phase=1)
    record_layers(reporter, materials)
    record_outcome(reporter, run_id, phase=1)
    reporter.store.add_phase_facts(run_id, HEAD, {"checks": asdict(result.checks)})
    record_times(reporter, run_id, materials.compared, HEAD, result, started)
    store.set_result(run_id, 1)
    if materials.row.fresh:
        keep_features(reporter, materials)
    if result.stopped:
        raise Stopped
    phases.forget_snapshots(folder, 1)


def fine_tune(reporter: Reporter, run_id: str) -> None:
    """Do phase 2 of a run. If its model is no better on validation than phase 1's, phase 1's stays the result."""
    started = time.perf_counter()
    store = reporter.store
    folder = store.workspace.run(run_id)
    materials = gather(reporter, run_id)
    if materials.run.fine_tune is None:
        raise RunError("Expected a run with settings for phase 2. Received: a run without. Start phase 2 anew.")
    history = store.epochs(run_id)
    before = kept_epoch(materials.run, history, 1)
    result = phases.fine_tune(
        materials,
        materials.run.fine_tune,
        load_arrays(folder / "head.npz"),
        history,
        before,
        folder,
        RunObserver(reporter, run_id, FINE_TUNE),
        incidents=read_incidents(reporter, run_id, FINE_TUNE),
    )
    save_arrays(folder / "tuned.npz", result.weights)
    save_predictions(reporter, materials, result, phase=2)
    record_outcome(reporter, run_id, phase=2)
    record_times(reporter, run_id, materials.compared, FINE_TUNE, result, started)
    store.add_facts(run_id, {"cut": asdict(result.cut)})
    drift = [asdict(each) for each in result.drift]
    reporter.store.add_phase_facts(run_id, FINE_TUNE, {"precision": result.precision, "drift": drift})
    if before:
        store.set_result(run_id, better_phase(before, result.kept))
    if result.stopped:
        raise Stopped
    phases.forget_snapshots(folder, 2)


def keep_features(reporter: Reporter, materials: RunMaterials) -> None:
    """Cache what the trained network makes of each photo, which maps and lists of like photos ask for."""
    store, row, parts = reporter.store, materials.row, materials.split
    identity = name_trained(materials.run, store.workspace.run(materials.run.id) / "head.npz")
    trained = LoadedBackbone(row, lambda: materials.backbone, None, materials.image_size, identity)
    part = freeze_up_to(materials.caches, trained, pooled_cut(row))
    photos = [*parts.training, *parts.validation, *(photo for side in parts.extra.values() for photo in side)]
    part.fill(list_views(photos, 1, PLAIN, 0), PLAIN, 0, reporter.progress, never_stop)
    cache = {"folder": part.cache.folder.name, "channels": row.features}
    store.add_facts(materials.run.id, {"feature_cache": cache})


def read_incidents(reporter: Reporter, run_id: str, phase: str) -> Incidents:
    """Return what went wrong in a phase so far; what is added to it is on record at once."""

    def keep(incidents: Incidents) -> None:
        facts = {
            name: [asdict(each) for each in found]
            for name, found in (("retries", incidents.retries), ("out_of_memory", incidents.out_of_memory))
            if found
        }
        reporter.store.add_phase_facts(run_id, phase, facts)

    facts: PhaseFacts = getattr(reporter.store.run(run_id).facts, phase)
    return Incidents(facts.retries, facts.out_of_memory, keep)


def save_predictions(reporter: Reporter, materials: RunMaterials, result: PhaseResult, phase: int) -> None:
    """Keep what the model says of each photo that judges it, for pages to read without TensorFlow."""
    parts = materials.split
    folder = reporter.store.workspace.run(materials.run.id)
    images = {"validation": parts.validation, **parts.extra}
    for name, shares in result.probabilities.items():
        ids = np.array([image.id for image in images[name]])
        save_arrays(folder / predictions_file(phase, name), {"image_ids": ids, "probabilities": shares})
