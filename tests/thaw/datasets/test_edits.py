"""Edits: what each changes, that undoing restores exactly, and that what comes later follows a renamed class."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thaw.datasets import edits
from thaw.storage.database import new_id
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError
from tlcore.splits.groups import GroupRules

LABELS = ("ant", "bee", "cat")


def make_images(counts):
    return [
        Image(
            new_id("img"),
            label,
            f"{label}/{n}.png",
            f"{label}{n}",
            64,
            64,
            suffix=".png",
            folder="f",
            imported_label=label,
        )
        for label, count in counts.items()
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(open_workspace(tmp_path_factory.mktemp("edits")))


@pytest.fixture
def dataset_id(store):
    dataset_id = new_id("data")
    images = make_images({"ant": 3, "bee": 4, "cat": 2})
    images.append(dataclasses.replace(images[0], id=new_id("img"), role="holdout", content="else", name="ant/far.png"))
    store.add_dataset(dataset_id, "insects and one cat", "a test", Arrival(images))
    return dataset_id


def classes(store, dataset_id):
    return store.dataset(dataset_id).classes


def standing(store, dataset_id):
    """Return all that an edit can change."""
    marks = {field: store.marks(dataset_id, field) for field in (edits.ALIAS, edits.IGNORED, edits.GROUPING)}
    return store.every_image(dataset_id), marks


def ids_of(store, dataset_id, label):
    return [image.id for image in store.images(dataset_id, label)]


def test_renaming_a_class_takes_its_holdout_along(store, dataset_id):
    assert edits.rename_class(store, dataset_id, "ant", " Ants ") == 4
    assert classes(store, dataset_id) == {"Ants": 3, "bee": 4, "cat": 2}
    assert [image.label for image in store.images(dataset_id, role="holdout")] == ["Ants"]


def test_a_name_that_is_taken_or_empty_is_refused(store, dataset_id):
    for name, words in (("bee", "Merge the two"), ("  ", "1 to 200"), ("x" * 201, "1 to 200")):
        with pytest.raises(DatasetError, match=words):
            edits.rename_class(store, dataset_id, "ant", name)
    with pytest.raises(DatasetError, match="Expected a class"):
        edits.rename_class(store, dataset_id, "dog", "hound")
    assert store.edits(dataset_id) == []


def test_merging_and_deleting_classes(store, dataset_id):
    edits.merge_classes(store, dataset_id, ["ant", "bee"], "bee")
    assert classes(store, dataset_id) == {"bee": 7, "cat": 2}
    edits.delete_class(store, dataset_id, "cat")
    present = store.dataset(dataset_id)
    assert (present.classes, present.excluded, present.holdout, present.accepted) == ({"bee": 7}, 2, 1, 10)


def test_moving_excluding_and_restoring_many_at_once(store, dataset_id):
    bees = ids_of(store, dataset_id, "bee")
    assert edits.move_images(store, dataset_id, bees[:2], "wasp") == 2
    assert edits.exclude_images(store, dataset_id, bees[2:]) == 2
    assert classes(store, dataset_id) == {"ant": 3, "cat": 2, "wasp": 2}
    assert edits.restore_images(store, dataset_id, bees[2:3]) == 1
    assert classes(store, dataset_id)["bee"] == 1


def test_an_edit_that_changes_nothing_is_not_recorded(store, dataset_id):
    assert edits.move_images(store, dataset_id, ids_of(store, dataset_id, "bee"), "bee") == 0
    assert store.edits(dataset_id) == []
    assert store.dataset(dataset_id).version == 1


def test_an_image_of_another_data_set_is_refused_and_nothing_changes(store, dataset_id):
    before = standing(store, dataset_id)
    with pytest.raises(DatasetError, match="Expected an image of this data set"):
        edits.exclude_images(store, dataset_id, [*ids_of(store, dataset_id, "bee"), "img-of-another"])
    assert standing(store, dataset_id) == before


def test_undo_goes_back_one_edit_at_a_time_and_says_which(store, dataset_id):
    untouched = standing(store, dataset_id)
    edits.exclude_images(store, dataset_id, ids_of(store, dataset_id, "ant"))
    excluded = standing(store, dataset_id)
    edits.merge_classes(store, dataset_id, ["cat"], "bee")
    assert edits.undo(store, dataset_id).kind == "merge"
    assert standing(store, dataset_id) == excluded
    assert edits.undo(store, dataset_id).kind == "exclude"
    assert standing(store, dataset_id) == untouched
    assert store.dataset(dataset_id).version == 5
    with pytest.raises(DatasetError, match="as it was imported"):
        edits.undo(store, dataset_id)


def test_two_tabs_cannot_undo_the_same_edit_twice(store, dataset_id):
    edits.exclude_images(store, dataset_id, ids_of(store, dataset_id, "ant"))
    edits.exclude_images(store, dataset_id, ids_of(store, dataset_id, "cat"))
    latest = store.edits(dataset_id)[0].number
    store.undo_edit(dataset_id, latest)
    with pytest.raises(DatasetError, match="undone already"):
        store.undo_edit(dataset_id, latest)
    assert classes(store, dataset_id) == {"bee": 4, "cat": 2}


def test_findings_are_ignored_and_grouping_is_kept(store, dataset_id):
    edits.ignore_finding(store, dataset_id, "twins", ["Cat/cat"])
    assert edits.ignored(store, dataset_id) == {"twins:Cat/cat"}
    edits.set_grouping(store, dataset_id, GroupRules("{group}_*"))
    assert edits.grouping(store, dataset_id).pattern == "{group}_*"
    edits.undo(store, dataset_id)
    assert edits.grouping(store, dataset_id) == GroupRules()


def test_a_class_that_was_renamed_twice_and_back_has_no_alias_left(store, dataset_id):
    edits.rename_class(store, dataset_id, "ant", "bug")
    assert store.marks(dataset_id, edits.ALIAS) == {"ant": "bug"}
    edits.rename_class(store, dataset_id, "bug", "beetle")
    assert store.marks(dataset_id, edits.ALIAS) == {"ant": "beetle", "bug": "beetle"}
    edits.rename_class(store, dataset_id, "beetle", "ant")
    assert store.marks(dataset_id, edits.ALIAS) == {"bug": "ant", "beetle": "ant"}


def apply(store, dataset_id, step):
    """Do one random edit, or find that it is refused."""
    kind, first, second, places = step
    images = store.every_image(dataset_id)
    ids = [images[place % len(images)].id for place in places]
    try:
        {
            "rename": lambda: edits.rename_class(store, dataset_id, first, second),
            "merge": lambda: edits.merge_classes(store, dataset_id, [first], second),
            "delete": lambda: edits.delete_class(store, dataset_id, first),
            "move": lambda: edits.move_images(store, dataset_id, ids, second),
            "exclude": lambda: edits.exclude_images(store, dataset_id, ids),
            "restore": lambda: edits.restore_images(store, dataset_id, ids),
            "ignore": lambda: edits.ignore_finding(store, dataset_id, "blurry", ids),
            "group": lambda: edits.set_grouping(store, dataset_id, GroupRules(burst_seconds=len(ids))),
        }[kind]()
    except DatasetError:
        return


STEPS = st.tuples(
    st.sampled_from(["rename", "merge", "delete", "move", "exclude", "restore", "ignore", "group"]),
    st.sampled_from(LABELS),
    st.sampled_from([*LABELS, "dog"]),
    st.lists(st.integers(0, 20), max_size=4),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=6))
def test_undoing_all_edits_restores_exactly(store, steps):
    dataset_id = new_id("data")
    store.add_dataset(dataset_id, "random", "a test", Arrival(make_images({"ant": 3, "bee": 2, "cat": 2})))
    states = [standing(store, dataset_id)]
    for step in steps:
        apply(store, dataset_id, step)
        now = standing(store, dataset_id)
        if len(store.edits(dataset_id)) == len(states):
            states.append(now)
        else:
            assert now == states[-1], "an edit that is not recorded changed something"
    for state in reversed(states[:-1]):
        edits.undo(store, dataset_id)
        assert standing(store, dataset_id) == state


def test_images_move_to_the_very_class_that_a_folder_named(store):
    dataset_id = new_id("data")
    store.add_dataset(dataset_id, "spaced", "a test", Arrival(make_images({"ant": 2, "bee ": 2, "c" * 201: 1})))
    moved, other = ids_of(store, dataset_id, "ant")
    edits.move_images(store, dataset_id, [moved], "bee ")
    edits.move_images(store, dataset_id, [other], "c" * 201)
    assert classes(store, dataset_id) == {"bee ": 3, "c" * 201: 2}


def test_the_name_of_a_deleted_class_is_refused_with_advice_that_can_be_followed(store, dataset_id):
    deleted = ids_of(store, dataset_id, "bee")
    edits.delete_class(store, dataset_id, "bee")
    with pytest.raises(DatasetError, match="restore those images and merge"):
        edits.rename_class(store, dataset_id, "ant", "bee")
    edits.restore_images(store, dataset_id, deleted)
    edits.merge_classes(store, dataset_id, ["ant"], "bee")
    assert classes(store, dataset_id) == {"bee": 7, "cat": 2}


def test_a_class_that_was_renamed_while_an_import_went_on_gets_its_images(store, dataset_id):
    edits.rename_class(store, dataset_id, "ant", "emmet")
    (late,) = make_images({"ant": 1})
    store.add_to_dataset(dataset_id, "a test", Arrival([dataclasses.replace(late, content="late")]))
    assert classes(store, dataset_id) == {"emmet": 4, "bee": 4, "cat": 2}
