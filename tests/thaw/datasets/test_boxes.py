"""Imports of photos with boxes, from files to rows."""

import json

import pytest
from PIL import Image

from tests.support.boxes.annotations import (
    ORCHARD,
    WRITERS,
    coco,
    sources,
    voc,
    write_coco,
    write_create_ml,
    write_photos,
    yolo,
)
from tests.support.pictures.corpus import encoded, photo
from thaw.boxes.annotations import find_annotations
from thaw.datasets import edits
from thaw.datasets.boxes import read_boxed, read_orientation
from thaw.datasets.ingest import ingest
from thaw.sources.sources import Source
from thaw.storage.boxes import Reason
from thaw.storage.questions import take_default
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.boxes import Box
from tlcore.errors import SettingsError, Stopped

pytestmark = pytest.mark.usefixtures("warm_decoder")


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def bring(store, folder, ask=take_default, into=None, role="main"):
    return ingest(store, Source("folder", folder, str(folder)), "Orchard", ask=ask, into=into, role=role)


def boxes(store, dataset_id):
    """Return by the name of each photo that was looked at what is on it."""
    drawn = store.boxes(dataset_id)
    return {image.name: drawn[image.id] for image in store.every_image(dataset_id) if image.id in drawn}


def reasons(store, dataset_id):
    return sorted(each.reason for each in store.rejected_boxes(dataset_id))


