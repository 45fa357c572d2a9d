"""The lineage of a run: all that its model depends on, and how long each stage took."""

import hashlib
import importlib.metadata
import json
import platform
import time
from collections import Counter
from typing import Any

from tlcore.anatomy import describe_layers, summarise_depth
from tlcore.balance import weigh_classes
from tlcore.epochs import EpochKeeper
from tlcore.evaluation import accuracies
from tlcore.feeds import Feed
from tlcore.files import write_atomically
from tlcore.materials import Materials
from tlcore.reporter import Reporter
from tlcore.run_split import SIDES, write_split
from tlcore.settings import FineTuneSettings
from tlcore.workspace import LAYERS_FILE

VERSIONED = ("tensorflow", "keras", "numpy", "pillow", "scikit-learn")


def record_materials(reporter: Reporter, materials: Materials) -> None:
    """Write down all that the run depends on."""
    folder = reporter.store.workspace.run(materials.run.id)
    parts = materials.split
    seen = (image for side in SIDES for image in getattr(parts, side))
    contents = sorted(f"{image.label}\0{image.content}" for image in seen)
    layers = describe_layers(materials.row, materials.backbone)
    write_atomically(folder / LAYERS_FILE, json.dumps(layers).encode())
    # The split last: once it is there, the others are.
    write_split(reporter.store, materials.run.id, parts)
    reporter.store.add_facts(
        materials.run.id,
        {
            "image_size": materials.image_size,
            "weights_file": materials.row.weights_file,
            "weights_sha256": materials.weights_sha256,
            "dataset_version": materials.dataset_version,
            "dataset_sha256": hashlib.sha256("\n".join(contents).encode()).hexdigest(),
            "training_images": len(parts.training),
            "validation_images": len(parts.validation),
            "extra_images": {name: len(images) for name, images in parts.extra.items()},
            "class_counts": {side: Counter(image.label for image in getattr(parts, side)) for side in SIDES},
            "class_weights": weigh_classes(materials.settings, parts),
            "versions": {name: importlib.metadata.version(name) for name in VERSIONED}
            | {"python": platform.python_version()},
        },
    )


def record_times(
    reporter: Reporter, run_id: str, phase: str, feed: Feed, keeper: EpochKeeper, training_s: float, started: float
) -> None:
    """Write down which epoch's weights were kept and how long the stages took.

    Seconds add to those of a phase that was stopped and resumed; `images_per_second` is of the last part alone and
    counts what was trained on, once an epoch.
    """
    trained = keeper.epochs_trained * feed.training.images
    earlier = reporter.store.run(run_id).facts.get(phase, {}).get("seconds", {})
    spent = {"features": feed.seconds, "training": training_s, "total": time.perf_counter() - started}
    seconds = {stage: spent[stage] + earlier.get(stage, 0.0) for stage in spent}
    facts = {
        "seconds": seconds,
        "best_epoch": keeper.standing.best_epoch,
        "features_computed": feed.computed,
        "features_per_second": feed.computed / feed.seconds if feed.computed else None,
        "images_per_second": trained / training_s if training_s else None,
    }
    add_phase_facts(reporter, run_id, phase, facts)


def record_outcome(reporter: Reporter, materials: Materials, phase: int) -> None:
    """Write down the accuracy of a phase's model on every evaluation set, and which layers were frozen for it."""
    store, run = reporter.store, reporter.store.run(materials.run.id)
    layers = json.loads((store.workspace.run(run.id) / LAYERS_FILE).read_text())
    top = FineTuneSettings.from_json(run.fine_tune).layers if phase == 2 and run.fine_tune else 0
    facts: dict[str, Any] = {
        "accuracies": {side: accuracy for side, (accuracy, _) in accuracies(store, run, phase).items()},
        "frozen_layers": len(layers) - (top or 0),
    }
    if top:
        facts["unfrozen_from_layer"] = summarise_depth(layers, top).first_unfrozen
    add_phase_facts(reporter, run.id, "head" if phase == 1 else "fine_tune", facts)


def add_phase_facts(reporter: Reporter, run_id: str, phase: str, facts: dict[str, Any]) -> None:
    """Merge measured facts (JSON-able) into those of one phase of a run ("head" or "fine_tune")."""
    kept = reporter.store.run(run_id).facts.get(phase, {})
    reporter.store.add_facts(run_id, {phase: kept | facts})
