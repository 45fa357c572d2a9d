import shutil

import pytest

from tests.support.pictures.corpus import write_classes
from thaw.datasets import edits
from thaw.datasets.ingest import ingest
from thaw.datasets.run_split import choose_split
from thaw.sources.sources import Source
from thaw.storage.questions import require_answer
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError
from tlcore.settings import HeadSettings
from tlcore.splits.groups import group_images

pytestmark = pytest.mark.usefixtures("warm_decoder")


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def add(store, folder, answers=None, **options):
    """Import a folder and return the data set as it stands then."""

    def ask(question):
        return require_answer(question, (answers or {}).get(question.key, question.default))

    return store.dataset(ingest(store, Source("folder", folder, str(folder)), "Photos", ask=ask, **options))


def balanced(dataset):
    return dataset.accepted + dataset.set_aside + dataset.ignored + dataset.known == dataset.found


def shelves(dataset):
    return dataset.classes, dataset.holdout, dataset.pile, dataset.set_aside


SPLIT = {"train/cat": 6, "train/dog": 6, "valid/cat": 3, "valid/dog": 3, "test/cat": 2, "test/dog": 2, "unlabelled": 4}
PETS = {"cat": 9, "dog": 9}


@pytest.fixture
def split(tmp_path):
    return write_classes(tmp_path / "split", SPLIT)


def test_a_ready_made_split_keeps_its_parts(store, split):
    dataset = add(store, split)
    assert shelves(dataset) == (PETS, 4, 4, 0)
    assert balanced(dataset)
    images = store.images(dataset.id)
    assert {image.part for image in images if image.name.startswith("train/")} == {"training"}
    assert {image.label for image in store.images(dataset.id, role="pile")} == {""}
    parts = choose_split(store, dataset.id, HeadSettings())
    assert {image.part for image in parts.validation} == {"validation"}
    assert (len(parts.training), len(parts.validation), len(parts.holdout)) == (12, 6, 4)
    own = choose_split(store, dataset.id, HeadSettings(parts="own", validation_split=0.5))
    assert {image.part for image in own.validation} == {"training", "validation"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("together", ({"cat": 11, "dog": 11}, 0, 4, 0)), ("without", (PETS, 0, 4, 4))],
)
def test_other_answers_about_a_split(store, split, answer, expected):
    dataset = add(store, split, {"parts": answer})
    assert shelves(dataset) == expected
    assert balanced(dataset)


def test_a_test_photo_that_is_one_of_training_is_set_aside(store, split):
    shutil.copy(split / "train" / "cat" / "0.jpg", split / "test" / "cat" / "again.jpg")
    dataset = add(store, split)
    assert shelves(dataset) == (PETS, 4, 4, 1)
    assert [(each.name, "training never saw" in each.reason) for each in store.set_aside(dataset.id)] == [
        ("test/cat/again.jpg", True)
    ]


def test_a_validation_photo_that_is_one_of_training_is_learnt_from(store, split):
    shutil.copy(split / "train" / "cat" / "0.jpg", split / "valid" / "cat" / "again.jpg")
    dataset = add(store, split)
    parts = choose_split(store, dataset.id, HeadSettings())
    assert "valid/cat/again.jpg" in {image.name for image in parts.training}
    assert len(parts.validation) == 6


def test_a_split_can_be_added_to_a_data_set_and_undone(store, split, tmp_path):
    dataset = add(store, write_classes(tmp_path / "first", {"cat": 4, "dog": 4}, seed=9000))
    dataset = add(store, split, into=dataset.id)
    assert shelves(dataset) == ({"cat": 13, "dog": 13}, 4, 4, 0)
    assert store.edits(dataset.id)[0].detail["roles"] == {"main": 18, "holdout": 4, "pile": 4}
    again = add(store, split, into=dataset.id)
    assert (again.known, shelves(again)) == (26, shelves(dataset))
    edits.undo(store, dataset.id)
    assert shelves(store.dataset(dataset.id)) == ({"cat": 4, "dog": 4}, 0, 0, 0)


def test_a_photo_of_the_pile_becomes_one_of_a_class_and_back(store, split):
    dataset = add(store, split)
    pile = store.images(dataset.id, role="pile")
    assert edits.move_images(store, dataset.id, [pile[0].id, pile[1].id], "cat") == 2
    assert shelves(store.dataset(dataset.id)) == (PETS | {"cat": 11}, 4, 2, 0)
    assert {store.images_by_id([pile[0].id])[pile[0].id].role} == {"main"}
    edits.undo(store, dataset.id)
    assert store.images(dataset.id, role="pile") == pile
    edits.exclude_images(store, dataset.id, [pile[0].id])
    assert store.dataset(dataset.id).excluded == 1
    edits.restore_images(store, dataset.id, [pile[0].id])
    assert store.dataset(dataset.id).pile == 4
    assert store.standing(dataset.id)[pile[0].id] is None


def test_a_photo_of_the_pile_that_comes_in_a_class_folder_moves_there(store, split, tmp_path):
    dataset = add(store, split)
    (tmp_path / "sorted" / "cat").mkdir(parents=True)
    shutil.copy(split / "unlabelled" / "0.jpg", tmp_path / "sorted" / "cat" / "x.jpg")
    dataset = add(store, tmp_path / "sorted", into=dataset.id)
    assert shelves(dataset) == (PETS | {"cat": 10}, 4, 3, 0)
    assert dataset.known == 1


@pytest.fixture
def sides(tmp_path):
    """Return a folder of two classes, and the same after a person has moved three files."""
    before = write_classes(tmp_path / "before", {"left": 6, "right": 6})
    after = tmp_path / "after"
    shutil.copytree(before, after)
    for number in range(3):
        (after / "left" / f"{number}.jpg").rename(after / "right" / f"moved{number}.jpg")
    (after / "left" / "5.jpg").unlink()
    return before, after


