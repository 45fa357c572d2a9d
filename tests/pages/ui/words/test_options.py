"""What the options of pickers are called, and every picker of every page over names that look the same."""

import sqlite3
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.words.options import class_names, dataset_names, distinct
from tests.support.judged_runs import DATASET, add, run_of
from tests.support.judged_runs import store as store
from tests.support.maps import make_map
from tests.support.pages import PAGES, visit
from thaw.datasets import edits
from thaw.storage.datasets import Arrival
from thaw.storage.records import Dataset, Image
from thaw.storage.store import Store
from tlcore.settings import HeadSettings

TWIN = "data-00000000aaaa"
# Each looks like "rose" or like what a picker calls something else.
LOOKALIKES = ("rose ", "ro\u200bse", "tulip\u202e", "tulip\\u202e", "any class", "All classes", "Every mistake")


def test_what_is_different_already_is_left():
    names = distinct(["a", "b"], str.upper, ascii)
    assert [names(each) for each in "ab"] == ["A", "B"]


def test_what_tells_all_of_those_apart_that_look_alike_is_added():
    told = {1: ("x", "same", "one"), 2: ("x", "same", "two"), 3: ("y", "same", "one")}
    names = distinct(told, *(lambda each, place=place: told[each][place] for place in range(3)))
    assert [names(each) for each in told] == ["x (one)", "x (two)", "y"]


def test_names_that_are_equal_in_every_way_are_numbered_and_so_are_those_that_come_to_look_like_another():
    assert [distinct([1, 2], lambda _: "x")(each) for each in (1, 2)] == ["x #1", "x #2"]
    taken = {1: "x", 2: "x", 3: "x (1)"}
    names = distinct(taken, taken.__getitem__, str)
    assert len({names(each) for each in taken}) == 3


def test_an_option_that_is_gone_has_no_name():
    with pytest.raises(KeyError):
        distinct(["a"], str)("b")


def test_classes_that_look_the_same_are_written_out():
    labels = ["rose", *LOOKALIKES, "Ze\u0301bre", "Z\u00e9bre"]
    names = [class_names(labels)(each) for each in labels]
    assert len(set(names)) == len(names)
    assert "any class" in names
    assert {"rose ('rose')", "rose  ('rose ')"} <= set(names)


def made(dataset_id: str, created_at: float, accepted: int) -> Dataset:
    return Dataset(dataset_id, "photos", "folder", created_at, {"a": accepted}, 0, 0, [])


def test_data_sets_of_a_minute_are_told_apart_by_the_second_the_images_or_the_id():
    cases = {
        ":00": [("data-1", 60.0, 5), ("data-2", 61.0, 5)],
        "(5 images)": [("data-1", 60.0, 5), ("data-2", 60.0, 6)],
        "(data-1)": [("data-1", 60.0, 5), ("data-2", 60.0, 5)],
    }
    for words, rows in cases.items():
        datasets = [made(*row) for row in rows]
        assert words in dataset_names(datasets)("data-1")
        assert dataset_names(datasets)("data-1") != dataset_names(datasets)("data-2")


@pytest.fixture
def twins(store: Store) -> str:
    """Two data sets of one name and moment, of which the first has classes that look alike and two runs with maps;
    return the newer run's id."""
    add(store, holdout=4)
    movable = iter(store.images(DATASET, "tulip"))
    for label in LOOKALIKES:
        edits.move_images(store, DATASET, [next(movable).id, next(movable).id], label)
    runs = [run_of(store, HeadSettings(validation_split=0.5), {"validation": 3}) for _ in range(2)]
    for run_id in runs:
        make_map(store, run_id)
    images = [
        Image(f"img-{n:012x}", label, f"{n}.png", f"{n:064x}", 8, 8, suffix=".png", folder=TWIN)
        for n, label in enumerate("ab", 9_000)
    ]
    store.add_dataset(TWIN, store.dataset(DATASET).name, "folder", Arrival(images))
    with sqlite3.connect(store.workspace.root / "thaw.sqlite3") as database:
        database.execute("UPDATE datasets SET created_at = 1700000000")
        database.execute("UPDATE runs SET created_at = 1700000000")
    return runs[0]


def pickers(page: AppTest) -> Iterator[tuple[str, object]]:
    for kind in (page.selectbox, page.radio, page.multiselect, page.select_slider, page.get("button_group")):
        for each in kind:
            yield f"{each.type} {each.label}", each


def called(picker: object) -> str:
    """Return what the chosen option is called."""
    return picker.format_func(picker.value)


def options_of(picker: object) -> list[str]:
    options = picker.options
    return [getattr(each, "content", each) for each in options]


@pytest.mark.parametrize("name", PAGES)
def test_no_picker_of_a_page_calls_two_options_alike(store, twins, name):
    page = visit(name, run=twins, dataset=DATASET)
    assert not page.exception
    for way in ("Overview", "Edit") if name == "data" else (None,):
        if way:
            page.session_state["way to look"] = way
            page.run()
        for words, picker in pickers(page):
            options = options_of(picker)
            looks = {" ".join(each.replace("\u200b", "").split()) for each in options}
            assert len(looks) == len(options), f"{words}: {options}"


@pytest.mark.parametrize("ends", [(-1,), pytest.param((-1, 0), marks=pytest.mark.slow)], ids=len)
@pytest.mark.parametrize("name", PAGES)
def test_what_is_picked_stays_picked(store, twins, name, ends):
    page = visit(name, run=twins, dataset=DATASET)
    for kind in ("selectbox", "radio"):
        for place in range(len(page.get(kind))):
            for end in ends:
                page = visit(name, run=twins, dataset=DATASET)
                picker = page.get(kind)[place]
                number = end % len(picker.options)
                picker.set_value(picker.options[number]).run().run()
                assert not page.exception
                after = next(each for each in page.get(kind) if each.label == picker.label)
                assert after.options.index(called(after)) == number, f"{picker.label}: {after.options}"


def test_the_data_set_that_is_picked_is_the_one_that_is_worked_on(store, twins):
    page = visit("data", dataset=DATASET)
    for wanted in (TWIN, DATASET, TWIN):
        picker = next(each for each in page.selectbox if each.label == "Photos")
        picker.select(wanted).run()
        for _ in range(3):
            page.run()
            picker = next(each for each in page.selectbox if each.label == "Photos")
            assert picker.value == wanted
            assert page.query_params["dataset"] == wanted
