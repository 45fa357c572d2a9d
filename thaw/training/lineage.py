"""The lineage of a run: all that its model depends on, and how long each stage took."""

import json
import time
from typing import TYPE_CHECKING

from thaw.backbones.loading import list_layers
from thaw.datasets.run_split import write_split
from thaw.datasets.similarity import Compared
from thaw.jobs.reporter import Reporter
from thaw.storage.workspace import LAYERS_FILE
from thaw.training.materials import RunMaterials
from thaw.training.run_facts import describe_split, read_versions
from tlcore.files import write_atomically
from tlcore.images.pixels import WIDEST
from tlcore.training.history import PhaseSeconds
from tlcore.training.results import PhaseResult

if TYPE_CHECKING:
    from tlcore.detection.phases import DetectorResult


def record_materials(reporter: Reporter, materials: RunMaterials) -> None:
    """Write down all that the run depends on."""
    parts = materials.split
    write_split(reporter.store, materials.run.id, parts)
    reporter.store.add_facts(
        materials.run.id,
        {
            "image_size": materials.image_size,
            "weights_file": materials.row.weights_file or None,
            "weights_sha256": materials.weights_sha256 or None,
            "dataset_version": materials.dataset_version,
            "grey_range": reporter.store.dataset(materials.run.dataset_id).grey_range or WIDEST,
            **describe_split(materials.settings, parts),
            "versions": read_versions(),
        },
    )


def record_layers(reporter: Reporter, materials: RunMaterials) -> None:
    """Write down the layers of the run's backbone, which fine-tuning asks for: after phase 1, which can do without
    the second that building it takes."""
    folder = reporter.store.workspace.run(materials.run.id)
    layers = list_layers(materials, materials.caches)
    write_atomically(folder / LAYERS_FILE, json.dumps(layers).encode())


def record_times(
    reporter: Reporter,
    run_id: str,
    compared: Compared,
    phase: str,
    result: "PhaseResult | DetectorResult",
    started: float,
) -> None:
    """Write down which epoch's weights were kept and how long the stages took.

    Seconds add to those of a phase that was stopped and resumed; `images_per_second` is of the last part alone and
    counts what was trained on, once an epoch. Features that were compared before the photos were divided count too.
    """
    feed = result.feed
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
