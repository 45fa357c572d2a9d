"""The lineage of a run: all that its model depends on, and how long each stage took."""

import hashlib
import importlib.metadata
import json
import platform
import time
from typing import Any

from tlcore.anatomy import describe_layers
from tlcore.epochs import EpochKeeper
from tlcore.feeds import Feed
from tlcore.files import write_atomically
from tlcore.materials import Materials
from tlcore.reporter import Reporter
from tlcore.workspace import LABELS_FILE, LAYERS_FILE, SPLIT_FILE

VERSIONED = ("tensorflow", "keras", "numpy", "pillow", "scikit-learn")


def record_materials(reporter: Reporter, materials: Materials) -> None:
    """Write down all that the run depends on."""
    folder = reporter.store.workspace.run(materials.run.id)
    parts = materials.split
    contents = sorted(f"{image.label}\0{image.content}" for image in (*parts.training, *parts.validation))
    documents: dict[str, Any] = {
        LABELS_FILE: parts.labels,
        SPLIT_FILE: {
            "training": [image.id for image in parts.training],
            "validation": [image.id for image in parts.validation],
        },
        LAYERS_FILE: describe_layers(materials.row, materials.backbone),
    }
    # The split last: once it is there, the others are.
    for name, document in sorted(documents.items()):
        write_atomically(folder / name, json.dumps(document).encode())
    reporter.store.add_facts(
        materials.run.id,
        {
            "image_size": materials.image_size,
            "weights_sha256": materials.weights_sha256,
            "dataset_sha256": hashlib.sha256("\n".join(contents).encode()).hexdigest(),
            "training_images": len(parts.training),
            "validation_images": len(parts.validation),
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
    reporter.store.add_facts(run_id, {phase: facts})