def turned(path, orientation=6, width=96, height=72):
    """Write a photo that its file holds on its side."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(photo(50, width, height), "JPEG", quality=90, exif=exif))


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_makes_the_same_data_set(store, tmp_path, form):
    dataset_id = bring(store, WRITERS[form](tmp_path / "orchard"))
    assert store.count_boxes(dataset_id) == {"apple": 2, "pear": 1}
    found = {name.rpartition("/")[2]: [box.label for box in each] for name, each in boxes(store, dataset_id).items()}
    assert found == {"a.jpg": ["apple", "pear"], "b.jpg": ["apple"], "c.jpg": []}
    dataset = store.dataset(dataset_id)
    assert (dataset.classes, dataset.pile, dataset.set_aside) == ({}, 3, 0)


def test_a_photo_the_file_does_not_know_is_still_to_be_drawn_on(store, tmp_path):
    folder = write_photos(write_coco(tmp_path / "orchard"), ["new.jpg"], seed=7100)
    dataset_id = bring(store, folder)
    assert [*boxes(store, dataset_id)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert store.dataset(dataset_id).pile == 4


def test_a_photo_that_is_refused_costs_its_boxes(store, tmp_path):
    folder = write_coco(tmp_path / "orchard")
    (folder / "a.jpg").write_bytes(b"<html>")
    dataset_id = bring(store, folder)
    assert reasons(store, dataset_id) == [Reason.REFUSED_IMAGE] * 2
    assert store.dataset(dataset_id).set_aside == 1
    assert any("2 boxes were not taken in" in note for note in store.dataset(dataset_id).notes)


@pytest.mark.parametrize(
    ("size", "place", "expected"),
    [((96, 72), [0, 0, 48, 18], (0.75, 0, 0.25, 0.5)), ((72, 96), [54, 0, 18, 48], (0.75, 0, 0.25, 0.5))],
)
def test_the_size_tells_which_way_boxes_are_meant(store, tmp_path, size, place, expected):
    turned(tmp_path / "set" / "a.jpg")
    value = coco({"a.jpg": [("apple", *place)]})
    value["images"][0] |= dict(zip(("width", "height"), size, strict=True))
    (tmp_path / "set" / "x.json").write_text(json.dumps(value))
    assert boxes(store, bring(store, tmp_path / "set")) == {"a.jpg": [Box("apple", *expected)]}


@pytest.mark.parametrize(("answer", "expected"), [("before", (0.75, 0, 0.25, 0.5)), ("after", (0, 0, 0.5, 0.25))])
def test_where_nothing_tells_the_person_is_asked(store, tmp_path, answer, expected):
    turned(tmp_path / "set" / "a.jpg")
    (tmp_path / "set" / "a.txt").write_text("0 0.25 0.125 0.5 0.25\n")
    asked = []

    def ask(question):
        asked.append((question.key, question.default, question.answers))
        return answer

    assert boxes(store, bring(store, tmp_path / "set", ask)) == {"a.jpg": [Box("0", *expected)]}
    assert asked == [("boxes-drawn", "", ["after", "before"])]


def test_where_nobody_can_be_asked_nothing_is_guessed(store, tmp_path):
    turned(tmp_path / "set" / "a.jpg")
    (tmp_path / "set" / "a.txt").write_text("0 0.25 0.125 0.5 0.25\n")
    with pytest.raises(SettingsError, match=r"--answer boxes-drawn=after .* or boxes-drawn=before"):
        bring(store, tmp_path / "set")
    assert store.datasets() == []


def test_nothing_is_asked_of_photos_that_show_nothing_or_lie_upright(store, tmp_path):
    turned(tmp_path / "set" / "a.jpg")
    write_photos(tmp_path / "set", ["b.jpg"])
    (tmp_path / "set" / "a.txt").write_text("")
    (tmp_path / "set" / "b.txt").write_text(yolo(ORCHARD["b.jpg"]))
    assert [*boxes(store, bring(store, tmp_path / "set"))] == ["a.jpg", "b.jpg"]


def test_boxes_come_later_to_photos_that_are_there(store, tmp_path):
    folder = write_photos(tmp_path / "orchard", [*ORCHARD])
    turned(folder / "t.jpg")
    dataset_id = bring(store, folder, role="pile")
    assert not store.has_boxes(dataset_id)
    drawn = {name: [*each] for name, each in ORCHARD.items()} | {"t.jpg": [("apple", 0, 0, 48, 18)]}
    (folder / "x.json").write_text(json.dumps(coco(drawn)))
    assert bring(store, folder, into=dataset_id) == dataset_id
    assert boxes(store, dataset_id)["t.jpg"] == [Box("apple", 0.75, 0, 0.25, 0.5)]
    assert store.count_boxes(dataset_id) == {"apple": 3, "pear": 1}
    assert [edit.kind for edit in store.edits(dataset_id)] == ["boxes"]
    store.undo_edit(dataset_id, store.edits(dataset_id)[0].number)
    assert boxes(store, dataset_id) == {}


def test_boxes_that_were_drawn_here_stand(store, tmp_path):
    folder = write_coco(tmp_path / "orchard")
    dataset_id = bring(store, folder)
    (image,) = [image for image in store.every_image(dataset_id) if image.name == "a.jpg"]
    store.set_boxes(dataset_id, image.id, [], store.boxes_on(dataset_id, image.id))
    bring(store, folder, into=dataset_id)
    assert boxes(store, dataset_id)["a.jpg"] == []
    assert any("3 photos keep the boxes drawn before" in note for note in store.dataset(dataset_id).notes)


def test_a_ready_made_test_part_is_the_holdout(store, tmp_path):
    folder = write_photos(tmp_path / "set", ["train/a.jpg", "valid/b.jpg", "test/c.jpg"])
    for name in ("train/a.jpg", "valid/b.jpg", "test/c.jpg"):
        (folder / name).with_suffix(".xml").write_text(voc(name[-5:], ORCHARD["a.jpg"]))
    dataset = store.dataset(bring(store, folder))
    assert (dataset.pile, dataset.holdout, dataset.set_aside) == (2, 1, 0)
    assert store.count_boxes(dataset.id) == {"apple": 3, "pear": 3}
    sides = [read_boxed(store, dataset.id, holdout=each) for each in (False, True)]
    assert [[photo.name for photo in side.photos] for side in sides] == [["train/a.jpg", "valid/b.jpg"], ["test/c.jpg"]]


def test_photos_of_the_holdout_are_none_of_those_to_learn_from(store, tmp_path):
    folder = write_photos(tmp_path / "set", ["train/a.jpg", "valid/b.jpg", "test/c.jpg"])
    write_create_ml(folder, {"train/a.jpg": [], "valid/b.jpg": [], "test/c.jpg": [("apple", 1, 2, 30, 40)]})
    (folder / "test" / "c.jpg").write_bytes((folder / "train" / "a.jpg").read_bytes())
    dataset = store.dataset(bring(store, folder))
    assert (dataset.pile, dataset.holdout, dataset.set_aside) == (2, 0, 1)


def test_what_tells_no_orientation_lies_upright(tmp_path):
    turned(tmp_path / "a.jpg", 8)
    (tmp_path / "b.jpg").write_bytes(b"x")
    assert [read_orientation(tmp_path / name) for name in ("a.jpg", "b.jpg", "none")] == [8, 1, 1]


@pytest.mark.parametrize("form", WRITERS)
def test_a_stop_comes_in_time_while_annotations_are_read(tmp_path, form):
    folder, calls = WRITERS[form](tmp_path / "orchard"), []

    def stop():
        calls.append(form)
        raise Stopped

    with pytest.raises(Stopped):
        find_annotations(sources(folder), take_default, stop)
    assert calls == [form]


def test_photos_that_were_looked_at_are_read(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    folder = write_photos(write_coco(tmp_path / "orchard"), ["new.jpg"], seed=7100)
    dataset_id = ingest(store, Source("folder", folder, "here"), "Orchard")
    named = {image.name: image.id for image in store.every_image(dataset_id)}
    edits.exclude_images(store, dataset_id, [named["b.jpg"]])
    read = read_boxed(store, dataset_id)
    assert [photo.name for photo in read.photos] == ["a.jpg", "c.jpg"]
    assert (read.labels, read.boxes[named["c.jpg"]]) == (["apple", "pear"], [])
