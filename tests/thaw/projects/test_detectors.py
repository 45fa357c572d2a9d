"""Projects with the run of a detector: saved, opened elsewhere, and refused where they were meddled with."""

import json
import shutil

import numpy as np
import pytest

from tests.support.boxes.detectors import add_boxed, add_detector_run, add_tuned
from tests.support.pages import store
from tests.support.projects import rewritten
from thaw.detection.boxed_split import read_seen_boxes
from thaw.detection.found import read_found
from thaw.projects.reader import open_project
from thaw.projects.save import save_project
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import RunError

__all__ = ["store"]


@pytest.fixture
def archive(store, tmp_path):
    run_id = add_detector_run(store, add_boxed(store))
    np.savez(store.workspace.run(run_id) / "head.npz", **{"head/0": np.zeros((4, 2), np.float32)})
    shutil.copy(store.workspace.run(run_id) / "head.npz", store.workspace.run(run_id) / "tuned.npz")
    figures = {"parameters": 1, "trainable_parameters": 1, "flops": 1, "activation_bytes": 4, "batch_norm": False}
    layers = [figures | {"name": "a", "block": "stem", "kind": "Conv2D"}] * 12
    (store.workspace.run(run_id) / "layers.json").write_text(json.dumps(layers))
    add_tuned(store, run_id)
    save_project(store, run_id, tmp_path / "project.zip")
    return tmp_path / "project.zip"


def open_elsewhere(tmp_path, archive):
    return open_project(Store(open_workspace(tmp_path / "elsewhere")), archive)


@pytest.mark.parametrize("copies", [1, 2])
def test_it_is_opened_elsewhere_with_all_that_it_found_also_beside_itself(store, archive, tmp_path, copies):
    elsewhere = Store(open_workspace(tmp_path / "elsewhere"))
    for _ in range(copies):
        opened = open_project(elsewhere, archive)
    (run,) = (elsewhere.run(run_id) for run_id in opened.run_ids)
    (mine,) = store.runs()
    ours, theirs = read_found(store, mine), read_found(elsewhere, run)

    assert run.head == mine.head
    assert run.result_phase == 2
    assert theirs.judge(0.4).kinds == ours.judge(0.4).kinds
    assert [image.name for image in theirs.images] == [image.name for image in ours.images]
    assert all(path.exists() for path in theirs.files)
    assert [*read_seen_boxes(elsewhere, run).values()] == [*read_seen_boxes(store, mine).values()]
    assert elsewhere.count_boxes(run.dataset_id) == {"apple": 3, "pear": 3}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("kinds", 7, "of no kind"),
        ("scores", 2.0, "outside of their photo"),
        ("edges", np.nan, "outside of their photo"),
        ("counts", -1, "of no image"),
        ("image_ids", "img-1", "on other images"),
    ],
)
def test_found_boxes_that_cannot_be_are_refused(archive, tmp_path, name, value, said):
    def change(content):
        path = tmp_path / "found.npz"
        path.write_bytes(content)
        with np.load(path, allow_pickle=False) as kept:
            arrays = dict(kept)
        arrays[name][0] = value
        np.savez(path, **arrays)
        return path.read_bytes()

    with pytest.raises(RunError, match=said):
        open_project(
            Store(open_workspace(tmp_path / "elsewhere")),
            rewritten(archive, tmp_path / "changed.zip", "found-1.npz", change),
        )


@pytest.mark.parametrize(
    "boxes", [b"{}", b"[]", b'{"img-b0c500000000": [["plum", 0.1, 0.1, 0.2, 0.2]]}', b'{"a": [["apple", 2, 0, 1, 1]]}']
)
def test_boxes_that_cannot_be_are_refused(archive, tmp_path, boxes):
    with pytest.raises(RunError, match=r"boxes.json"):
        open_project(
            Store(open_workspace(tmp_path / "elsewhere")),
            rewritten(archive, tmp_path / "changed.zip", "boxes.json", lambda _: boxes),
        )
