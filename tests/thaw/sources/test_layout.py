from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from thaw.archives.entries import Place
from thaw.sources.layout import ONE_FOLDER, arrange
from thaw.storage.questions import require_answer, take_default


def tree(text, count=12):
    """Return the names of `count` files for each pattern of a text, "{}" being their number."""
    return [tuple(pattern.format(number).split("/")) for pattern in text.split() for number in range(count)]


class Person:
    """Answers the questions of `answers` by key, others as advised, and remembers what was asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = {}

    def __call__(self, question):
        self.asked[question.key] = question
        return require_answer(question, self.answers.get(question.key, question.default))


def read(names, person=take_default, **options):
    """Return how many files have each class, role and part."""
    return Counter(
        ("set aside" if place.reason else place.label, place.role, place.part)
        for place in arrange(names, person, **options).places
    )


def classes(*labels, role="main", part="", count=12):
    return {(label, role, part): count for label in labels}


PILE = {("", "pile", ""): 12}
CATS = ("cats", "dogs")
BOTH = classes(*CATS) | classes(*CATS, role="holdout")
THREE = classes(*CATS, part="training") | classes(*CATS, part="validation") | classes(*CATS, role="holdout")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("rose/{}.jpg tulip/{}.jpg", classes("rose", "tulip")),
        ("photos/rose/{}.jpg photos/tulip/{}.jpg", classes("rose", "tulip")),
        ("rose/{}.jpg", classes("rose")),
        ("photos/rose/{}.jpg", classes("rose")),
        ("rose/{}.jpg rose/red/{}.jpg tulip/{}.jpg readme.txt", None),
    ],
)
def test_the_first_folder_that_is_not_around_all_is_the_class(names, expected):
    person = Person()
    if expected is None:
        expected = {("rose", "main", ""): 24, ("tulip", "main", ""): 12, (None, "main", ""): 12}
    assert read(tree(names), person) == expected
    assert person.asked == {}


def test_loose_files_beside_the_class_folders_do_not_hide_them():
    names = [("x", "photos", "rose", "1.jpg"), ("x", "photos", "tulip", "2.jpg"), ("x", "readme.txt"), ("license",)]
    assert [place.label for place in arrange(names, take_default).places] == ["rose", "tulip", None, None]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("training_set/{c}/{}.jpg test_set/{c}/{}.jpg", BOTH),
        ("Training/{c}/{}.jpg Testing/{c}/{}.jpg", BOTH),
        ("data/train/{c}/{}.jpg data/test/{c}/{}.jpg data/unlabelled/{}.jpg", BOTH | PILE),
        ("train/{c}/{}.jpg test/{c}/{}.jpg unsup/{}.jpg", BOTH | PILE),
        ("train/{c}/{}.jpg valid/{c}/{}.jpg test/{c}/{}.jpg", THREE),
        ("x/train/{c}/{}.jpg x/validation/{c}/{}.jpg x/holdout/{c}/{}.jpg", THREE),
        ("trainset/{c}/{}.jpg devset/{c}/{}.jpg testset/{c}/{}.jpg", THREE),
        ("TrainImages/{c}/{}.jpg EvalImages/{c}/{}.jpg held-out/{c}/{}.jpg", THREE),
        ("train2017/{c}/{}.jpg val2017/{c}/{}.jpg test2017/{c}/{}.jpg", THREE),
        ("seg_train/seg_train/{c}/{}.jpg seg_test/seg_test/{c}/{}.jpg seg_pred/seg_pred/{}.jpg", BOTH | PILE),
        ("images/train/{c}/{}.jpg images/test/{c}/{}.jpg labels/train/{c}/{}.txt", None),
        ("{c}/train/{}.jpg {c}/test/{}.jpg", BOTH),
        ("{c}_train/{}.jpg {c}_test/{}.jpg", BOTH),
        ("train/images/{c}/{}.jpg test/images/{c}/{}.jpg", BOTH),
        ("train/{c}/images/{}.jpg test/{c}/images/{}.jpg", BOTH),
        ("train/{c}/{}.jpg test/{}.jpg", classes(*CATS) | PILE),
        ("train/{c}/{}.jpg test1/unknown/{}.jpg", classes(*CATS) | PILE),
        ("train/{c}/{}.jpg test/images/{}.jpg", classes(*CATS) | PILE),
        ("Trainingsdaten/{c}/{}.jpg Testdaten/{c}/{}.jpg", BOTH),
        ("训练集/{c}/{}.jpg 测试集/{c}/{}.jpg", BOTH),
        ("train/{c}/{}.jpg test/{c}/{}.jpg extra/{c}/{}.jpg", None),
        ("{c}/{}.jpg unlabeled_photos/{}.jpg", classes(*CATS) | PILE),
        ("val/{c}/{}.jpg test/{c}/{}.jpg", BOTH),
        ("test/{c}/{}.jpg unlabelled/{}.jpg", classes(*CATS) | PILE),
    ],
)
def test_the_parts_of_a_ready_made_split_are_found(names, expected):
    person = Person()
    found = read(tree(" ".join(each.replace("{c}", c) for each in names.split() for c in set_of(each))), person)
    if expected is None:
        extra = "extra" in names
        expected = classes(*CATS, count=24) | classes(*CATS, role="holdout") if extra else BOTH
        found = {key: count for key, count in found.items() if extra or key[0] in CATS}
        found = found if extra else dict.fromkeys(found, 12)
    assert found == expected
    assert list(person.asked) == ["parts"]
    assert len(person.asked["parts"].text.split(". ")) == 1


def set_of(pattern):
    return CATS if "{c}" in pattern else ("",)


SPLIT = (
    "train/cats/{}.jpg train/dogs/{}.jpg val/cats/{}.jpg val/dogs/{}.jpg test/cats/{}.jpg test/dogs/{}.jpg new/{}.jpg"
)


def test_the_question_shows_what_would_come_of_each_answer():
    person = Person(parts="together")
    assert read(tree(SPLIT), person) == classes(*CATS, count=36) | PILE
    question = person.asked["parts"]
    assert question.default == "theirs"
    assert [option.key for option in question.options] == ["theirs", "together", "without"]
    assert question.options[0].preview == (
        "to learn from: cats (12), dogs (12) · validation: cats (12), dogs (12) · holdout: cats (12), dogs (12) · "
        "without a class: 12"
    )
    assert "cats (36), dogs (36)" in question.options[1].preview
    assert "holdout" not in question.options[2].preview


def test_a_part_that_is_left_out_is_set_aside_with_its_reason():
    layout = arrange(tree(SPLIT), Person(parts="without"))
    assert Counter(place.reason for place in layout.places if place.reason) == {
        "it is in the part 'test', which was left out": 24
    }


def test_photos_for_the_holdout_are_not_parted_again():
    found = read(tree(SPLIT), role="holdout", classes=CATS)
    assert found == classes(*CATS, role="holdout", count=36) | {(None, "holdout", ""): 12}


@pytest.mark.parametrize(
    "names",
    [
        "train/{}.jpg test/{}.jpg",
        "train/{}.jpg bus/{}.jpg car/{}.jpg",
        "valid/{}.jpg invalid/{}.jpg",
        "train/{}.jpg test/{}.jpg rest/{}.jpg",
    ],
)
def test_split_names_without_classes_below_are_classes(names):
    person = Person()
    assert read(tree(names), person) == classes(*(each.split("/")[0] for each in names.split()))
    assert person.asked == {}


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ("cat.{}.jpg dog.{}.jpg", ("cat", "dog")),
        ("images/Abyssinian_{}.jpg images/american_bulldog_{}.jpg", ("Abyssinian", "american_bulldog")),
        ("cat_00{}.jpg dog_00{}.jpg", ("cat", "dog")),
        ("cat-({}).jpg dog-({}).jpg", ("cat", "dog")),
        ("cat{}.jpg dog{}.jpg", ("cat", "dog")),
        ("000{}_cat.png 001{}_dog.png", ("cat", "dog")),
        (
            "cat-3f2504e0-4f89-41d3-9a0c-0305e82c33{:02}.jpg dog-3f2504e0-4f89-41d3-9a0c-0305e82c33{:02}.jpg",
            ("cat", "dog"),
        ),
        ("cat_2024-05-01_{}.jpg dog_2024-05-01_{}.jpg", ("cat", "dog")),
        ("cat_{0}_jpg.rf.0123456789abcdef{0:02}.jpg dog_{0}_jpg.rf.0123456789abcdef{0:02}.jpg", ("cat", "dog")),
        ("苹果_{}.jpg 香蕉_{}.jpg", ("苹果", "香蕉")),
    ],
)
def test_classes_are_read_from_file_names(names, labels):
    assert read(tree(names)) == classes(*labels)


def test_windows_numbers_in_brackets_are_no_part_of_the_class():
    names = [(f"{label} ({number}).jpg",) for label in CATS for number in range(2, 13)]
    assert read([*names, ("cats.jpg",), ("dogs.jpg",)]) == classes(*CATS)


@pytest.mark.parametrize(
    "names",
    [
        "IMG_{}.jpg DSC_{}.jpg",
        "IMG-20240501-WA00{}.jpg Screenshot_20240501-1200{}.jpg",
        "P101{}.jpg DSCF{}.jpg",
        "{}.jpg",
        "a.jpg b.jpg",
    ],
)
def test_what_cameras_call_their_photos_is_no_class_but_a_pile(names):
    person = Person()
    assert read(tree(names), person) == {("", "pile", ""): 12 * len(names.split())}
    assert person.asked == {}


def test_a_lone_folder_with_telling_names_is_asked_about():
    person = Person()
    names = tree("pets/cat_{}.jpg pets/dog_{}.jpg")
    assert read(names, person) == classes("cat", "dog")
    assert [option.preview for option in person.asked["names"].options] == [
        *("cat (12), dog (12)", "pets (24)"),
        "24 photos, to be moved to classes later",
    ]
    assert read(names, Person(names="folder")) == classes("pets", count=24)
    assert read(names, classes={"pets"}) == classes("pets", count=24)


def test_file_names_tell_the_classes_of_a_part_and_numbers_tell_none():
    person = Person()
    names = tree("kaggle/train/cat.{}.jpg kaggle/train/dog.{}.jpg kaggle/test/{}.jpg")
    assert read(names, person) == classes("cat", "dog") | PILE
    assert list(person.asked) == ["parts"]


@pytest.mark.parametrize(
    ("names", "default", "labels"),
    [
        ("animals/cats/{}.jpg animals/dogs/{}.jpg vehicles/cars/{}.jpg", "inner", ("cats", "dogs", "cars")),
        ("animals/cats/{}.jpg animals/dogs/{}.jpg cars/{}.jpg", "inner", ("cats", "dogs", "cars")),
        ("wren/male/{}.jpg wren/female/{}.jpg robin/male/{}.jpg robin/female/{}.jpg", "outer", ("wren", "robin")),
        ("wren/2024-05-01/{}.jpg wren/2024-05-02/{}.jpg robin/2024-06-01/{}.jpg", "outer", ("wren", "robin")),
        ("wren/day1/{}.jpg wren/day2/{}.jpg robin/session-3/{}.jpg", "outer", ("wren", "robin")),
        ("part1/wren/{}.jpg part1/robin/{}.jpg part2/wren/{}.jpg part2/robin/{}.jpg", "inner", ("wren", "robin")),
        ("fold_1/wren/{}.jpg fold_1/robin/{}.jpg fold_2/wren/{}.jpg", "inner", ("wren", "robin")),
    ],
)
def test_of_nested_folders_the_likelier_level_is_advised(names, default, labels):
    person = Person()
    found = read(tree(names), person)
    assert person.asked["levels"].default == default
    assert {label for label, _, _ in found} == set(labels)


def test_the_level_is_chosen_by_the_person():
    names = tree("animals/cats/{}.jpg animals/dogs/{}.jpg vehicles/cars/{}.jpg")
    person = Person(levels="outer")
    assert read(names, person) == classes("animals", count=24) | classes("vehicles")
    assert read(names, Person(levels="both")) == classes("animals, cats", "animals, dogs", "vehicles, cars")
    assert [option.preview for option in person.asked["levels"].options] == [
        *("animals (24), vehicles (12)", "cars (12), cats (12), dogs (12)"),
        "animals, cats (12); animals, dogs (12); vehicles, cars (12)",
    ]


def test_deeper_trees_offer_up_to_four_levels():
    names = tree(
        "a/b/c/d/e/{}.jpg a/b/c/d/f/{}.jpg a/b/c/g/e/{}.jpg a/b/h/g/e/{}.jpg a/i/h/g/e/{}.jpg j/i/h/g/e/{}.jpg"
    )
    person = Person()
    read(names, person)
    assert [option.key for option in person.asked["levels"].options] == ["outer", "level-2", "level-3", "inner", "both"]


def test_folders_that_are_nested_alike_are_not_asked_about():
    person = Person()
    assert read(tree("cats/images/{}.jpg dogs/images/{}.jpg"), person) == classes(*CATS)
    assert person.asked == {}


def test_the_level_whose_classes_are_there_already_is_taken():
    person = Person()
    names = tree("animals/cats/{}.jpg animals/dogs/{}.jpg vehicles/cars/{}.jpg")
    assert read(names, person, classes={"animals", "vehicles"}) == classes("animals", count=24) | classes("vehicles")
    assert person.asked == {}


@pytest.mark.parametrize(
    ("first", "second", "default"),
    [
        ("polar_bear", "polar bear", "merge"),
        ("cat", "cat ", "merge"),
        ("cat", " cat", "merge"),
        ("polar-bear", "polar  bear", "merge"),
        ("Cat", "cat", "apart"),
        ("A", "a", "apart"),
        ("Polar-Bear", "polar_bear", "apart"),
    ],
)
def test_classes_of_nearly_one_name_are_offered_to_merge(first, second, default):
    names = [(label, f"{n}.jpg") for label, count in ((first, 12), (second, 2), ("dog", 9)) for n in range(count)]
    person = Person()
    read(names, person)
    assert person.asked["twins"].default == default
    assert read(names, Person(twins="merge")) == {(first, "main", ""): 14, ("dog", "main", ""): 9}
    assert read(names, Person(twins="apart"))[second, "main", ""] == 2


def test_a_class_that_is_there_gives_its_name_to_a_twin():
    person = Person()
    assert read(tree("polar_bear/{}.jpg dog/{}.jpg"), person, classes={"polar bear"}) == classes("polar bear", "dog")
    assert read(tree("cat/{}.jpg"), person, classes={"cat", "cat "}) == classes("cat")


def test_a_folder_keeps_the_name_that_its_class_has_got():
    assert arrange([("left", "1.jpg")], take_default, classes={"links"}, aliases={"left": "links"}).places == [
        Place("links")
    ]


parts = some.lists(
    some.sampled_from(["train", "test", "val", "cat", "dog", "1", "unlabelled", "a_2.jpg", "b.3"]), max_size=5
)


@given(some.lists(parts.map(lambda folders: (*folders, "x.jpg")), max_size=12), some.sampled_from(["main", "holdout"]))
def test_every_file_has_one_place(names, role):
    layout = arrange(names, take_default, role)
    assert len(layout.places) == len(names)
    for place, name in zip(layout.places, names, strict=True):
        assert place.label in (None, "", *name[:-1])
        assert (place.role == "pile") == (place.label == "")


def test_flat_photos_can_be_left_without_a_class():
    names = [*tree("cat_{}.jpg dog_{}.jpg"), ("labels.txt",)]
    person = Person(names="pile")
    assert read(names, person) == {("", "pile", ""): 24, (None, "main", ""): 1}
    assert person.asked["names"].default == "names"
    assert [option.key for option in person.asked["names"].options] == ["names", "pile"]


@pytest.mark.parametrize("classes", [(), {"cat"}])
@pytest.mark.parametrize("names", ["IMG_{}.jpg", "DCIM/100CANON/{}.jpg", "sea.jpg tree.jpg"])
def test_photos_that_nothing_gives_a_class_are_a_pile_and_nobody_is_asked(names, classes):
    person, files = Person(), [*tree(names), ("notes.txt",)]
    assert read(files, person, classes=classes) == {("", "pile", ""): len(files) - 1, (None, "main", ""): 1}
    assert person.asked == {}
    assert "pile" in arrange(files, person, classes=classes).notes[0]


@pytest.mark.parametrize("folder", ["cats", "unsorted", "test", "holiday-2024"])
def test_a_flat_folder_that_was_brought_is_a_pile_and_one_within_a_folder_a_class(folder):
    person, names = Person(), tree(f"{folder}/IMG_{{}}.jpg")
    assert read(names, person, brought=True) == PILE
    assert arrange(names, brought=True, ask=person).notes == [ONE_FOLDER.format(folder=folder)]
    assert read(names, person) == classes(folder)
    assert read([("animals", *name) for name in names], person, brought=True) == classes(folder)
    assert person.asked == {}


def test_a_folder_beside_loose_photos_stays_a_class_whoever_brought_it():
    assert read(tree("cats/{}.jpg sea{}.jpg"), brought=True) == classes("cats") | {(None, "main", ""): 12}


def test_a_folder_called_unsorted_may_be_a_class():
    names = tree("cats/{}.jpg dogs/{}.jpg unsorted/{}.jpg")
    assert read(names) == classes(*CATS) | PILE
    assert read(names, Person(parts="class")) == classes(*CATS, "unsorted")


def test_for_the_pile_no_class_is_read():
    person = Person()
    assert read(tree("train/cats/{}.jpg a.jpg", 3), person, role="pile") == {("", "pile", ""): 6}
    assert person.asked == {}


def test_what_was_taken_for_the_classes_is_noted():
    nested = "animals/cats/{}.jpg animals/dogs/{}.jpg vehicles/cars/{}.jpg"
    assert arrange(tree(nested), take_default).notes == [
        "Of folders inside one another these are the classes: the inner folders."
    ]
    assert arrange(tree("cat_{}.jpg dog_{}.jpg"), take_default).notes == [
        "The classes come from the names of the files."
    ]
