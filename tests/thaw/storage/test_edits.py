"""Changes decided on what is no longer so: what others have done is not written over, and nothing is done by halves."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from thaw.datasets import edits
from thaw.labelling import pile as piles
from thaw.storage.database import new_id
from thaw.storage.datasets import Arrival
from thaw.storage.edits import ClassGone, PhotosChanged
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError

LABELS = ("ant", "bee", "cat")
EACH = 3


def image(label, number, role="main"):
    name = f"{label or 'pile'}/{number}.png"
    return Image(new_id("img"), label, name, f"{label}{number}{role}", 64, 64, suffix=".png", folder="f", role=role)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(open_workspace(tmp_path_factory.mktemp("edits")))


@pytest.fixture
def dataset_id(store):
    dataset_id = new_id("data")
    images = [image(label, number) for label in LABELS for number in range(EACH)]
    waiting = [image("", number, "pile") for number in range(EACH)]
    store.add_dataset(dataset_id, "insects and one cat", "a test", Arrival([*images, *waiting]))
    return dataset_id


def ids(store, dataset_id, label):
    return [each.id for each in store.every_image(dataset_id) if each.label == label]


def standing(store, dataset_id):
    return [(each.id, each.label, each.role, each.excluded) for each in store.every_image(dataset_id)]


def test_a_move_of_what_another_has_moved_is_refused_whole_and_says_where_it_is(store, dataset_id):
    seen, ants = store.dataset(dataset_id), ids(store, dataset_id, "ant")
    edits.move_images(store, dataset_id, ants[:2], "bee")
    before = standing(store, dataset_id)
    with pytest.raises(PhotosChanged, match="2 that were changed meanwhile, in 'bee'") as told:
        edits.move_images(store, dataset_id, ants, "cat", seen)
    assert told.value.found == dict.fromkeys(ants[:2], "bee")
    with pytest.raises(PhotosChanged):
        edits.exclude_images(store, dataset_id, ants[:1], seen)
    assert standing(store, dataset_id) == before
    assert edits.exclude_images(store, dataset_id, ants[2:], seen) == 1
    assert edits.move_images(store, dataset_id, ants[:1], "cat", store.dataset(dataset_id)) == 1
    # Whoever asks for what the other has done already gets it.
    assert edits.move_images(store, dataset_id, ants[1:2], "bee", seen) == 0


def test_a_photo_that_was_taken_out_is_told_apart(store, dataset_id):
    seen, ants = store.dataset(dataset_id), ids(store, dataset_id, "ant")
    edits.exclude_images(store, dataset_id, ants[:1])
    with pytest.raises(PhotosChanged) as told:
        edits.move_images(store, dataset_id, ants, "bee", seen)
    assert told.value.found == {ants[0]: None}


def test_what_was_changed_and_put_back_is_as_it_was(store, dataset_id):
    seen, ants = store.dataset(dataset_id), ids(store, dataset_id, "ant")
    edits.move_images(store, dataset_id, ants, "bee")
    edits.undo(store, dataset_id)
    assert edits.move_images(store, dataset_id, ants, "cat", seen) == EACH


def test_an_undo_of_what_was_seen_is_a_change_too(store, dataset_id):
    ants = ids(store, dataset_id, "ant")
    edits.move_images(store, dataset_id, ants[:1], "bee")
    edits.move_images(store, dataset_id, ants[1:2], "bee")
    seen = store.dataset(dataset_id)
    edits.undo(store, dataset_id)
    with pytest.raises(PhotosChanged) as told:
        edits.move_images(store, dataset_id, ants, "cat", seen)
    assert told.value.found == {ants[1]: "ant"}


def test_a_class_that_is_gone_or_called_otherwise_does_not_come_back_unseen(store, dataset_id):
    seen, ants = store.dataset(dataset_id), ids(store, dataset_id, "ant")
    edits.rename_class(store, dataset_id, "bee", "wasp")
    edits.delete_class(store, dataset_id, "cat")
    for change in (
        lambda: edits.move_images(store, dataset_id, ants, "bee", seen),
        lambda: edits.merge_classes(store, dataset_id, ["ant"], "bee", seen),
        lambda: edits.name_images(store, dataset_id, dict.fromkeys(ants, "bee"), seen),
        lambda: edits.rename_class(store, dataset_id, "bee", "hornet"),
    ):
        with pytest.raises(ClassGone, match="called 'wasp' by now") as told:
            change()
        assert told.value.renamed == "wasp"
    with pytest.raises(ClassGone, match="none by now"):
        edits.move_images(store, dataset_id, ants, "cat", seen)
    assert store.dataset(dataset_id).classes == {"ant": EACH, "wasp": EACH}
    # One that nobody has seen is meant to be new.
    assert edits.move_images(store, dataset_id, ants, "moth", seen) == EACH


def test_a_class_takes_no_photo_along_that_came_to_it_unseen(store, dataset_id):
    seen, bees = store.dataset(dataset_id), ids(store, dataset_id, "bee")
    edits.move_images(store, dataset_id, bees[:1], "ant")
    for change in (
        lambda: edits.delete_class(store, dataset_id, "ant", seen),
        lambda: edits.merge_classes(store, dataset_id, ["ant"], "cat", seen),
    ):
        with pytest.raises(PhotosChanged) as told:
            change()
        assert told.value.found == {bees[0]: "ant"}
    assert edits.rename_class(store, dataset_id, "ant", "emmet") == EACH + 1
    assert edits.delete_class(store, dataset_id, "bee", seen) == EACH - 1


def test_two_name_the_pile_at_once(store, dataset_id):
    seen, waiting = store.dataset(dataset_id), ids(store, dataset_id, "")
    assert edits.name_images(store, dataset_id, {waiting[0]: "ant"}, seen) == 1
    with pytest.raises(PhotosChanged) as told:
        edits.name_images(store, dataset_id, dict.fromkeys(waiting, "bee"), seen)
    assert told.value.found == {waiting[0]: "ant"}
    assert edits.arrange_pile(store, dataset_id, {waiting[1]: "key 1"}, seen) == 1
    with pytest.raises(PhotosChanged):
        edits.arrange_pile(store, dataset_id, {waiting[1]: "key 2"}, seen)
    assert store.marks(dataset_id, edits.PILE_GROUP) == {waiting[1]: "key 1"}
    assert piles.PILE_GROUP == edits.PILE_GROUP


ACTS = st.tuples(st.integers(0, EACH * 3 - 1), st.sampled_from((*LABELS, "out", "in", "undo")))


@example([(6, "ant"), (6, "cat"), (0, "undo")], [(0, "undo")], "ant")
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ACTS, max_size=6), st.lists(ACTS, max_size=6), st.sampled_from(LABELS))
def test_whatever_was_done_between_a_photo_is_written_over_only_where_it_is_as_seen(store, before, between, wanted):
    dataset_id = new_id("data")
    store.add_dataset(dataset_id, "a", "b", Arrival([image(label, n) for label in LABELS for n in range(EACH)]))
    photos = [each.id for each in store.every_image(dataset_id)]

    def do(acts):
        for place, act in acts:
            try:
                if act == "undo":
                    edits.undo(store, dataset_id)
                elif act in ("out", "in"):
                    (edits.exclude_images if act == "out" else edits.restore_images)(store, dataset_id, [photos[place]])
                else:
                    edits.move_images(store, dataset_id, [photos[place]], act)
            except DatasetError:
                pass

    do(before)
    seen, shown = store.dataset(dataset_id), standing(store, dataset_id)
    do(between)
    for photo, was, present in zip(photos, shown, standing(store, dataset_id), strict=True):
        if present[1] == wanted:
            continue
        # What was refused without need is looked at again; what was written over would be lost.
        if was != present:
            with pytest.raises((PhotosChanged, ClassGone)):
                edits.move_images(store, dataset_id, [photo], wanted, seen)
        elif not any(act == "undo" for _, act in (*before, *between)) and wanted in store.dataset(dataset_id).classes:
            edits.move_images(store, dataset_id, [photo], wanted, seen)
            edits.undo(store, dataset_id)
