"""Photos that come with boxes: which files are annotations, and where the photos belong."""

import json

import pytest

from tests.support.boxes.annotations import WRITERS, coco, write_coco, write_photos
from thaw.sources.annotated import arrange_annotated
from thaw.sources.sources import Source, collect


def find(folder, tmp_path):
    return collect(Source("folder", folder, ""), tmp_path / "unpacked", lambda *_: None, lambda: None)


@pytest.mark.parametrize("form", WRITERS)
def test_annotation_files_are_ignored_and_counted(tmp_path, form):
    found = find(WRITERS[form](tmp_path / "orchard"), tmp_path)
    files = [path for path in (tmp_path / "orchard").rglob("*") if path.is_file()]
    assert (len(found.entries), found.count, found.set_aside) == (3, len(files), [])
    assert found.annotations.count == 3
    assert any("The boxes come from" in note for note in found.notes)


def test_folders_of_classes_stay_what_they_are(tmp_path):
    folder = write_photos(tmp_path / "pets", ["cat/a.jpg", "dog/b.jpg"])
    (folder / "labels.csv").write_text("file,class\ncat/a.jpg,tabby\ndog/b.jpg,pug\n")
    (folder / "notes.json").write_text('{"annotations": []}')
    found = find(folder, tmp_path)
    assert found.annotations is None
    assert {entry.label for entry in found.entries} == {None, "tabby", "pug"} - {None}


def test_a_damaged_file_of_boxes_is_told_of(tmp_path):
    folder = write_coco(tmp_path / "orchard")
    (folder / "annotations.json").write_text('{"annotations": [')
    found = find(folder, tmp_path)
    assert found.annotations.sheets == {}
    assert ["seems to hold boxes" in note for note in found.notes] == [True]
    assert len(found.entries) == 4


def places(names, folder, tmp_path, role="main", classes=()):
    annotations = find(folder, tmp_path).annotations
    layout = arrange_annotated([tuple(name.split("/")) for name in names], annotations, role, classes)
    return [(place.label, place.role, place.part) for place in layout.places]


def test_photos_with_boxes_have_no_class(tmp_path):
    folder = write_coco(tmp_path / "orchard")
    assert places(["a.jpg", "b.jpg"], folder, tmp_path) == [("", "pile", "")] * 2
    assert places(["a.jpg"], folder, tmp_path, role="holdout") == [("", "holdout", "")]


def test_parts_of_a_split_are_kept(tmp_path):
    names = ["train/a.jpg", "valid/b.jpg", "test/c.jpg"]
    folder = write_coco(tmp_path / "orchard", {name: [] for name in names})
    assert places(names, folder, tmp_path) == [
        ("", "pile", "training"),
        ("", "pile", "validation"),
        ("", "holdout", ""),
    ]
    # A holdout of a data set with classes has classes.
    assert places(names, folder, tmp_path, classes=["rose"])[2] == ("", "pile", "")
    assert places(names, folder, tmp_path, role="pile") == [("", "pile", "")] * 3


def test_annotation_files_name_the_parts_where_no_folder_does(tmp_path):
    folder = write_coco(tmp_path / "orchard", {"a.jpg": []}, "instances_train.json")
    write_photos(folder, ["b.jpg"])
    (folder / "instances_val.json").write_text(json.dumps(coco({"b.jpg": []})))
    assert places(["a.jpg", "b.jpg", "c.jpg"], folder, tmp_path) == [
        ("", "pile", "training"),
        ("", "pile", "validation"),
        ("", "pile", ""),
    ]
