"""Trees from the air: how tiles are cut, and that nothing but the package's own files is read."""

import hashlib
import importlib.metadata
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.support.command_line import ask
from thaw.sources import tree_sample
from thaw.sources.tree_sample import SCENES, WHEEL, cut_boxes, write_trees
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError, SettingsError

TREES = ((10, 20, 60, 80), (380, 100, 430, 140), (900, 100, 960, 180))


def voc(trees):
    edges = "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"
    objects = "".join(f"<object><name>Tree</name>{edges.format(*each)}</object>" for each in trees)
    return f"<annotation>{objects}</annotation>".encode()


def png(width, height, seed):
    packed = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 20, width // 20, 3), np.uint8)
    Image.fromarray(pixels).resize((width, height)).save(packed, "PNG")
    return packed.getvalue()


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small package with the files that the real one has, known by their hashes as those are."""
    files = {}
    for number, (scene, (place, *_)) in enumerate(SCENES.items()):
        files[f"{scene}.png"], files[f"{scene}.xml"] = png(1000 if number == 0 else 400, 420, number), voc(TREES)
        hashes = [hashlib.sha256(files[f"{scene}{ending}"]).hexdigest() for ending in (".png", ".xml")]
        monkeypatch.setitem(SCENES, scene, (place, *hashes))
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"deepforest/data/{name}", content)
        archive.writestr("deepforest/__init__.py", "raise SystemExit('it was imported')")
    monkeypatch.setattr(tree_sample, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_a_tree_belongs_to_the_tile_that_has_most_of_it():
    trees = np.array(TREES, float)

    here, there = (cut_boxes(trees, left, 0) for left in (0, 400))

    assert [(box.x, box.y) for box in here] == [(10 / 400, 20 / 400)]
    # 30 of its 50 pixels lie beyond the edge of the first tile.
    assert [(box.x, box.width) for box in there] == [(0, 30 / 400)]
    assert cut_boxes(trees, 0, 400) == []


def test_tiles_with_trees_are_written_whole_and_named_by_their_place(tmp_path, wheel):
    folder = write_trees(tmp_path / "trees", wheel)

    told = json.loads((folder / "trees.json").read_text())
    names = [image["file_name"] for image in told["images"]]
    assert names == [
        *(
            "train/yellowstone-north_x0_y0.png",
            "train/yellowstone-north_x400_y0.png",
            "train/yellowstone-south_x0_y0.png",
        ),
        *("test/florida_x0_y0.png", "test/california_x0_y0.png"),
    ]
    assert [each["image_id"] for each in told["annotations"]] == [1, 2, 3, 4, 5]
    for name in names:
        with Image.open(folder / name) as tile:
            assert tile.size == (400, 400)


@pytest.mark.usefixtures("warm_decoder")
def test_the_command_makes_a_data_set_whose_other_sites_are_its_holdout(tmp_path, wheel):
    store = Store(open_workspace(tmp_path / "workspace"))

    told = ask(store, "import", "trees", "--from", wheel)

    assert (told["name"], told["boxes"], told["classes"]) == ("Trees from the air", 5, {"tree": 5})
    assert (told["accepted"], told["holdout"], told["rejected_boxes"]) == (5, 2, [])
    assert "deepforest 2.1.0 (MIT)" in store.dataset(told["dataset"]).source


def test_where_the_package_is_installed_it_is_read_there(tmp_path, wheel, monkeypatch):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    class Installed:
        def locate_file(self, name):
            return site / name

    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed())
    assert (write_trees(tmp_path / "trees") / "trees.json").is_file()

    (site / "deepforest/data/OSBS_029.xml").write_bytes(voc(TREES[:1]))
    with pytest.raises(
        DatasetError, match=r"Expected OSBS_029\.xml as it is in deepforest 2\.1\.0\. Received: another"
    ):
        write_trees(tmp_path / "changed")
    (site / "deepforest/data/OSBS_029.xml").unlink()
    with pytest.raises(DatasetError, match=r"with its file OSBS_029\.xml\. Received: none"):
        write_trees(tmp_path / "gone")


def test_what_is_not_the_package_is_refused_with_what_to_run(tmp_path, wheel, monkeypatch):
    how = (
        r"pip download --no-deps deepforest==2\.1\.0`, then run `python -m thaw import trees --from deepforest-2\.1\.0"
    )
    wheel.write_bytes(wheel.read_bytes() + b" ")
    with pytest.raises(DatasetError, match=f"as PyPI has it.*{how}"):
        write_trees(tmp_path / "trees", wheel)
    with pytest.raises(DatasetError, match=f"which cannot be read.*{how}"):
        write_trees(tmp_path / "trees", tmp_path / "nothing.whl")

    def find_none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", find_none)
    with pytest.raises(DatasetError, match=f"Received: none here.*{how}"):
        write_trees(tmp_path / "trees")


def test_a_wheel_is_of_the_trees_alone(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    with pytest.raises(SettingsError, match="--from beside the sample trees alone"):
        ask(store, "import", "digits", "--from", "x.whl")
