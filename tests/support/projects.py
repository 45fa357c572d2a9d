"""Projects that are saved and opened elsewhere."""

import hashlib
import json
import types
import zipfile

import numpy as np
import pytest

from tests.support.command_line import ask
from tests.support.pictures.corpus import write_classes
from thaw.datasets import edits
from thaw.projects.save import save_project
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.tracking.mlflow import FACT
from tlcore.settings import FineTuneSettings, HeadSettings

CLASSES = {"rose": 10, "<b>tulip": 10}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A data set that was edited, with one run that was fine-tuned, saved as a project."""
    folder = tmp_path_factory.mktemp("project")
    store = Store(open_workspace(folder / "workspace"))
    ask(store, "import", write_classes(folder / "photos", CLASSES), "--name", "Flowers")
    (dataset,) = store.datasets()
    store._write("UPDATE datasets SET grey_range = 4095 WHERE id = ?", dataset.id)
    edits.exclude_images(store, dataset.id, [store.images(dataset.id, "rose")[-1].id])
    figures = {"accuracies": [0.8, 1.0], "mean": 0.9, "low": 0.8, "high": 1.0, "folds": 5}
    doubt = {"image": store.images(dataset.id)[0].id, "given": "rose", "suggested": "<b>tulip", "margin": 0.5}
    measured = {"naive": figures, "grouped": figures, "images": 19, "groups": 0, "label_errors": [doubt]}
    store.add_check(dataset.id, "efficientnet-lite0", 2, measured)
    run_id = make_run(store, dataset.id)
    archive = folder / "project.zip"
    contents = save_project(store, run_id, archive)
    return types.SimpleNamespace(store=store, dataset=dataset.id, run=run_id, archive=archive, contents=contents)


def make_run(store, dataset_id):
    """Make a run without training: both phases' files, of the right shapes."""
    images = store.images(dataset_id)
    half = [*images[:5], *images[10:15]], [*images[5:10], *images[15:]]
    run_id = store.add_run(dataset_id, "efficientnet-lite0", HeadSettings(image_size=32).to_json())
    store.update_job(store.add_job("head", {}, dataset_id, run_id), status="finished")
    store.set_fine_tune(run_id, FineTuneSettings(layers=9, learning_rate=1e-5).to_json())
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    labels = sorted(CLASSES)
    sides = {"training": half[0], "validation": half[1]}
    (folder / "labels.json").write_text(json.dumps(labels))
    (folder / "split.json").write_text(
        json.dumps({side: [(image.id, image.label) for image in own] for side, own in sides.items()})
    )
    figures = {"parameters": 1, "trainable_parameters": 1, "flops": 1, "activation_bytes": 4, "batch_norm": False}
    (folder / "layers.json").write_text(json.dumps([figures | {"name": "a", "block": "stem", "kind": "Conv2D"}] * 12))
    chance = np.random.default_rng(0)
    for phase in (1, 2):
        probabilities = chance.dirichlet([1, 1], len(half[1])).astype(np.float32)
        ids = np.array([image.id for image in half[1]])
        np.savez(folder / f"predictions-{phase}.npz", image_ids=ids, probabilities=probabilities)
    np.savez(folder / "head.npz", **{"head/0": np.zeros((4, 2), np.float32), "head/1": np.zeros(2, np.float32)})
    np.savez(folder / "tuned.npz", **{"backbone/3/0": np.ones(3, np.float32)})
    (folder / "snapshot-2.npz").write_bytes(b"left by a stop")
    store.set_result(run_id, 2)
    store.add_facts(
        run_id, {"image_size": 32, FACT: {"server": "http://private", "sent": True, "words": ""}, "seen": images[0].id}
    )
    return run_id


@pytest.fixture
def elsewhere(tmp_path):
    return Store(open_workspace(tmp_path / "elsewhere"))


def pack(target, files):
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


def rewritten(archive, target, ending, change, resign=True):
    """Write a project anew with the first file of that ending changed; `resign` makes the manifest agree with it."""
    with zipfile.ZipFile(archive) as source:
        files = {name: source.read(name) for name in source.namelist()}
    name = next(name for name in files if name.endswith(ending))
    files[name] = change(files[name])
    if resign:
        hashes = {
            each: hashlib.sha256(content).hexdigest() for each, content in files.items() if each != "manifest.json"
        }
        files["manifest.json"] = json.dumps({"files": hashes}).encode()
    return pack(target, files)
