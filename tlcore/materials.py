"""What both phases of a run start from: its photos, split, and the backbone with its weights."""

import json
from dataclasses import dataclass

import keras

from tlcore.architectures import build_backbone
from tlcore.backbones import Backbone, find_backbone
from tlcore.records import Run
from tlcore.reporter import Reporter
from tlcore.settings import HeadSettings
from tlcore.splits import Split, recommend_image_size, split
from tlcore.store import Store
from tlcore.weights import fetch, fingerprint

LABELS_FILE, SPLIT_FILE = "labels.json", "split.json"


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
    path = fetch(row, lambda done, total: reporter.progress("downloading the backbone's weights (bytes)", done, total))
    reporter.check_stop()
    reporter.progress("building the backbone", 0, 0)
    return Materials(run, settings, row, build_backbone(row, image_size, path), parts, image_size, fingerprint(path))


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
