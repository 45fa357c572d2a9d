"""What both phases of a run start from: its photos, split, and the backbone with its weights."""

import json
from dataclasses import dataclass
from pathlib import Path

import keras

from tlcore.architectures import build_backbone
from tlcore.backbones import Backbone, find_backbone
from tlcore.errors import WeightsError
from tlcore.records import Run
from tlcore.reporter import Reporter
from tlcore.settings import HeadSettings
from tlcore.splits import Split, recommend_image_size, split
from tlcore.store import Store
from tlcore.weights import fetch, fingerprint
from tlcore.workspace import LABELS_FILE, SPLIT_FILE


@dataclass(frozen=True)
class Materials:
    """What both phases of a run start from."""

    run: Run
    settings: HeadSettings
    row: Backbone
    backbone: keras.Model
    split: Split
    image_size: int
    weights_sha256: str


def gather(reporter: Reporter, run_id: str) -> Materials:
    """Read a run's photos and settings, fetch the backbone's weights and build it."""
    store = reporter.store
    run = store.run(run_id)
    settings = HeadSettings.from_json(run.head)
    row = find_backbone(run.backbone)
    parts = read_split(store, run) or split(store.images(run.dataset_id), settings.validation_split, settings.seed)
    images = [*parts.training, *parts.validation]
    image_size = settings.image_size or recommend_image_size(images, row.input_size)
    reporter.progress("fetching the backbone's weights", 0, 0)
    path, sha256 = fetch_weights(reporter, run, row)
    reporter.progress("building the backbone", 0, 0)
    return Materials(run, settings, row, build_backbone(row, image_size, path), parts, image_size, sha256)


def fetch_weights(reporter: Reporter, run: Run, row: Backbone) -> tuple[Path, str]:
    """Return the weights file of a backbone and its sha256, downloading it if need be; raise Stopped on request.

    Raises WeightsError if phase 1 of the run saw another file: its head would not fit these features.
    """

    def tell(done: int, total: int) -> None:
        reporter.check_stop()
        reporter.progress("downloading the backbone's weights (bytes)", done, total)

    path = fetch(row, tell)
    sha256 = fingerprint(path)
    if run.facts.get("weights_sha256", sha256) != sha256:
        raise WeightsError(
            f"Expected the weights with which run {run.id!r} was trained. Received: another file, {path}. "
            "Restore that file, or train a new run."
        )
    return path, sha256


def read_split(store: Store, run: Run) -> Split | None:
    """Return the split that a run's phase 1 recorded, or None before that; phase 2 must not see another."""
    folder = store.workspace.run(run.id)
    if not (folder / SPLIT_FILE).exists():
        return None
    recorded = json.loads((folder / SPLIT_FILE).read_text())
    by_id = {image.id: image for image in store.images(run.dataset_id)}
    return Split(
        [by_id[id] for id in recorded["training"]],
        [by_id[id] for id in recorded["validation"]],
        json.loads((folder / LABELS_FILE).read_text()),
    )
