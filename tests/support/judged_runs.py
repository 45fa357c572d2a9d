"""Runs that every evaluation set has judged, as wrong as a test wants them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from streamlit.testing.v1 import AppTest

from thaw.datasets.run_split import choose_split, write_split
from thaw.runs.results import predictions_file
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.evaluation.predictions import EVALUATION_SIDES
from tlcore.settings import HeadSettings
from tlcore.training.history import Epoch

DATASET = "data-0123456789ab"
LABELS = ("rose", "tulip")
DAY_S = 86_400.0


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    return Store(open_workspace())


def images(each: int, dated: bool = False, role: str = "main", first: int = 0) -> list[Image]:
    return [
        Image(
            f"img-{number:012x}",
            LABELS[number % 2],
            f"{LABELS[number % 2]}/{number}.png",
            f"{number:064x}",
            300,
            300,
            suffix=".png",
            folder=DATASET,
            role=role,
            taken_at=1e9 + number * DAY_S if dated else None,
        )
        for number in range(first, first + 2 * each)
    ]


def add(store: Store, *, each: int = 20, dated: bool = False, holdout: int = 0) -> None:
    arrived = [*images(each, dated), *images(holdout, role="holdout", first=10_000)]
    store.add_dataset(DATASET, "photos", "folder", Arrival(arrived))
    for image in arrived:
        path = store.workspace.image(DATASET, image.id, image.suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("RGB", (8, 8), "teal").save(path)


def run_of(store: Store, settings: HeadSettings, wrong: dict[str, int]) -> str:
    """A run whose head is trained and takes the first `wrong` images of each evaluation set for the next class."""
    run_id = store.add_run(DATASET, settings.backbone, settings.to_json())
    store.update_job(store.add_job("head", {}, DATASET, run_id), status="finished")
    store.add_epochs(run_id, [Epoch(1, 1, 0.5, 0.9, 0.5, 0.9, 0.1)])
    store.set_result(run_id, 1)
    facts = {"seconds_per_image": 0.01, "image_size": 224, "head": {"best_epoch": 1}}
    store.add_facts(run_id, facts | {"dataset_version": store.dataset(DATASET).version})
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    parts = choose_split(store, DATASET, settings)
    write_split(store, run_id, parts)
    block = {"kind": "Conv2D", "parameters": 10, "flops": 10, "activation_bytes": 4, "block": "block 0"}
    layers = [block | {"name": f"layer_{n}", "trainable_parameters": 10, "batch_norm": False} for n in range(4)]
    (folder / "layers.json").write_text(json.dumps(layers))
    np.savez(folder / "head.npz", **{"head/0": np.zeros((4, 2)), "head/1": np.zeros(2)})
    labels = sorted(store.dataset(DATASET).classes)
    for side in EVALUATION_SIDES:
        judged = getattr(parts, side)
        if not judged:
            continue
        numbers = np.array([labels.index(image.label) for image in judged])
        numbers[: wrong.get(side, 0)] = (numbers[: wrong.get(side, 0)] + 1) % len(labels)
        kept = np.array([image.id for image in judged])
        probabilities = np.eye(len(labels), dtype=np.float32)[numbers] * 0.8 + 0.2 / len(labels)
        np.savez(folder / predictions_file(1, side), image_ids=kept, probabilities=probabilities)
    return run_id


def field(page: AppTest, kind: str, label: str) -> list:
    return [each for each in page.get(kind) if each.label.startswith(label)]


def judged_run(store: Store) -> str:
    add(store, each=50, dated=True, holdout=20)
    return run_of(store, HeadSettings(later_share=0.2), {"validation": 1, "later": 1, "holdout": 16})
