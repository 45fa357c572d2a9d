"""The boxes of a data set in its rows, its journal and its trash."""

import json
from dataclasses import replace

import pytest

from thaw.storage.boxes import BoxesChanged, Reason, RejectedBox, read_boxes, read_rejected, write_boxes
from thaw.storage.datasets import Arrival
from thaw.storage.journal.rebuild import rebuild
from thaw.storage.journal.rows import Change
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.boxes import Box
from tlcore.errors import DatasetError

APPLE, PEAR = Box("apple", 0.1, 0.2, 0.3, 0.4), Box("p\u00eare", 0.5, 0.5, 0.5, 0.5)
LOST = RejectedBox("x.json", "lost.jpg", "apple", Reason.MISSING_IMAGE)


def image(number):
    return Image(f"img-{number}", "", f"{number}.jpg", f"{number:064x}", 30, 20, suffix=".jpg", role="pile")


@pytest.fixture
def store(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    drawn = {"img-1": [APPLE, PEAR], "img-2": []}
    arrival = Arrival([image(1), image(2), image(3)], drawn=drawn, rejected_boxes=[LOST])
    store.add_dataset("data-1", "Orchard", "here", arrival)
    return store


def keep_copies(store):
    """Write the copies that a rebuilding looks for."""
    folder = store.workspace.dataset("") / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for each in store.every_image("data-1"):
        (folder / f"{each.id}.jpg").touch()


def test_boxes_come_with_an_import(store):
    assert store.boxes("data-1") == {"img-1": [APPLE, PEAR], "img-2": []}
    assert [store.boxes_on("data-1", f"img-{number}") for number in (1, 2, 3)] == [[APPLE, PEAR], [], None]
    assert store.count_boxes("data-1") == {"apple": 1, "p\u00eare": 1}
    assert store.rejected_boxes("data-1") == [LOST]
    assert store.has_boxes("data-1")
    assert store.count_looked_at("data-1") == 2


def test_a_data_set_without_them_has_none(store):
    store.add_dataset("data-2", "Photos", "here", Arrival([image(9)]))
    assert (store.boxes("data-2"), store.has_boxes("data-2"), store.count_boxes("data-2")) == ({}, False, {})


def test_boxes_are_set_and_undone(store):
    version = store.dataset("data-1").version
    assert store.set_boxes("data-1", "img-3", [PEAR], None)
    assert store.set_boxes("data-1", "img-1", [], [APPLE, PEAR])
    assert not store.set_boxes("data-1", "img-1", [], [])
    assert (store.count_boxes("data-1"), store.dataset("data-1").version) == ({"p\u00eare": 1}, version + 2)
    assert store.set_boxes("data-1", "img-1", None, [])
    assert store.boxes_on("data-1", "img-1") is None
    assert [(edit.kind, edit.detail) for edit in store.edits("data-1")] == [
        ("boxes", {"images": 1, "boxes": None}),
        ("boxes", {"images": 1, "boxes": 0}),
        ("boxes", {"images": 1, "boxes": 1}),
    ]
    for edit in store.edits("data-1"):
        store.undo_edit("data-1", edit.number)
    assert store.boxes("data-1") == {"img-1": [APPLE, PEAR], "img-2": []}


def draw_on(store, number, boxes, read):
    return store.set_boxes("data-1", f"img-{number}", boxes, read, by_hand=True)


def list_edits(store):
    return [(edit.detail["boxes"], edit.undone_at is None) for edit in store.edits("data-1")]


def test_what_is_drawn_by_hand_on_one_photo_in_one_sitting_is_one_change(store):
    version = store.dataset("data-1").version
    assert draw_on(store, 3, [APPLE], None)
    assert draw_on(store, 3, [APPLE, PEAR], [APPLE])
    assert draw_on(store, 3, [PEAR], [APPLE, PEAR])
    assert not draw_on(store, 3, [PEAR], [PEAR])
    assert (list_edits(store), store.dataset("data-1").version) == ([(1, True)], version + 3)
    assert store.boxes_on("data-1", "img-3") == [PEAR]

    store.undo_edit("data-1", store.edits("data-1")[0].number)

    assert store.boxes_on("data-1", "img-3") is None
    # One that was undone is over.
    assert draw_on(store, 3, [APPLE], None)
    assert list_edits(store) == [(1, True), (1, False)]


def test_another_photo_another_change_and_a_pause_begin_a_new_one(store, monkeypatch):
    draw_on(store, 3, [APPLE], None)
    draw_on(store, 2, [PEAR], [])
    draw_on(store, 3, [APPLE, PEAR], [APPLE])
    assert list_edits(store) == [(2, True), (1, True), (1, True)]
    store.rename_boxes("data-1", "apple", "plum")
    draw_on(store, 3, [PEAR], [replace(APPLE, label="plum"), PEAR])
    assert len(store.edits("data-1")) == 5
    monkeypatch.setattr("thaw.storage.boxes.SITTING_S", 0.0)
    draw_on(store, 3, [APPLE], [PEAR])
    assert len(store.edits("data-1")) == 6


def test_a_change_that_was_gone_on_with_since_it_was_seen_is_not_undone(store):
    draw_on(store, 3, [APPLE], None)
    (seen,) = store.edits("data-1")
    draw_on(store, 3, [APPLE, PEAR], [APPLE])
    with pytest.raises(DatasetError, match="gone on with since"):
        store.undo_edit("data-1", seen.number, seen.created_at)
    (now,) = store.edits("data-1")
    store.undo_edit("data-1", now.number, now.created_at)
    assert store.boxes_on("data-1", "img-3") is None


def test_an_import_is_never_gone_on_with_and_what_ends_as_it_began_is_told_twice(store):
    store.set_boxes("data-1", "img-3", [APPLE], None)
    draw_on(store, 3, [APPLE, PEAR], [APPLE])
    draw_on(store, 3, [APPLE], [APPLE, PEAR])
    assert list_edits(store) == [(1, True), (2, True), (1, True)]


def test_the_journal_brings_back_what_was_drawn_in_one_sitting(store):
    for read, boxes in ((None, [APPLE]), ([APPLE], [APPLE, PEAR]), ([APPLE, PEAR], [PEAR])):
        draw_on(store, 3, boxes, read)
    keep_copies(store)
    store.workspace.database.write_bytes(b"")
    rebuild(store.workspace)
    again = Store(store.workspace)
    assert (again.boxes_on("data-1", "img-3"), list_edits(again)) == ([PEAR], [(1, True)])
    again.undo_edit("data-1", again.edits("data-1")[0].number)
    assert again.boxes_on("data-1", "img-3") is None


@pytest.mark.parametrize(
    "box",
    [
        Box("apple", 0.5, 0, 0.6, 1),
        Box("apple", 0, 0, 0, 1),
        Box("apple", float("nan"), 0, 1, 1),
        Box(" apple", 0, 0, 1, 1),
        Box("", 0, 0, 1, 1),
        Box("a" * 201, 0, 0, 1, 1),
    ],
)
def test_boxes_that_no_photo_can_have_are_refused(store, box):
    with pytest.raises(DatasetError, match="Expected"):
        store.set_boxes("data-1", "img-3", [APPLE, box], None)
    with pytest.raises(DatasetError, match="at most 2,000 boxes"):
        store.set_boxes("data-1", "img-3", [APPLE] * 2001, None)
    assert store.boxes_on("data-1", "img-3") is None


def test_a_kind_is_renamed_on_all_photos_at_once_and_joins_one_of_that_name(store):
    store.set_boxes("data-1", "img-3", [APPLE], None)
    assert store.rename_boxes("data-1", "apple", " p\u00eare ") == 2
    assert store.count_boxes("data-1") == {"p\u00eare": 3}
    assert [box.label for box in store.boxes_on("data-1", "img-1")] == ["p\u00eare"] * 2
    assert store.edits("data-1")[0].detail == {"images": 2, "boxes": 0, "renamed": ["apple", "p\u00eare"]}
    assert store.rename_boxes("data-1", "apple", "plum") == 0
    with pytest.raises(DatasetError, match="1 to 200 characters"):
        store.rename_boxes("data-1", "p\u00eare", " ")
    store.undo_edit("data-1", store.edits("data-1")[0].number)
    assert store.boxes("data-1") == {"img-1": [APPLE, PEAR], "img-2": [], "img-3": [APPLE]}


def test_what_another_window_has_drawn_is_not_overwritten(store):
    store.set_boxes("data-1", "img-3", [APPLE], None)
    with pytest.raises(BoxesChanged, match="another window"):
        store.set_boxes("data-1", "img-3", [PEAR], None)
    with pytest.raises(BoxesChanged, match="another window"):
        store.set_boxes("data-1", "img-1", [PEAR], [APPLE])
    assert (store.boxes_on("data-1", "img-3"), store.boxes_on("data-1", "img-1")) == ([APPLE], [APPLE, PEAR])
    # Both windows wanted the same: nothing is lost by taking it for done.
    assert not store.set_boxes("data-1", "img-3", [APPLE], None)


def test_a_photo_of_another_data_set_is_refused(store):
    with pytest.raises(DatasetError, match="img-none"):
        store.set_boxes("data-1", "img-none", [], None)


def test_excluded_photos_do_not_count(store):
    store.add_edit("data-1", "exclude", {}, [Change("excluded", "img-1", "1")])
    assert (store.count_boxes("data-1"), len(store.boxes("data-1"))) == ({}, 2)


def test_an_addition_draws_on_new_photos_and_on_those_that_were_there(store):
    arrival = Arrival([image(4)], drawn={"img-4": [PEAR], "img-3": [APPLE]}, rejected_boxes=[LOST] * 450)
    store.add_to_dataset("data-1", "there", arrival)
    assert (store.boxes_on("data-1", "img-4"), store.boxes_on("data-1", "img-3")) == ([PEAR], [APPLE])
    assert store.rejected_boxes("data-1") == [LOST] * 451
    assert [edit.kind for edit in store.edits("data-1")] == ["add", "boxes"]


def test_the_journal_brings_them_back(store):
    store.set_boxes("data-1", "img-3", [PEAR], None)
    store.add_to_dataset("data-1", "there", Arrival([image(4)], drawn={"img-4": [APPLE], "img-2": [PEAR]}))
    keep_copies(store)
    before = store.boxes("data-1"), store.rejected_boxes("data-1"), store.count_boxes("data-1")
    store.workspace.database.write_bytes(b"")
    rebuilt = rebuild(store.workspace)
    assert [each.unread for each in rebuilt.datasets] == [0]
    again = Store(store.workspace)
    assert (again.boxes("data-1"), again.rejected_boxes("data-1"), again.count_boxes("data-1")) == before


def test_an_emptied_trash_forgets_them(store):
    entry = store.hide("dataset", "data-1", {}, [])
    store.forget(entry.id)
    assert store._rows("SELECT * FROM marks") == []


def test_equal_boxes_make_equal_texts():
    assert write_boxes([Box("a", 0.1 + 0.2, 0, 0.5, 1)]) == write_boxes([Box("a", 0.3, 0.0, 0.5, 1)])
    assert read_boxes(write_boxes([APPLE, PEAR])) == [APPLE, PEAR]


@pytest.mark.parametrize(
    "rows",
    [
        {"a": 1},
        7,
        [["a", 0, 0, 1]],
        [["a", 0, 0, 1, "1"]],
        [[3, 0, 0, 1, 1]],
        [["a", 0, 0, 1.1, 1]],
        [["a", -0.1, 0, 1, 1]],
        [["a", 0, 0, 0, 1]],
        [["a", 0, 0, 1, float("nan")]],
    ],
)
def test_a_text_that_holds_no_boxes_is_refused(rows):
    with pytest.raises(ValueError, match=r"."):
        read_boxes(json.dumps(rows))


@pytest.mark.parametrize("text", ["7", "[[1, 2]]", '[["x.json", "a.jpg", "apple", "because"]]'])
def test_a_text_that_holds_no_rejected_boxes_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        read_rejected(text)


def test_long_names_are_cut(store):
    long = RejectedBox("f" * 5000, "p" * 5000, "l" * 5000, Reason.CROWD)
    store.add_to_dataset("data-1", "there", Arrival([], rejected_boxes=[long]))
    assert len(store.rejected_boxes("data-1")[-1].photo) == 300
