"""What is measured or counted of a run and kept with it, whichever way its head is trained; no TensorFlow."""

import hashlib
import importlib.metadata
import json
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thaw.datasets.run_split import SIDES
from thaw.jobs.reporter import Reporter
from thaw.runs.results import accuracies
from thaw.storage.records import Run
from thaw.storage.workspace import LAYERS_FILE
from thaw.training.depth_summary import summarise_depth
from tlcore.models.backbones import find_backbone
from tlcore.models.weights import sha256_of
from tlcore.settings import HeadSettings
from tlcore.splits.class_weights import weigh_classes
from tlcore.splits.splits import Split
from tlcore.training.history import Epoch

VERSIONED = ("tensorflow", "keras", "numpy", "pillow", "scikit-learn")


def describe_split(settings: HeadSettings, parts: Split) -> dict[str, Any]:
    """Return JSON-able facts on the images that a run sees: their number, a hash of content and labels, the weights."""
    seen = (image for side in SIDES for image in getattr(parts, side))
    contents = sorted(f"{image.label}\0{image.content}" for image in seen)
    return {
        "dataset_sha256": hashlib.sha256("\n".join(contents).encode()).hexdigest(),
        "training_images": len(parts.training),
        "validation_images": len(parts.validation),
        "extra_images": {name: len(images) for name, images in parts.extra.items()},
        "class_counts": {side: Counter(image.label for image in getattr(parts, side)) for side in SIDES},
        "class_weights": weigh_classes(settings, parts),
        "kept_parts": settings.parts == "theirs" and any(image.part for image in (*parts.training, *parts.validation)),
    }


def read_versions() -> dict[str, str]:
    """Return the versions of what a run's result depends on; reads what is installed and imports none of it."""
    return {name: importlib.metadata.version(name) for name in VERSIONED} | {"python": platform.python_version()}


def record_outcome(reporter: Reporter, run_id: str, phase: int) -> None:
    """Write down the accuracy of a phase's model on every evaluation set, and which layers were frozen for it."""
    store, run = reporter.store, reporter.store.run(run_id)
    layers = json.loads((store.workspace.run(run.id) / LAYERS_FILE).read_text(encoding="utf-8"))
    top = run.fine_tune.layers if phase == 2 and run.fine_tune else 0
    frozen = 0 if find_backbone(run.backbone).fresh else len(layers) - (top or 0)
    facts: dict[str, Any] = {
        "accuracies": {side: accuracy for side, (accuracy, _) in accuracies(store, run, phase).items()},
        "frozen_layers": frozen,
    }
    if top:
        facts["unfrozen_from_layer"] = summarise_depth(layers, top).first_unfrozen
    reporter.store.add_phase_facts(run.id, "head" if phase == 1 else "fine_tune", facts)


def name_trained(run: Run, result: Path) -> str:
    """Name a backbone that a run has trained, its weights being in the file `result`, in the caches of features."""
    return f"{run.facts.weights_sha256}, tuned {sha256_of(result)}"


def kept_epoch(run: Run, epochs: Sequence[Epoch], phase: int) -> Epoch | None:
    """Return the epoch whose weights the saved model of a phase has, or None while the phase has left no model.

    A phase that was stopped, resumed and killed has later epochs on record than its saved model has seen.
    """
    number = run.facts.phase(phase).best_epoch
    return next((epoch for epoch in epochs if epoch.epoch == number and epoch.phase == phase), None)
