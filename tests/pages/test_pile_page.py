"""The Pile page on eighteen photos in three groups: naming, moving, undoing, and one photo after another."""

import json

import pytest

from pages.ui.components.stepper.stepper import Asked, Key, read_asked
from pages.ui.pile import naming, one_by_one, state, walls
from tests.support.mistakes import grids
from tests.support.pages import DATASET, add_dataset, press, visit, words
from tests.support.pages import store as store
from tests.support.piles import EACH, KIND, KINDS, add_pile, photo_id
from thaw.datasets import edits
from thaw.jobs import lifecycle
from thaw.labelling.sorter import latest_sorting
from tlcore.progress import Stage


@pytest.fixture(autouse=True)
def held(monkeypatch):
    """Start no process."""
    monkeypatch.setattr(lifecycle, "launch", lambda *_: None)
    monkeypatch.setattr(lifecycle, "reconcile", lambda *_: None)


@pytest.fixture
def page(store):
    add_pile(store)
    opened = visit("pile", dataset=DATASET)
    assert not opened.exception
    return opened


@pytest.fixture
def told(monkeypatch):
    """Return what was said in passing, in order."""
    said = []
    monkeypatch.setattr(naming.curation.st, "toast", lambda text, **_: said.append(text))
    return said


def looked(store):
    return state.look(store, store.dataset(DATASET))


def names(page):
    return {field.label: field for field in page.text_input}


def stepper_of(page):
    sent = [json.loads(each.proto.json) for each in page.get("bidi_component") if each.proto.json]
    return next(data for data in sent if "said" in data)


def one_at_a_time(page):
    page.session_state["way"] = "One at a time"
    return page.run()


def test_without_photos_the_way_to_them_is_shown(store):
    page = visit("pile")
    assert "There are no photos yet." in words(page)


def test_who_wants_to_count_things_is_shown_the_way_to_boxes(page):
    assert "Find and count things in these photos" in [link.proto.label for link in page.get("page_link")]


def test_a_pile_that_nobody_has_sorted_is_sorted_at_once(store):
    add_pile(store, sorted_by=None)
    page = visit("pile", dataset=DATASET)
    assert not page.exception
    assert "put those together that look alike" in words(page)
    assert latest_sorting(store, DATASET).active
    assert "0 of 18 named" in page.get("progress")[0].proto.text


def test_a_sorting_that_failed_says_so_and_is_begun_again_only_if_asked(store):
    add_pile(store, sorted_by=None)
    job_id = store.add_job("sort", {"backbone": "efficientnet-lite0"}, DATASET)
    store.fail_job(job_id, "Expected room. Received: none.")
    page = visit("pile", dataset=DATASET)
    assert "Expected room" in words(page)
    assert latest_sorting(store, DATASET).id == job_id
    press(page, "Sort again")
    assert latest_sorting(store, DATASET).id != job_id


def test_a_sorting_shows_how_far_it_is(store):
    add_pile(store, sorted_by=None)
    job_id = store.add_job("sort", {"backbone": "efficientnet-lite0"}, DATASET)
    store.update_job(job_id, status="running", stage=Stage.COMPUTING_FEATURES, done=6, total=18)
    page = visit("pile", dataset=DATASET)
    assert "6 of 18 photos" in page.get("progress")[1].proto.text
    press(page, "Stop")
    assert store.job(job_id).stop_requested


def test_each_group_is_a_wall_with_a_field_for_its_name(page):
    assert list(names(page)) == ["Group 1 (6 photos)", "Group 2 (6 photos)", "Group 3 (6 photos)"]
    walls_drawn = grids(page)
    assert {label: len(wall["tiles"]) for label, wall in walls_drawn.items()} == dict.fromkeys(names(page), EACH)
    actions = next(iter(walls_drawn.values()))["actions"]
    assert [each["label"] for each in actions] == ["To group", "Exclude"], "there is no class to name strays by yet"


def test_a_typed_name_is_given_to_all_of_a_group_and_can_be_undone_and_typed_again(page, store):
    for _ in range(2):
        names(page)["Group 1 (6 photos)"].set_value("cat").run()
        assert store.dataset(DATASET).classes == {"cat": EACH}
        assert "6 of 18 named" in page.get("progress")[0].proto.text
        assert "Group 1 (6 photos)" not in names(page)
        press(page, "Undo")
        assert store.dataset(DATASET).pile == 18


def test_a_name_that_is_there_in_other_capitals_is_that_class_and_an_empty_one_is_refused(page, store, told):
    names(page)["Group 1 (6 photos)"].set_value("Cat").run()
    names(page)["Group 2 (6 photos)"].set_value(" cat").run()
    assert store.dataset(DATASET).classes == {"Cat": 2 * EACH}
    names(page)["Group 3 (6 photos)"].set_value("  ").run()
    assert "Expected a class name" in told[-1]


