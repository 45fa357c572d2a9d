"""The lineage of a run: all that its model depends on, and how long each stage took."""

import json
import time
from typing import Any

from thaw.datasets.run_split import write_split
from thaw.jobs.reporter import Reporter
from thaw.storage.workspace import LAYERS_FILE
from thaw.training.materials import RunMaterials
from thaw.training.run_facts import describe_split, read_versions
from tlcore.files import write_atomically
from tlcore.images.deep_pictures import WIDEST
from tlcore.models.backend import keras
from tlcore.models.layers import describe_layers
from tlcore.training.history import PhaseSeconds
from tlcore.training.results import PhaseResult


def record_materials(reporter: Reporter, materials: RunMaterials) -> None:
    """Write down all that the run depends on."""
    folder = reporter.store.workspace.run(materials.run.id)
    parts = materials.split
    write_atomically(folder / LAYERS_FILE, json.dumps(_describe(materials)).encode())
    # The split last: once it is there, the others are.
    write_split(reporter.store, materials.run.id, parts)
    reporter.store.add_facts(
        materials.run.id,
        {
            "image_size": materials.image_size,
            "weights_file": materials.row.weights_file,
            "weights_sha256": materials.weights_sha256,
            "dataset_version": materials.dataset_version,
            "grey_range": reporter.store.dataset(materials.run.dataset_id).grey_range or WIDEST,
            **describe_split(materials.settings, parts),
            "versions": read_versions(),
        },
    )


def _describe(materials: RunMaterials) -> list[dict[str, Any]]:
    """Describe the layers of the run's backbone, which for one size of images are the same whatever it learns from."""
    path = materials.caches / f"layers-{materials.row.name}-{materials.image_size}-{keras.__version__}.json"
    if path.exists():
        return list(json.loads(path.read_text(encoding="utf-8")))
    layers = describe_layers(materials.row, materials.backbone)
    write_atomically(path, json.dumps(layers).encode())
    return layers


def record_times(reporter: Reporter, materials: RunMaterials, phase: str, result: PhaseResult, started: float) -> None:
    """Write down which epoch's weights were kept and how long the stages took.

    Seconds add to those of a phase that was stopped and resumed; `images_per_second` is of the last part alone and
    counts what was trained on, once an epoch. Features that were compared before the photos were divided count too.
    """
    run_id, feed, compared = materials.run.id, result.feed, materials.compared
    trained = result.epochs_trained * feed.training.images
    computed, features_s = feed.computed + compared.computed, feed.seconds + compared.seconds
    earlier = getattr(reporter.store.run(run_id).facts, phase).seconds or PhaseSeconds()
    spent = {"features": features_s, "training": result.training_s, "total": time.perf_counter() - started}
    seconds = {stage: spent[stage] + getattr(earlier, stage) for stage in spent}
    facts = {
        "seconds": seconds,
        "best_epoch": result.kept.epoch,
        "features_computed": computed,
        "features_per_second": computed / features_s if computed else None,
        "images_per_second": trained / result.training_s if result.training_s else None,
    }
    reporter.store.add_phase_facts(run_id, phase, facts)
