"""The two phases of a detector's run: reads it, has `tlcore.detection.phases` train, and records what comes of it."""

import contextlib
import hashlib
import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from thaw.detection.answering import open_frozen
from thaw.detection.boxed_split import write_seen
from thaw.detection.found import keep_found, read_found
from thaw.detection.materials import RunDetectorMaterials, gather
from thaw.jobs.reporter import Reporter
from thaw.storage.boxes import write_boxes
from thaw.storage.store import Store
from thaw.storage.workspace import LAYERS_FILE
from thaw.training.depth_summary import summarise_depth
from thaw.training.lineage import record_times
from thaw.training.run import FINE_TUNE, HEAD, RunObserver, read_incidents
from thaw.training.run_facts import kept_epoch, read_versions
from tlcore.detection import phases
from tlcore.errors import RunError, Stopped
from tlcore.features.frozen import uses_onnx
from tlcore.files import load_arrays, save_arrays, write_atomically
from tlcore.images.pixels import WIDEST
from tlcore.models.layers import describe_layers
from tlcore.training.phases import forget_snapshots
from tlcore.training.recommendations import better_phase


def train_head(reporter: Reporter, run_id: str) -> None:
    """Do phase 1 of a detector's run, as `thaw.training.run.train_head` does that of a classifier's."""
    started = time.perf_counter()
    store = reporter.store
    folder = store.workspace.run(run_id)
    materials = gather(reporter, run_id)
    _record_materials(reporter, materials)
    result = phases.train_detector(
        materials,
        folder,
        RunObserver(reporter, run_id, HEAD),
        incidents=read_incidents(reporter, run_id, HEAD),
        history=store.epochs(run_id),
    )
    save_arrays(folder / "head.npz", result.weights)
    layers = describe_layers(materials.row, materials.tapped)
    write_atomically(folder / LAYERS_FILE, json.dumps(layers).encode())
    store.add_facts(run_id, {"seconds_per_image": result.feed.seconds_per_image})
    _finish(reporter, materials, result, 1, started)
    store.set_result(run_id, 1)
    _prepare_answers(store, materials, result, folder / "head.npz")
    if result.stopped:
        raise Stopped
    forget_snapshots(folder, 1)


def fine_tune(reporter: Reporter, run_id: str) -> None:
    """Do phase 2 of a detector's run. If it finds no more on validation than phase 1's, phase 1's stays the result."""
    started = time.perf_counter()
    store = reporter.store
    folder = store.workspace.run(run_id)
    materials = gather(reporter, run_id)
    if materials.run.fine_tune is None:
        raise RunError("Expected a run with settings for phase 2. Received: a run without. Start phase 2 anew.")
    history = store.epochs(run_id)
    before = kept_epoch(materials.run, history, 1)
    result = phases.fine_tune_detector(
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
    _finish(reporter, materials, result, 2, started)
    store.add_facts(run_id, {"cut": asdict(result.cut)})
    store.add_phase_facts(run_id, FINE_TUNE, {"drift": [asdict(each) for each in result.drift]})
    if before:
        store.set_result(run_id, better_phase(before, result.kept))
    if store.run(run_id).result_phase == 2:
        _prepare_answers(store, materials, result, folder / "tuned.npz")
    if result.stopped:
        raise Stopped
    forget_snapshots(folder, 2)


def _prepare_answers(
    store: Store, materials: RunDetectorMaterials, result: phases.DetectorResult, weights: Path
) -> None:
    """Write the file by which new pictures are answered for, while Keras has the model: nobody is to wait for it."""
    if uses_onnx():
        # What lacks room or memory now is written when somebody asks, who is told then.
        with contextlib.suppress(MemoryError, OSError):
            open_frozen(store, store.run(materials.run.id), weights, lambda: (materials.tapped, result.head))


def _record_materials(reporter: Reporter, materials: RunDetectorMaterials) -> None:
    """Write down all that the run depends on."""
    store, parts, run = reporter.store, materials.split, materials.run
    write_seen(store, run.id, parts, materials.boxes)
    sides = {"training": parts.training, "validation": parts.validation, **parts.extra}
    counts = {
        side: Counter(box.label for image in images for box in materials.boxes[image.id])
        for side, images in sides.items()
    }
    seen = sorted(
        f"{image.content}\0{write_boxes(materials.boxes[image.id])}" for side in sides.values() for image in side
    )
    store.add_facts(
        run.id,
        {
            "image_size": materials.image_size,
            "weights_file": materials.row.weights_file or None,
            "weights_sha256": materials.weights_sha256 or None,
            "dataset_version": materials.dataset_version,
            "grey_range": store.dataset(run.dataset_id).grey_range or WIDEST,
            "dataset_sha256": hashlib.sha256("\n".join(seen).encode()).hexdigest(),
            "training_images": len(parts.training),
            "validation_images": len(parts.validation),
            "extra_images": {name: len(images) for name, images in parts.extra.items()},
            "class_counts": counts,
            "versions": read_versions(),
        },
    )


def _finish(
    reporter: Reporter, materials: RunDetectorMaterials, result: phases.DetectorResult, phase: int, started: float
) -> None:
    """Keep what the detector of a phase found, how good that is, which layers were frozen, and how long it took."""
    store, parts, run = reporter.store, materials.split, reporter.store.run(materials.run.id)
    images = {"validation": parts.validation, **parts.extra}
    for side, found in result.found.items():
        keep_found(store, run.id, phase, side, [image.id for image in images[side]], found)
    layers = json.loads((store.workspace.run(run.id) / LAYERS_FILE).read_text(encoding="utf-8"))
    top = (run.fine_tune.layers or 0) if phase == 2 and run.fine_tune else 0
    facts: dict[str, Any] = {
        "accuracies": {side: read_found(store, run, phase, side).precision for side in result.found},
        "frozen_layers": len(layers) - top,
    }
    if top:
        facts["unfrozen_from_layer"] = summarise_depth(layers, top).first_unfrozen
    name = HEAD if phase == 1 else FINE_TUNE
    store.add_phase_facts(run.id, name, facts)
    record_times(reporter, run.id, materials.compared, name, result, started)
