"""YOLO files and lists of classes."""

import pytest

from thaw.boxes.sheets import Drawing
from thaw.boxes.yolo import is_yolo, read_lines, read_names, read_yolo, write_names, write_yolo
from thaw.storage.boxes import Reason
from tlcore.boxes import Box

NAMES = {0: "apple", 1: "pear"}


def read(text, names=NAMES):
    return read_yolo([line.split() for line in text.splitlines()], names, "a.txt", "a.jpg")


def test_a_line_is_a_box_in_shares():
    sheet = read("1 0.5 0.5 0.25 0.5")
    assert (sheet.shares, sheet.size, sheet.drawings) == (True, None, [Drawing("pear", 0.375, 0.25, 0.625, 0.75)])


def test_an_outline_is_taken_by_the_box_around_it_and_a_guess_without_its_confidence():
    around = Drawing("apple", 0.1, 0.2, 0.5, 0.8)
    assert read("0 0.1 0.2 0.5 0.3 0.4 0.8").drawings == [around]
    assert read("0 0.5 0.5 0.5 0.5 0.9").drawings == [Drawing("apple", 0.25, 0.25, 0.75, 0.75)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 0.5 0.5 0.1 0.1", Reason.UNKNOWN_CLASS),
        ("-1 0.5 0.5 0.1 0.1", Reason.NOT_NUMBERS),
        ("99999999999999999999 0.5 0.5 0.1 0.1", Reason.UNKNOWN_CLASS),
        ("apple 0.5 0.5 0.1 0.1", Reason.NOT_NUMBERS),
        ("0 0.5 0.5 0.1", Reason.NOT_NUMBERS),
        ("0 0.5 0.5 0.1 x", Reason.NOT_NUMBERS),
        ("0 0.5 0.5 0.1 nan", Reason.NOT_NUMBERS),
        ("0 0.5 0.5 0.1 inf", Reason.NOT_NUMBERS),
        ("0 0.5 0.5 0.1 0.1 0.2 0.2 0.3", Reason.NOT_NUMBERS),
    ],
)
def test_what_is_no_box_costs_itself_alone(line, reason):
    sheet = read(f"{line}\n0 0.5 0.5 0.1 0.1")
    assert ([each.reason for each in sheet.rejected], len(sheet.drawings)) == ([reason], 1)


def test_without_names_a_class_is_called_by_its_number():
    assert read("7 0.5 0.5 0.1 0.1", None).drawings[0].label == "7"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nc: 2\nnames: [apple, 'pear, ripe']\n", {0: "apple", 1: "pear, ripe"}),
        ("names:\n- apple\n- pear # the green one\ntrain: x\n", NAMES),
        ('train: ../train\nnames:\n  0: apple\n  1: "pear"\n\nval: x\n', NAMES),
        ("names: {0: apple, 1: pear}\n", NAMES),
        ("names: ['apple',\n  'pear']\nnc: 2", NAMES),
        ("names: []", None),
        ("train: x\n", None),
        ("names: " + "[" * 100_000, {0: "[" * 99_999}),
    ],
)
def test_names_stand_in_yaml(tmp_path, text, names):
    path = tmp_path / "data.yaml"
    path.write_text(text)
    assert read_names(path, path.name) == names


def test_names_stand_in_a_list(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("apple\n\npear \n", encoding="utf-8-sig")
    assert read_names(path, path.name) == NAMES
    path.write_bytes(b"\xff\xfe\x00")
    assert read_names(path, path.name) is None


def test_files_of_another_kind_are_none(tmp_path):
    path = tmp_path / "a.txt"
    for content in ("a cat on a sofa", "", "images/a.jpg\nimages/b.jpg", "0 1 2 3", "0.5 1 2 3 4"):
        path.write_text(content)
        assert not is_yolo(read_lines(path))
    path.write_bytes(b"\xff\x00")
    assert read_lines(path) is None


def test_what_is_written_is_read_again():
    text = write_yolo([Box("pear", 0.125, 0.25, 0.5, 0.5), Box("apple", 0, 0, 1, 1)], ["apple", "pear"])
    assert read(text).drawings == [Drawing("pear", 0.125, 0.25, 0.625, 0.75), Drawing("apple", 0, 0, 1, 1)]


def test_names_that_are_written_are_read_again(tmp_path):
    labels = ["apple", 'a "big": #1, \\ pear', "it's", "p\u00eare\n2"]
    path = tmp_path / "data.yaml"
    path.write_text(write_names(labels, {"train": "images/train"}))
    assert read_names(path, path.name) == dict(enumerate(labels))
    path.write_text("names: ['it''s', \"x\\q\"]")
    assert read_names(path, path.name) == {0: "it's", 1: "x\\q"}
