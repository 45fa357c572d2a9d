"""A workspace with one of everything that can be deleted, made by hand: no network is trained."""

import json
from pathlib import Path

from tests.support.pictures.corpus import jpeg
from thaw.storage.database import new_id
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import RECORD_FILE, open_workspace
from tlcore.photos import SetAside
from tlcore.settings import HeadSettings
from tlcore.training.history import Epoch

CLASSES = ("cat", "dog")
CLASS_SIZE = 3


def add_dataset(store: Store, name: str = "Pets", folder: str | None = None, seed: int = 0) -> str:
    """A data set of six photos whose copies lie in `folder`, by default one of its own."""
    dataset_id = new_id("data")
    images = []
    for number in range(len(CLASSES) * CLASS_SIZE):
        label = CLASSES[number // CLASS_SIZE]
        image = Image(
            new_id("img"),
            label,
            f"{label}/{number}.jpg",
            f"{seed + number:064x}",
            96,
            72,
            suffix=".jpg",
            imported_label=label,
        )
        image = Image(**vars(image) | {"folder": folder or dataset_id})
        for path in copies(store, image):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(seed + number))
        images.append(image)
    store.add_dataset(dataset_id, name, "/photos/pets", Arrival(images, [SetAside("a.txt", "no picture")], 2))
    store.add_check(
        dataset_id,
        "efficientnet-lite0",
        1,
        {side: {"mean": 0.9, "low": 0.8, "high": 1.0} for side in ("naive", "grouped")} | {"images": 6, "groups": 0},
    )
    job_id = store.add_job("import", {"kind": "folder", "path": "/photos/pets", "name": name})
    store.update_job(job_id, status="finished", dataset_id=dataset_id)
    return dataset_id


def add_run(store: Store, dataset_id: str, **facts: object) -> str:
    """A run at rest with weights that nobody loads, its split, and an export."""
    run_id = store.add_run(dataset_id, "efficientnet-lite0", HeadSettings().to_json())
    job_id = store.add_job("head", {}, dataset_id, run_id)
    store.update_job(job_id, status="finished")
    store.add_epochs(run_id, [Epoch(1, 1, 0.5, 0.9, 0.5, 0.9, 0.1)])
    store.set_result(run_id, 1)
    store.add_facts(run_id, dict(facts))
    folder = store.workspace.run(run_id)
    (folder / "export").mkdir(parents=True)
    (folder / "head.npz").write_bytes(b"weights")
    (folder / "labels.json").write_text(json.dumps(CLASSES))
    sides = {side: [] for side in ("training", "validation", "later", "holdout")}
    for number, image in enumerate(store.images(dataset_id)):
        sides["validation" if number % CLASS_SIZE == 0 else "training"].append((image.id, image.label))
    (folder / "split.json").write_text(json.dumps(sides))
    (folder / "export" / "export.json").write_text("{}")
    (folder / "export" / "model.tflite").write_bytes(b"model")
    return run_id


def add_caches(store: Store) -> None:
    """Cached features, a download and measured speeds."""
    root = store.workspace.root
    for path in ("features/0a1b/keys.txt", "features/2c3d/keys.txt", "downloads/flower_photos.tgz", "speed.json"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"{}")


def add_project(store: Store, subject: str) -> str:
    """A saved project of a run or data set; return its id."""
    path = store.workspace.project(subject)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"PK")
    return f"projects/{subject}.zip"


def furnish(root: Path) -> tuple[Store, str, list[str]]:
    """A workspace with a data set, two runs, projects and caches; return the ids of the data set and of the runs."""
    store = Store(open_workspace(root))
    dataset_id = add_dataset(store)
    runs = [add_run(store, dataset_id)]
    runs.append(add_run(store, dataset_id, retrained_from=runs[0]))
    for subject in (dataset_id, runs[0]):
        add_project(store, subject)
    add_caches(store)
    return store, dataset_id, runs


def copies(store: Store, image: Image) -> list[Path]:
    """Return where the two copies of an image lie."""
    workspace = store.workspace
    return [workspace.image(image.folder, image.id, image.suffix), workspace.thumbnail(image.folder, image.id)]


def snapshot(store: Store) -> tuple[dict[str, bytes], dict[str, object]]:
    """Return every file that Thaw keeps by its path, and all that the lists say: what a person would miss."""
    root = store.workspace.root
    kept = ("datasets", "runs", "projects", "features", "downloads", "speed.json")
    files = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for name in kept
        for path in [root / name, *(root / name).rglob("*")]
        # How the latest job of a run stands is written there again and again.
        if path.is_file() and path.name != RECORD_FILE
    }
    rows: dict[str, object] = {each.id: (each, store.every_image(each.id)) for each in store.datasets()}
    rows |= {run.id: (run, store.epochs(run.id), store.latest_job(run.id)) for run in store.runs()}
    return files, rows | {row.model_id: row for row in store.experiments()} | {"experiments": len(store.experiments())}
