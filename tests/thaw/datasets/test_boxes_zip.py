"""Photos and boxes written for other programs, and read again."""

import json
import zipfile

import pytest
from PIL import Image

from tests.support.boxes.annotations import ORCHARD, write_coco, write_photos
from tests.support.command_line import ask
from tests.support.pictures.corpus import write_classes
from thaw.datasets.boxes_zip import save_boxes
from thaw.datasets.ingest import ingest
from thaw.sources.sources import Source
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError, RunError, SettingsError

pytestmark = pytest.mark.usefixtures("warm_decoder")


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def bring(store, path, kind="folder"):
    return ingest(store, Source(kind, path, str(path)), "Orchard")


@pytest.fixture
def dataset_id(store, tmp_path):
    drawn = ORCHARD | {"large/big.jpg": [("apple", 10, 10, 20, 20)]}
    folder = write_coco(tmp_path / "orchard", drawn)
    Image.open(folder / "large" / "big.jpg").resize((1920, 1440)).save(folder / "large" / "big.jpg")
    value = json.loads((folder / "annotations.json").read_text())
    value["images"][3] |= {"width": 1920, "height": 1440}
    value["annotations"][-1]["bbox"] = [200, 200, 400, 400]
    (folder / "annotations.json").write_text(json.dumps(value))
    write_photos(folder, ["new.jpg"], seed=7100)
    return bring(store, folder)


def boxes(store, dataset_id):
    drawn = store.boxes(dataset_id)
    return {
        image.name.rpartition("/")[2].partition(".")[0]: [
            (box.label, *(round(edge, 4) for edge in box.in_pixels(1, 1))) for box in drawn[image.id]
        ]
        for image in store.every_image(dataset_id)
        if image.id in drawn
    }


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_what_is_written_comes_back_the_same(store, tmp_path, dataset_id, form):
    target = tmp_path / "saved.zip"
    told = save_boxes(store, dataset_id, target, form)
    assert told == {"bytes": target.stat().st_size, "pictures": 4, "boxes": 4, "left_out": 1}
    again = bring(store, target, "zip")
    assert boxes(store, again) == boxes(store, dataset_id)
    assert store.rejected_boxes(again) == []


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_a_split_is_written_as_parts(store, tmp_path, form):
    drawn = {f"{n}.jpg": [("apple", 10, 10, 20, 20)] for n in range(10)}
    dataset_id = bring(store, write_coco(tmp_path / "many", drawn))
    save_boxes(store, dataset_id, tmp_path / "saved.zip", form, share=0.2)
    names = zipfile.ZipFile(tmp_path / "saved.zip").namelist()
    assert [sum(name.startswith(f"images/{part}/") for name in names) for part in ("train", "val")] == [8, 2]
    again = bring(store, tmp_path / "saved.zip", "zip")
    parts = [image.part for image in store.every_image(again)]
    assert (parts.count("training"), parts.count("validation")) == (8, 2)
    assert store.count_boxes(again) == {"apple": 10}


def test_the_json_alone_fits_the_originals(store, tmp_path, dataset_id):
    save_boxes(store, dataset_id, tmp_path / "boxes.json", "coco")
    value = json.loads((tmp_path / "boxes.json").read_text())
    assert [(image["file_name"], image["width"]) for image in value["images"]][-1] == ("large/big.jpg", 1920)
    (tmp_path / "orchard" / "annotations.json").write_text(json.dumps(value))
    assert boxes(store, bring(store, tmp_path / "orchard")) == boxes(store, dataset_id)


def test_photos_of_one_name_stay_apart(store, tmp_path):
    drawn = {"x/a.jpg": [("apple", 1, 2, 30, 40)], "y/a.jpg": [("pear", 1, 2, 30, 40)], "y/A.jpg": []}
    dataset_id = bring(store, write_coco(tmp_path / "set", drawn))
    save_boxes(store, dataset_id, tmp_path / "saved.zip", "yolo")
    again = boxes(store, bring(store, tmp_path / "saved.zip", "zip"))
    assert sorted(label for each in again.values() for label, *_ in each) == ["apple", "pear"]
    assert len(again) == 3


def test_what_cannot_be_saved_is_refused(store, tmp_path, dataset_id):
    (tmp_path / "there.zip").touch()
    for name, form in (("there.zip", "coco"), ("boxes.json", "yolo"), ("boxes.txt", "coco")):
        with pytest.raises(RunError, match="Expected the name of a new"):
            save_boxes(store, dataset_id, tmp_path / name, form)
    other = bring(store, write_classes(tmp_path / "pets", {"cat": 2, "dog": 2}))
    with pytest.raises(DatasetError, match="with boxes"):
        save_boxes(store, other, tmp_path / "pets.zip", "coco")
    (image,) = [image for image in store.every_image(dataset_id) if image.name == "a.jpg"]
    store.workspace.image(image.folder, image.id, image.suffix).unlink()
    with pytest.raises(DatasetError, match=r"a\.jpg"):
        save_boxes(store, dataset_id, tmp_path / "new.zip", "coco")
    assert sorted(path.name for path in tmp_path.glob("*.zip")) == ["there.zip"]


def test_the_command_saves_boxes(store, tmp_path, dataset_id):
    told = ask(store, "dataset", "save", dataset_id, "--to", tmp_path / "a.zip", "--boxes", "yolo")
    assert (told["boxes"], told["file"]) == (4, str(tmp_path / "a.zip"))
    with pytest.raises(SettingsError, match="--boxes"):
        ask(store, "dataset", "save", dataset_id, "--to", tmp_path / "b.zip", "--boxes", "yolo", "--split", "run-1")
