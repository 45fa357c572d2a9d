"""The format is found by itself, and every sheet its photo."""

import json

import pytest

from tests.support.boxes.annotations import (
    ORCHARD,
    WRITERS,
    coco,
    sources,
    voc,
    write_coco,
    write_photos,
    write_voc,
    yolo,
)
from thaw.boxes import annotations
from thaw.boxes.annotations import find_annotations
from thaw.boxes.placing import Upright, place
from thaw.storage.boxes import Reason
from thaw.storage.questions import take_default


def read(folder, ask=take_default):
    return find_annotations(sources(folder), ask)


def drawn(found):
    """Return what is drawn on each photo, in pixels of 96 x 72."""
    return {
        name[-1]: [
            (box.label, *(round(edge, 2) for edge in box.in_pixels(96, 72)))
            for box in place(sheets, Upright(96, 72), None).boxes
        ]
        for name, sheets in found.sheets.items()
    }


def reasons(found):
    return [each.reason for each in found.rejected]


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_says_the_same(tmp_path, form):
    found = read(WRITERS[form](tmp_path / "orchard"))
    assert (found.format, found.rejected) == (form, [])
    assert drawn(found) == {name: [*boxes] for name, boxes in ORCHARD.items()}
    photos = {file.name for file in sources(tmp_path / "orchard") if file.name[-1].endswith(".jpg")}
    assert found.files == {file.name for file in sources(tmp_path / "orchard")} - photos


def test_json_of_another_kind_makes_no_boxes(tmp_path):
    folder = write_photos(tmp_path / "pets", ["cat/a.jpg", "dog/b.jpg"])
    (folder / "notes.json").write_text('{"images": 3, "annotations": "none"}')
    (folder / "list.json").write_text('[{"image": "a.jpg", "label": "cat"}]')
    (folder / "broken.json").write_text("{")
    captions = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [],
        "annotations": [{"image_id": 1, "caption": "x"}],
    }
    (folder / "captions.json").write_text(json.dumps(captions))
    (folder / "feed.xml").write_text("<feed><object/></feed>")
    (folder / "cat" / "a.txt").write_text("a cat on a sofa")
    assert read(folder) is None


def test_a_file_that_tells_of_no_photo_here_makes_no_boxes(tmp_path):
    folder = write_photos(tmp_path / "pets", ["x.jpg"])
    (folder / "annotations.json").write_text(json.dumps(coco(ORCHARD)))
    assert read(folder) is None


def test_photos_that_are_missing_cost_their_boxes(tmp_path):
    folder = write_coco(tmp_path / "orchard")
    (folder / "a.jpg").unlink()
    found = read(folder)
    assert reasons(found) == [Reason.MISSING_IMAGE] * 2
    assert [*drawn(found)] == ["b.jpg", "c.jpg"]


def test_a_voc_file_is_paired_by_its_own_name_where_it_names_no_photo_here(tmp_path):
    folder = write_voc(tmp_path / "orchard")
    (folder / "Annotations" / "a.xml").write_text(voc("IMG_0001.png", ORCHARD["a.jpg"]))
    (folder / "Annotations" / "z.xml").write_text(voc("z.jpg", ORCHARD["a.jpg"]))
    found = read(folder)
    assert drawn(found)["a.jpg"] == ORCHARD["a.jpg"]
    assert reasons(found) == [Reason.MISSING_IMAGE] * 2


def test_yolo_names_come_from_a_list_too_and_else_are_numbers(tmp_path):
    folder = write_photos(tmp_path / "flat", ["a.jpg", "b.jpg"])
    (folder / "a.txt").write_text(yolo(ORCHARD["a.jpg"]))
    assert {box[0] for box in drawn(read(folder))["a.jpg"]} == {"0", "1"}
    (folder / "classes.txt").write_text("apple\npear\n")
    found = read(folder)
    assert drawn(found) == {"a.jpg": ORCHARD["a.jpg"]}
    assert ("b.jpg",) not in found.sheets


def test_an_empty_yolo_file_says_that_a_photo_was_looked_at(tmp_path):
    folder = write_photos(tmp_path / "flat", ["a.jpg", "b.jpg"])
    (folder / "a.txt").write_text("")
    assert read(folder) is None
    (folder / "classes.txt").write_text("apple\n")
    assert drawn(read(folder)) == {"a.jpg": []}


def test_yolo_splits_have_folders_of_labels_each(tmp_path):
    folder = write_photos(tmp_path / "set", ["train/images/a.jpg", "images/val/b.jpg"])
    for name in ("train/labels/a.txt", "labels/val/b.txt", "train/labels/lost.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(yolo([("pear", 1, 2, 3, 4)]))
    (folder / "data.yaml").write_text("names:\n  0: apple\n  1: pear\n")
    found = read(folder)
    assert drawn(found) == {"a.jpg": [("pear", 1, 2, 3, 4)], "b.jpg": [("pear", 1, 2, 3, 4)]}
    assert reasons(found) == [Reason.MISSING_IMAGE]


def test_of_several_formats_one_is_chosen(tmp_path):
    folder = write_coco(tmp_path / "orchard")
    (folder / "a.txt").write_text(yolo(ORCHARD["a.jpg"]))
    asked = []

    def ask(question):
        asked.append(question)
        return "yolo"

    assert read(folder, ask).format == "yolo"
    assert (asked[0].key, asked[0].answers, asked[0].default) == ("boxes-format", ["coco", "yolo"], "coco")
    assert read(folder).format == "coco"


def test_files_called_after_a_part_of_a_split_say_so(tmp_path):
    folder = write_coco(tmp_path / "orchard", {"a.jpg": ORCHARD["a.jpg"]}, "instances_train2017.json")
    write_photos(folder, ["v.jpg"])
    (folder / "instances_val2017.json").write_text(json.dumps(coco({"v.jpg": []})))
    assert read(folder).splits == {("a.jpg",): "train", ("v.jpg",): "validation"}


def test_files_of_boxes_that_cannot_be_read_are_told_of(tmp_path, monkeypatch):
    folder = write_coco(tmp_path / "orchard")
    text = (folder / "annotations.json").read_text()
    (folder / "annotations.json").write_text(text[:-20])
    found = read(folder)
    assert (found.sheets, reasons(found)) == ({}, [Reason.UNREADABLE_FILE])
    (folder / "annotations.json").write_text(text)
    (folder / "Annotations.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>')
    assert reasons(read(folder)) == [Reason.UNREADABLE_FILE]
    monkeypatch.setattr("thaw.boxes.sheets.MAX_FILE_BYTES", 100)
    assert reasons(read(folder)) == [Reason.HUGE_FILE, Reason.UNREADABLE_FILE]


def test_no_more_json_files_are_read_than_can_be_soon(tmp_path, monkeypatch):
    monkeypatch.setattr(annotations, "MOST_JSON", 1)
    folder = write_coco(tmp_path / "orchard", name="b.json")
    (folder / "a.json").write_text("[]")
    assert read(folder) is None
