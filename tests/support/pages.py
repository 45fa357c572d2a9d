"""Data sets and runs that pages show, and pages opened without a browser."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Toggle

from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.photos import SetAside
from tlcore.settings import HeadSettings
from tlcore.training.history import Epoch

ROOT = Path(__file__).parents[2]
PAGES = (
    "data",
    "backbone",
    "head",
    "finetune",
    "mistakes",
    "evaluation",
    "map",
    "try_it",
    "compare",
    "history",
    "export",
    "disk",
    "pile",
    "boxes",
    "find",
)
TAG, BOLD = "<img src=x onerror=alert(1)>", "**bold** $x$ :smile:"
DATASET = "data-0123456789ab"
CLASS_SIZE = 10


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("THAW_ROOTS", str(tmp_path))
    # Kept from starting a second, slow process at every visit of the Backbone page.
    report = {"device": "CPU", "name": "test chip", "reason": "No GPU.", "remedy": "None.", "tensorflow_version": "2"}
    workspace = open_workspace()
    (workspace.root / "device.json").write_text(json.dumps(report | {"probed_at": 0.0}))
    return Store(workspace)


def add_dataset(store: Store) -> list[Image]:
    images = []
    for label in (TAG, BOLD):
        for number in range(CLASS_SIZE):
            image = Image(
                f"img-{len(images):012x}",
                label,
                f"{label}/=cmd()-{number}.png",
                f"{len(images):064x}",
                32,
                32,
                suffix=".png",
                folder=DATASET,
            )
            copy = store.workspace.image(DATASET, image.id, image.suffix)
            for path in (copy, store.workspace.thumbnail(DATASET, image.id)):
                path.parent.mkdir(parents=True, exist_ok=True)
                Picture.new("RGB", (32, 32), (number * 20, 90, 200)).save(path)
            images.append(image)
    aside = [SetAside("=HYPERLINK(1).jpg", "it is empty")]
    store.add_dataset(DATASET, "**photos**", "folder", Arrival(images, aside, 3, notes=["a *note*"]))
    return images


def add_run(store: Store, images: list[Image]) -> str:
    """A run whose head is trained: images 0 and 10 are taken for the other class, with gaps of 0.8 and 0.4."""
    run_id = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())
    job_id = store.add_job("head", {}, DATASET, run_id)
    store.update_job(job_id, status="finished")
    for number in range(1, 9):
        store.add_epochs(run_id, [Epoch(number, 1, 0.5, 0.9, 0.5 if number > 2 else 0.7, 0.9, 0.1)])
    store.set_result(run_id, 1)
    head = {"best_epoch": 3, "accuracies": {"validation": 0.9}}
    store.add_facts(run_id, {"seconds_per_image": 0.01, "image_size": 224, "head": head})
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    labels = sorted({TAG, BOLD})
    (folder / "labels.json").write_text(json.dumps(labels))
    seen = [(image.id, image.label) for image in images]
    (folder / "split.json").write_text(json.dumps({"training": seen[5:10], "validation": seen[:5] + seen[10:]}))
    block = {"kind": "Conv2D", "parameters": 10, "flops": 10, "activation_bytes": 4}
    layers = [
        block | {"name": f"layer_{n}", "block": f"block {n // 4}", "trainable_parameters": 10, "batch_norm": n % 2 == 1}
        for n in range(12)
    ]
    (folder / "layers.json").write_text(json.dumps(layers))
    validation = images[:5] + images[10:]
    truth = np.array([labels.index(image.label) for image in validation])
    right = np.full(len(validation), 0.95)
    right[0], right[5] = 0.1, 0.3
    probabilities = np.empty((len(validation), 2), dtype=np.float32)
    probabilities[np.arange(len(validation)), truth] = right
    probabilities[np.arange(len(validation)), 1 - truth] = 1 - right
    np.savez(folder / "head.npz", **{"head/0": np.zeros((4, 2)), "head/1": np.zeros(2)})
    kept = np.array([image.id for image in validation])
    np.savez(folder / "predictions-1.npz", image_ids=kept, probabilities=probabilities)
    return run_id


def add_many_classes(store: Store, classes: int) -> str:
    """A run of one validation image a class, which takes the first two for class 7, or the last one; return its id."""
    dataset_id = f"data-{classes:012x}"
    labels = [f"class {number:03d}" for number in range(classes)]
    images = [
        Image(
            f"img-{classes:04x}{n:08x}",
            label,
            f"{label}/{n}.png",
            f"{n:064x}",
            32,
            32,
            suffix=".png",
            folder=dataset_id,
        )
        for n, label in enumerate(labels)
    ]
    for image in images:
        path = store.workspace.image(dataset_id, image.id, image.suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Picture.new("RGB", (32, 32), "teal")
        picture.save(path)
        thumbnail = store.workspace.thumbnail(dataset_id, image.id)
        thumbnail.parent.mkdir(parents=True, exist_ok=True)
        picture.save(thumbnail)
    store.add_dataset(dataset_id, "many", "folder", Arrival(images))
    run_id = store.add_run(dataset_id, "efficientnet-lite0", HeadSettings().to_json())
    store.set_result(run_id, 1)
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(json.dumps(labels))
    sides = {"training": [], "validation": [[image.id, image.label] for image in images]}
    (folder / "split.json").write_text(json.dumps(sides))
    probabilities = np.eye(len(labels), dtype=np.float32)
    probabilities[:2] = probabilities[min(7, classes - 1)]
    ids = np.array([image.id for image in images])
    np.savez(folder / "predictions-1.npz", image_ids=ids, probabilities=probabilities)
    return run_id


# The links at the bottom of a phone, which stand below every page.
BAR = ("Studio", "Thaw", "Mistakes", "Take it")


# What every visit of a test asks for besides.
ASKED: dict[str, str] = {}


@pytest.fixture
def expert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the pages opened with Expert switched on, which brings the field's terms, tables and figures."""
    monkeypatch.setitem(ASKED, "expert", "1")


def visit(name: str, **query: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "ui" / "navigation.py"), default_timeout=120)
    for key, value in (ASKED | query).items():
        page.query_params[key] = value
    page.run()
    if name != "studio":
        page.switch_page(f"../{name}.py").run()
    return page


def words(page: AppTest) -> str:
    kinds = (page.title, page.markdown, page.caption, page.error, page.warning, page.info, page.success, page.text)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def drawn_html(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def toggles(page: AppTest) -> list[Toggle]:
    """Return the switches of the page itself, without Expert's above it."""
    return [each for each in page.toggle if each.label != "Expert"]


def figures(page: AppTest) -> list[dict]:
    sent = [json.loads(component.proto.json) for component in page.get("bidi_component") if component.proto.json]
    return [json.loads(data["drawing"]) for data in sent if "drawing" in data]


def compare(*run_ids: str) -> AppTest:
    page = visit("compare", compare=",".join(run_ids))
    assert not page.exception
    assert not page.error
    return page


def unfold_panel(page: AppTest, key: str) -> AppTest:
    """Open a panel that is drawn only once it is open."""
    page.session_state[key] = True
    return page.run()
