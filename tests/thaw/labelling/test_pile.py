"""How a pile stands after a person has named, merged, parted, moved and undone."""

import numpy as np
import pytest

from tests.support.pages import DATASET
from tests.support.pages import store as store
from tests.support.piles import EACH, KINDS, add_pile, photo_id, sorting
from thaw.datasets import edits
from thaw.labelling.pile import FILE, keep_sorting, list_labels, look_at, part, put_into, read_sorting


@pytest.fixture
def pile(store):
    """Return a function that looks at the pile as it stands now."""
    add_pile(store)
    return lambda: look_at(store, DATASET, read_sorting(store, DATASET))


def sizes(pile):
    return {int(group): int(np.sum(pile.groups[pile.places] == group)) for group in pile.groups[pile.places]}


def test_a_sorting_is_kept_whole_and_one_that_is_torn_is_none(store):
    assert read_sorting(store, "data-none") is None
    add_pile(store)
    read, made = read_sorting(store, DATASET), sorting("job-1")
    assert (read.key, read.ids) == (made.key, made.ids)
    assert np.array_equal(read.directions, made.directions)
    assert np.array_equal(read.groups, made.groups)
    path = store.workspace.dataset(DATASET) / FILE
    path.write_bytes(path.read_bytes()[:100])
    assert read_sorting(store, DATASET) is None


def test_what_is_named_waits_no_more_and_an_undo_brings_it_back(store, pile):
    assert pile().named == [None] * 18
    assert sizes(pile()) == {0: 6, 1: 6, 2: 6}
    ids = pile().ids(pile().members(1))
    assert edits.name_images(store, DATASET, dict.fromkeys(ids, " dog ")) == EACH
    named = pile()
    assert named.named == [None] * 6 + ["dog"] * 6 + [None] * 6
    assert sizes(named) == {0: 6, 2: 6}
    assert (store.dataset(DATASET).classes, store.dataset(DATASET).pile) == ({"dog": 6}, 12)
    edits.undo(store, DATASET)
    assert sizes(pile()) == {0: 6, 1: 6, 2: 6}
    assert store.dataset(DATASET).classes == {}


def test_many_names_are_one_change(store, pile):
    labels = {photo_id(number): KINDS[number // EACH] for number in range(18)}
    assert edits.name_images(store, DATASET, labels) == 18
    (made,) = store.edits(DATASET)
    assert (made.kind, made.detail) == ("name", {"classes": list(KINDS), "images": 18})
    assert edits.name_images(store, DATASET, labels) == 0
    edits.undo(store, DATASET)
    assert store.dataset(DATASET).pile == 18


def test_groups_are_merged_parted_and_rid_of_strays_and_each_can_be_undone(store, pile):
    assert put_into(store, DATASET, pile(), pile().members(2), 0) == EACH
    assert sizes(pile()) == {0: 12, 1: 6}
    assert part(store, DATASET, pile(), 0) == EACH
    assert sizes(pile()) == {0: 6, 1: 6, 2: 6}, "the two kinds fall apart again"
    put_into(store, DATASET, pile(), [11], None)
    assert sizes(pile()) == {0: 6, 1: 5, 2: 6, 3: 1}
    with pytest.raises(ValueError, match="two photos"):
        part(store, DATASET, pile(), 3)
    for expected in ({0: 6, 1: 6, 2: 6}, {0: 12, 1: 6}, {0: 6, 1: 6, 2: 6}):
        edits.undo(store, DATASET)
        assert sizes(pile()) == expected


def test_an_excluded_photo_is_in_no_group_and_one_that_came_later_in_no_sorting(store, pile):
    edits.exclude_images(store, DATASET, [photo_id(0)])
    assert sizes(pile()) == {0: 5, 1: 6, 2: 6}
    assert pile().unseen == 0
    fewer = sorting("job-2")
    keep_sorting(
        store,
        DATASET,
        type(fewer)("job-2", fewer.ids[:12], *(each[:12] for each in (fewer.directions, fewer.groups, fewer.alike))),
    )
    assert pile().unseen == 6


def test_groups_of_an_earlier_sorting_say_nothing_of_a_later_one(store, pile):
    put_into(store, DATASET, pile(), pile().members(2), 0)
    keep_sorting(store, DATASET, sorting("job-2"))
    assert sizes(pile()) == {0: 6, 1: 6, 2: 6}


def test_the_labels_so_far_are_listed_at_any_time(store, pile):
    assert list_labels(store, DATASET)[0] == {"file": "IMG_0000.jpg", "label": ""}
    edits.name_images(store, DATASET, {photo_id(0): "cat", photo_id(7): "dog"})
    edits.exclude_images(store, DATASET, [photo_id(1)])
    listed = {row["file"]: row["label"] for row in list_labels(store, DATASET)}
    assert (listed.pop("IMG_0000.jpg"), listed.pop("IMG_0007.jpg")) == ("cat", "dog")
    assert list(listed.values()) == [""] * 15