def test_what_is_like_a_named_group_is_suggested_and_what_is_not_is_not(page, store):
    edits.name_images(store, DATASET, {photo_id(number): KIND[number] for number in (0, 1, 2, 6, 7, 8)})
    page.run()
    labels = [button.label for button in page.button]
    assert "Yes, **cat**" in labels
    assert "Yes, **dog**" in labels
    assert sum(label.startswith("Yes") for label in labels) == 2, "nobody knows owls yet"
    accept = next(label for label in labels if label.startswith("Accept"))
    press(page, accept)
    classes = store.dataset(DATASET).classes
    assert set(classes) == {"cat", "dog"}
    assert classes["cat"] == EACH
    assert len(store.edits(DATASET)) == 2, "one change, to be undone at once"


def test_a_suggestion_for_a_group_is_accepted_by_one_press(page, store):
    edits.name_images(store, DATASET, {photo_id(number): KIND[number] for number in (0, 1, 2, 6, 7, 8)})
    press(page.run(), "Yes, **cat**")
    assert store.dataset(DATASET).classes["cat"] == EACH


def test_groups_are_parted_and_merged(page, store):
    part = next(button for button in page.button if button.label == "Part in two")
    part.click().run()
    assert "4 groups to name" in words(page)
    box = next(each for each in page.selectbox if each.label == "Merge with")
    box.select_index(0).run()
    assert "3 groups to name" in words(page)
    assert len(store.edits(DATASET)) == 2


def test_strays_are_named_moved_to_another_group_or_to_their_own(page, store, told):
    edits.name_images(store, DATASET, {photo_id(0): "cat"})
    dataset, others = store.dataset(DATASET), {"Group 2 (6 photos)": 1}
    walls.act(store, dataset, looked(store), others, walls.TO_GROUP, [photo_id(1)], "Group 2 (6 photos)")
    dataset = store.dataset(DATASET)
    assert photo_id(1) in looked(store).pile.ids(looked(store).pile.members(1))
    walls.act(store, dataset, looked(store), others, walls.TO_GROUP, [photo_id(2)], naming.NEW_GROUP)
    dataset = store.dataset(DATASET)
    assert looked(store).pile.ids(looked(store).pile.members(3)) == [photo_id(2)]
    walls.act(store, dataset, looked(store), others, "move", [photo_id(3)], "cat")
    walls.act(store, dataset, looked(store), others, "exclude", [photo_id(4)], None)
    assert store.dataset(DATASET).classes == {"cat": 2}
    assert store.images_by_id([photo_id(4)])[photo_id(4)].excluded
    assert len(told) == 4


def test_one_photo_at_a_time_waits_for_a_first_name(page):
    assert "Name a group first" in words(one_at_a_time(page))


def test_the_least_certain_photo_comes_first_with_keys_for_the_classes(page, store):
    labels = {photo_id(number): KIND[number] for number in range(18) if number not in (5, 11, 17)}
    edits.name_images(store, DATASET, labels)
    page = one_at_a_time(page.run())
    assert not page.exception
    shown = stepper_of(page)
    assert shown["id"] == photo_id(11), "the dog that is like an owl"
    assert [(each["label"], each["key"]) for each in shown["actions"][1:4]] == [
        ("cat", "1"),
        ("dog", "2"),
        ("owl", "3"),
    ]
    assert shown["total"] == 3


def test_the_keys_name_exclude_turn_and_undo(page, store, told):
    labels = {photo_id(number): KIND[number] for number in range(18) if number not in (5, 11, 17)}
    edits.name_images(store, DATASET, labels)
    ids = [photo_id(11), photo_id(5), photo_id(17)]

    def ask(action, place):
        one_by_one.act(store, store.dataset(DATASET), ids, KINDS, "owl", Asked(action, place))

    ask("class 2", 0)
    assert store.images_by_id(ids)[photo_id(11)].label == "dog"
    ask(one_by_one.YES, 2)
    assert store.images_by_id(ids)[photo_id(17)].label == "owl"
    ask("exclude", 1)
    assert store.dataset(DATASET).pile == 0
    assert store.dataset(DATASET).included == 17
    ask(one_by_one.UNDO, 0)
    assert store.dataset(DATASET).pile == 1


@pytest.mark.parametrize(("action", "asked"), [("undo", Asked("undo", 0)), ("class 1", None)])
def test_an_undo_that_meets_the_next_photo_on_its_way_counts_and_a_class_does_not(action, asked):
    keys = [Key("class 1", "cat", "1", True), Key("undo", "Undo", "u", True, anywhere=True)]
    message = {"action": action, "place": 0, "id": "the photo before"}
    assert read_asked(message, 0, ["the next photo"], keys) == asked


def test_a_class_without_a_key_can_be_typed(page, store):
    labels = {photo_id(number): KIND[number] for number in range(18) if number not in (5, 11, 17)}
    edits.name_images(store, DATASET, labels)
    page = one_at_a_time(page.run())
    names(page)["Another kind"].set_value("fox").run()
    assert store.dataset(DATASET).classes["fox"] == 1


def test_when_all_have_a_class_the_way_on_is_shown(page, store):
    edits.name_images(store, DATASET, {photo_id(number): KIND[number] for number in range(18)})
    page.run()
    assert "Every photo has its kind." in words(page)
    assert not page.text_input


def test_a_data_set_of_class_folders_has_no_pile(store):
    add_dataset(store)
    page = visit("pile", dataset=DATASET)
    assert not page.exception
    assert "Every photo has its kind." in words(page)
    assert latest_sorting(store, DATASET) is None
