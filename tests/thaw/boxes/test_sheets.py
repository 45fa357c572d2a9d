"""What is taken from an annotation file, and what is rejected at once."""

import pytest

from thaw.boxes.sheets import Drawing, Sheet, is_huge, read_label, read_size, seems_annotated, shown
from thaw.storage.boxes import Reason, RejectedBox


def test_a_drawing_needs_a_class_and_four_numbers():
    sheet = Sheet("x.json", "a.jpg")
    sheet.draw(" apple ", (1, 2, 3, 4))
    sheet.draw("apple", (1, 2, 3))
    sheet.draw("\0", (1, 2, 3, 4))
    assert sheet.drawings == [Drawing("apple", 1, 2, 3, 4)]
    assert sheet.reject_all(Reason.WRONG_SIZE) == [
        RejectedBox("x.json", "a.jpg", "apple", Reason.NOT_NUMBERS),
        RejectedBox("x.json", "a.jpg", "\0", Reason.UNKNOWN_CLASS),
        RejectedBox("x.json", "a.jpg", "apple", Reason.WRONG_SIZE),
    ]


@pytest.mark.parametrize("label", ["", "  ", "x" * 201, 3, None, ["apple"]])
def test_what_can_be_no_class_is_none(label):
    assert read_label(label) is None


def test_names_are_kept_as_a_database_can_hold_them():
    assert read_label("a\ud800b") == "a\ufffdb"
    assert (shown("\ud800"), shown(None), shown([1])) == ("\ufffd", "", "[1]")


def test_a_size_takes_two_numbers_that_make_one():
    assert read_size(96.0, 72) == (96, 72)
    assert [read_size(*size) for size in ((0, 0), (None, 72), (float("nan"), 72), ("96", 72), (True, 5))] == [None] * 5


def test_files_are_judged_before_they_are_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"info": 1, "annotations": [')
    assert (is_huge(path), seems_annotated(path)) == (False, True)
    path.write_text('{"info": 1')
    assert not seems_annotated(path)
    assert (is_huge(tmp_path / "none"), seems_annotated(tmp_path / "none")) == (True, False)
