"""What each command answers, called as functions on a store."""

import pytest

from tests.support.boxes.annotations import write_coco
from tests.support.command_line import ask
from tests.support.pictures.corpus import ACCEPTED, Case, exif_rotated, jpeg, write_classes, write_zip
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError, RunError, ThawError

pytestmark = pytest.mark.usefixtures("warm_decoder")


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def test_a_folder_is_named_after_itself_unless_told(store, tmp_path):
    folder = write_classes(tmp_path / "flowers", {"rose": 2, "tulip": 3})
    found = ask(store, "import", folder)
    assert (found["name"], found["accepted"], found["classes"]) == ("flowers", 5, {"rose": 2, "tulip": 3})
    assert ask(store, "import", folder, "--name", "Garden")["name"] == "Garden"
    assert [dataset["name"] for dataset in ask(store, "datasets")] == ["Garden", "flowers"]


def test_a_zip_is_imported_too(store, tmp_path):
    cases = [
        Case(f"{label}/{n}.jpg", jpeg(10 * n + len(label), 32, 24), ACCEPTED) for label in ("a", "bb") for n in (1, 2)
    ]
    path = write_zip(tmp_path / "Photos.ZIP", cases)
    found = ask(store, "import", path)
    assert (found["accepted"], found["classes"]) == (4, {"a": 2, "bb": 2})


def test_an_import_that_fails_raises_its_reason(store, tmp_path):
    with pytest.raises(ThawError, match="nowhere"):
        ask(store, "import", tmp_path / "nowhere")
    assert ask(store, "datasets") == []


def test_what_is_not_there_is_refused(store):
    with pytest.raises(DatasetError, match="data-none"):
        ask(store, "check", "data-none")
    with pytest.raises(RunError, match="run-none"):
        ask(store, "predict", "run-none", "x.png")


def test_boxes_are_found_by_themselves(store, tmp_path):
    found = ask(store, "import", write_coco(tmp_path / "orchard"))
    assert (found["boxes"], found["classes"], found["rejected_boxes"]) == (3, {"apple": 2, "pear": 1}, [])
    (tmp_path / "orchard" / "b.jpg").unlink()
    again = ask(store, "import", tmp_path / "orchard")
    assert again["rejected_boxes"] == [
        {"file": "annotations.json", "photo": "b.jpg", "label": "apple", "reason": "missing-image"}
    ]


def test_which_way_boxes_are_meant_can_be_said(store, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").write_bytes(exif_rotated(6))
    (tmp_path / "set" / "a.txt").write_text("0 0.25 0.125 0.5 0.25\n")
    with pytest.raises(ThawError, match="boxes-drawn=before"):
        ask(store, "import", tmp_path / "set")
    assert ask(store, "import", tmp_path / "set", "--boxes-drawn", "before")["boxes"] == 1


def test_a_data_set_of_classes_says_nothing_of_boxes(store, tmp_path):
    folder = write_classes(tmp_path / "flowers", {"rose": 2, "tulip": 3})
    (folder / "about.json").write_text("{}")
    found = ask(store, "import", folder)
    assert (found["classes"], "boxes" in found) == ({"rose": 2, "tulip": 3}, False)