def test_files_that_were_moved_to_another_class_move_their_photos(store, sides):
    before, after = sides
    dataset = add(store, before)
    dataset = add(store, after, into=dataset.id)
    assert dataset.classes == {"left": 3, "right": 9}
    assert dataset.known == 11
    assert balanced(dataset)
    assert any("3 photos moved from 'left' to 'right'" in note for note in dataset.notes)
    assert [edit.kind for edit in store.edits(dataset.id)] == ["refile"]
    assert add(store, after, into=dataset.id).classes == {"left": 3, "right": 9}
    edits.undo(store, dataset.id)
    assert store.dataset(dataset.id).classes == {"left": 6, "right": 6}
    back = add(store, before, into=dataset.id)
    assert back.classes == {"left": 6, "right": 6}


def test_files_that_are_moved_back_move_their_photos_back(store, sides):
    before, after = sides
    dataset = add(store, before)
    add(store, after, into=dataset.id)
    assert add(store, before, into=dataset.id).classes == {"left": 6, "right": 6}


def test_what_the_person_moved_within_thaw_stands(store, sides):
    before, after = sides
    dataset = add(store, before)
    first = next(image for image in store.images(dataset.id, "left") if image.name == "left/0.jpg")
    edits.move_images(store, dataset.id, [first.id], "middle")
    dataset = add(store, after, into=dataset.id)
    assert dataset.classes == {"left": 3, "middle": 1, "right": 8}
    assert any("1 file lies in another class folder" in note and "stands" in note for note in dataset.notes)


def test_a_renamed_class_does_not_keep_its_files_from_moving(store, sides):
    before, after = sides
    dataset = add(store, before)
    edits.rename_class(store, dataset.id, "left", "links")
    assert add(store, after, into=dataset.id).classes == {"links": 3, "right": 9}


def test_copies_in_two_classes_of_one_import_are_kept_for_the_person_to_judge(store, sides):
    before, _ = sides
    shutil.copy(before / "left" / "0.jpg", before / "right" / "copy.jpg")
    assert add(store, before).classes == {"left": 6, "right": 7}
    other = add(store, before.rename(before.with_name("renamed")))
    (before.with_name("renamed") / "right" / "copy.jpg").unlink()
    shutil.copy(before.with_name("renamed") / "left" / "1.jpg", before.with_name("renamed") / "right" / "new.jpg")
    assert add(store, before.with_name("renamed"), into=other.id).classes == {"left": 6, "right": 8}


def test_turned_copies_of_one_photo_are_one_group_in_every_split(store, tmp_path):
    folder = tmp_path / "export"
    for label in ("cat", "dog"):
        write_classes(folder, {label: 30}, seed=100 if label == "cat" else 200)
        for number, photo in enumerate(sorted((folder / label).iterdir())):
            photo.rename(photo.with_name(f"p{number % 10}_jpg.rf.{number:032x}.jpg"))
    dataset = add(store, folder)
    images = store.images(dataset.id)
    assert len(set(group_images(images))) == 20
    for seed in range(5):
        parts = choose_split(store, dataset.id, HeadSettings(seed=seed))
        stems = [{image.name.partition(".rf.")[0] for image in side} for side in (parts.training, parts.validation)]
        assert stems[0].isdisjoint(stems[1])
    more = write_classes(tmp_path / "more", {"cat": 1}, seed=900)
    (more / "cat" / "0.jpg").rename(more / "cat" / "p3_jpg.rf.ffffffffffffffff.jpg")
    dataset = add(store, more, into=dataset.id)
    groups = group_images(store.images(dataset.id))
    assert len(set(groups)) == 20
    (more / "cat" / "p3_jpg.rf.ffffffffffffffff.jpg").rename(more / "cat" / "p4_jpg.rf.eeeeeeeeeeeeeeee.jpg")
    shutil.copytree(write_classes(tmp_path / "last", {"cat": 1}, seed=950), more, dirs_exist_ok=True)
    (more / "cat" / "0.jpg").rename(more / "cat" / "p4_jpg.rf.dddddddddddddddd.jpg")
    with pytest.raises(DatasetError, match=r"2 set aside: .* training never saw"):
        add(store, more, into=dataset.id, role="holdout")


def test_hidden_folders_are_ignored_and_counted(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {"keep": 3, "skip": 3})
    for hidden in (".ipynb_checkpoints", "keep/.ipynb_checkpoints", "keep/@eaDir/0.jpg", "#recycle/keep"):
        write_classes(folder, {hidden: 2}, seed=700)
    dataset = add(store, folder)
    assert (dataset.classes, dataset.ignored, dataset.set_aside) == ({"keep": 3, "skip": 3}, 8, 0)
    assert balanced(dataset)


def test_numbers_in_names_are_in_the_order_in_which_people_count(store, tmp_path):
    dataset = add(store, write_classes(tmp_path / "numbers", {str(number): 11 for number in range(12)}))
    assert list(dataset.classes) == [str(number) for number in range(12)]
    images = store.images(dataset.id)
    assert [image.name for image in images] == [f"{label}/{n}.jpg" for label in range(12) for n in range(11)]
    pages = [store.images(dataset.id, limit=50, offset=offset) for offset in (0, 50, 100)]
    assert [image for page in pages for image in page] == images
    assert store.images(dataset.id, "10", limit=3, offset=9) == images[119:121]
    assert choose_split(store, dataset.id, HeadSettings()).labels == list(dataset.classes)
