import dataclasses

import pytest

from tests.support.boxes.detectors import add_boxed, add_detector_run, add_tuned
from thaw.detection.comparison import judge, same_photos, summarise, warn
from thaw.detection.found import read_found
from thaw.runs.comparison import ComparedRun, require_one_task
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import RunError
from tlcore.settings import HeadSettings


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


@pytest.fixture
def pair(store):
    """The run whose detector finds one of three objects, and another whose phase 2 finds two."""
    images = add_boxed(store)
    run_ids = [add_detector_run(store, images) for _ in range(2)]
    add_tuned(store, run_ids[1])
    return [store.run(run_id) for run_id in run_ids]


def many(photos, times=4):
    """Return what was found on so many times the photos, each a photo of its own."""
    images = [
        dataclasses.replace(image, id=f"{image.id}-{number}") for number in range(times) for image in photos.images
    ]
    return dataclasses.replace(photos, images=images, drawn=photos.drawn * times, found=photos.found * times)


def entries_of(store, runs):
    entries = [ComparedRun(letter, run, "orchard", None) for letter, run in zip("ABC", runs, strict=False)]
    found = {entry.letter: read_found(store, entry.run) for entry in entries if entry.run.result_phase}
    return entries, found


def test_the_better_one_is_told_with_what_differs_and_what_chance_does(store, pair):
    entries, few = entries_of(store, pair)
    (told,) = summarise(entries, {letter: many(photos) for letter, photos in few.items()})

    assert told.startswith("B is 50.0 points better than A by AP50. They differ in unfrozen layers and phase of")
    assert "On the same 12 validation images, B alone finds 4 and A alone 0 of the objects; a difference under" in told
    assert "points is within chance, and this one is beyond it." in told
    (told,) = summarise(entries, few)
    assert "B alone finds 1 and A alone 0 of the objects: that is too little to tell the better one" in told


def test_one_and_the_same_is_equally_good(store, pair):
    (told,) = summarise(*entries_of(store, [pair[0], pair[0]]))

    assert told.startswith("A and B are equally good by AP50. Their settings are the same.")
    assert "that is too little to tell the better one" in told


def test_one_that_waits_has_no_model_yet(store, pair):
    entries, found = entries_of(store, [*pair, dataclasses.replace(pair[0], result_phase=None)])

    assert summarise(entries, found)[-1] == "C has no model yet."


def test_other_boxes_on_a_photo_make_it_another_exam(store, pair):
    entries, found = entries_of(store, pair)
    assert warn(entries, found) is None
    changed = [found["A"].drawn[1], *found["A"].drawn[1:]]
    found = {**found, "B": dataclasses.replace(found["B"], drawn=changed)}

    assert not same_photos(found["A"], found["B"])
    assert "Not all were judged on the same validation images: A on some; B on others" in warn(entries, found)
    assert judge(found["A"], found["B"]).paired is False


def test_a_stricter_level_asks_for_more(store, pair):
    _, found = entries_of(store, pair)
    once, of_seven = (judge(many(found["B"]), many(found["A"]), comparisons) for comparisons in (1, 7))

    assert (once.first_alone, once.second_alone) == (4, 0)
    assert once.margin < of_seven.margin


def test_a_classifier_and_a_detector_are_refused_together(store, pair):
    other = store.run(store.add_run(pair[0].dataset_id, "efficientnet-lite0", HeadSettings().to_json()))

    require_one_task(pair)
    with pytest.raises(RunError, match=rf"'{other.id}' tells classes apart, and '{pair[1].id}' finds objects"):
        require_one_task([pair[1], other])
