"""Data sets with boxes and runs whose detectors have found things on them, without a training."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from tests.support.boxed import draw_boxed
from thaw.detection.boxed_split import write_seen
from thaw.detection.found import keep_found
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from tlcore.boxes import Box
from tlcore.detection.found import Found
from tlcore.images.pixels import content_of
from tlcore.settings import FineTuneSettings, detection_settings
from tlcore.splits.splits import Split
from tlcore.training.history import Epoch

DATASET = "data-00b0c5000000"
APPLE, PEAR = Box("apple", 0.1, 0.1, 0.3, 0.3), Box("pear", 0.6, 0.5, 0.3, 0.4)
DRAWN = ([APPLE, PEAR], [APPLE], [], [PEAR], [APPLE], [PEAR])
"""What is drawn on the photos; on one more nobody has drawn yet."""
NOTHING = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


def add_boxed(store: Store) -> list[Image]:
    """Add a data set of seven photos with apples and pears on some of them."""
    images = []
    for number in range(len(DRAWN) + 1):
        picture = Picture.new("RGB", (64, 48), (number * 20, 90, 200))
        image = Image(
            # Not those of a pile or of another data set beside it.
            f"img-b0c5{number:08x}",
            "",
            f"orchard/{number}.png",
            content_of(picture),
            64,
            48,
            suffix=".png",
            folder=DATASET,
            role="pile",
        )
        for path in (
            store.workspace.image(DATASET, image.id, image.suffix),
            store.workspace.thumbnail(DATASET, image.id),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        images.append(image)
    store.add_dataset(DATASET, "orchard", "folder", Arrival(images))
    for image, boxes in zip(images, DRAWN, strict=False):
        store.set_boxes(DATASET, image.id, boxes, None)
    return store.images(DATASET, role="pile")


def add_shapes(store: Store, dataset_id: str, folder: Path, count: int = 16) -> None:
    """Add a data set of `count` photos with discs and squares and their boxes, from which a detector can learn."""
    boxed = draw_boxed(folder, count)
    images = []
    for photo in boxed.photos:
        fields = {field.name: getattr(photo, field.name) for field in dataclasses.fields(photo)}
        image = Image(**fields | {"id": f"img-{len(images):012x}"}, suffix=".png", folder=dataset_id, role="pile")
        target = store.workspace.image(dataset_id, image.id, image.suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo.file, target)
        images.append(image)
    store.add_dataset(dataset_id, "shapes", "folder", Arrival(images))
    for image, photo in zip(images, boxed.photos, strict=True):
        store.set_boxes(dataset_id, image.id, boxed.boxes[photo.id], None)


def add_detector_run(store: Store, images: list[Image]) -> str:
    """Add a run whose detector is judged by photos 0 to 2: it finds the first apple, misses the pear there and the
    apple on the second, and is 60% sure of a pear on the third, where there is none."""
    run_id = store.add_run(DATASET, "efficientnet-lite0", detection_settings("efficientnet-lite0").to_json())
    store.update_job(store.add_job("head", {}, DATASET, run_id), status="finished")
    store.add_epochs(run_id, [Epoch(number, 1, 9.0, 0.5, 9.0 - number, 0.4, 0.1) for number in (1, 2, 3)])
    store.set_result(run_id, 1)
    head = {"best_epoch": 3, "accuracies": {"validation": 0.4}}
    store.add_facts(run_id, {"image_size": 320, "training_images": 3, "validation_images": 3, "head": head})
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    judging, learnt = images[:3], images[3:6]
    boxes = {image.id: drawn for image, drawn in zip(images, DRAWN, strict=False)}
    write_seen(store, run_id, Split(learnt, judging, ["apple", "pear"]), boxes)
    found = [
        _find((0.12, 0.1, 0.4, 0.42), 0.9, 0),
        _find((0.6, 0.6, 0.9, 0.9), 0.2, 0),
        _find((0.2, 0.2, 0.5, 0.5), 0.6, 1),
    ]
    keep_found(store, run_id, 1, "validation", [image.id for image in judging], found)
    block = {"kind": "Conv2D", "parameters": 10, "flops": 10, "activation_bytes": 4, "batch_norm": False}
    layers = [block | {"name": f"layer_{n}", "block": f"block {n // 4}", "trainable_parameters": 10} for n in range(12)]
    (folder / "layers.json").write_text(json.dumps(layers))
    np.savez(folder / "head.npz", **{"head/0": np.zeros((4, 2))})
    return run_id


def add_tuned(store: Store, run_id: str) -> None:
    """Add a phase 2 to such a run, which finds both objects on photo 0, and is its result."""
    store.set_fine_tune(run_id, FineTuneSettings(layers=4, learning_rate=2e-5).to_json())
    store.add_epochs(run_id, [Epoch(4, 2, 5.0, 0.6, 5.0, 0.7, 0.1)])
    store.add_phase_facts(run_id, "fine_tune", {"best_epoch": 4, "accuracies": {"validation": 0.7}})
    edges = np.array([(0.1, 0.1, 0.4, 0.4), (0.6, 0.5, 0.9, 0.9)], np.float32)
    both = Found(edges, np.array([0.9, 0.8], np.float32), np.array([0, 1]))
    images = store.images(DATASET, role="pile")[:3]
    keep_found(store, run_id, 2, "validation", [image.id for image in images], [both, NOTHING, NOTHING])
    store.set_result(run_id, 2)


def _find(edges: tuple[float, ...], score: float, kind: int) -> Found:
    return Found(np.array([edges], np.float32), np.array([score], np.float32), np.array([kind], np.int64))
