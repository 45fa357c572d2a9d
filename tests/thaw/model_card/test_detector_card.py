"""The model card of a detector: its figures, the boxes on its worst photos, and limits that rules find."""

import io

import pytest
from PIL import Image as Picture

from tests.support.boxes.detectors import DATASET, add_boxed, add_detector_run, add_tuned
from tests.support.pages import store as store
from thaw.model_card.blocks import CardPhotos, CardTable
from thaw.model_card.card import fill_card
from thaw.model_card.model_card import HTML_FILE, MARKDOWN_FILE, render_model_card
from tlcore.errors import RunError


@pytest.fixture
def run_id(store):
    return add_detector_run(store, add_boxed(store))


def card_of(store, run_id, pictures=True):
    return fill_card(store, store.run(run_id), pictures)


def tables(card):
    return {block.about: block for each in card.sections for block in each.blocks if isinstance(block, CardTable)}


def section(card, title):
    return next(each for each in card.sections if each.title == title).blocks


def test_it_tells_what_is_found_missed_and_seen_in_vain_by_class(store, run_id):
    card = card_of(store, run_id)

    assert "It finds 1 of 3 on 3 validation photos, with 1 false alarms" in card.lead
    assert "from a confidence of 40% on; AP50 25.2% (0.0% to" in card.lead
    (row,) = tables(card)["What is found on each set of photos"].rows
    assert row[:7] == ["the validation photos", "3", "3", "1", "0", "2", "1"]
    rows = tables(card)["Class by class on the validation photos"].rows
    assert [(row[0], row[1], row[2][:8], *row[3:6]) for row in rows] == [
        ("apple", "2", "1: 50.0%", "0", "1", "0"),
        ("pear", "1", "0: 0.0% ", "0", "1", "1"),
    ]
    assert [row[-1] for row in rows] == ["50.5%", "0.0%"]
    assert tables(card)["Found and false alarms on validation by confidence"].rows[0] == ["20%", "1 of 3", "2"]


def test_it_tells_what_was_frozen_and_at_which_rate_it_learnt(store, run_id):
    add_tuned(store, run_id)

    told = tables(card_of(store, run_id))

    details = dict(told["What the model is"].rows)
    assert details["Kind"] == "object detector, 2 classes, transfer learning (Keras)"
    assert details["Input"] == "320 by 320 pixels, RGB, into which a photo is fitted whole"
    assert details["Model"] == "phase 2, fine-tuned"
    phases = told["The phases of the training"]
    assert phases.columns[-1] == "Validation AP50 kept"
    assert [row[2:] for row in phases.rows] == [["0.004", "8", "40.0% in epoch 3"], ["2e-05", "32", "70.0% in epoch 4"]]
    data = dict(told["Where the photos come from"].rows)
    assert data["Photos"] == "3 to learn from, 3 validation"
    assert data["Augmentation"] == "4 views of each photo: as it is, mirrored, and crops"
    assert "20% of the photos that show each class for validation, seed 0" in data["Split"]


def test_the_worst_photos_come_first_with_their_boxes(store, run_id):
    told, (words, shown) = card_of(store, run_id), section(card_of(store, run_id), "What it gets wrong")

    assert "Something is wrong on 3 of 3 validation photos." in words.text
    assert isinstance(shown, CardPhotos)
    assert [photo.caption for photo in shown.photos] == ["pear missed", "apple missed", "pear seen where none is drawn"]
    for photo in shown.photos:
        with Picture.open(io.BytesIO(photo.jpeg)) as picture:
            assert max(picture.size) == 320
            assert not picture.getexif()
    assert told.sections[0].title == "Model details"


def test_without_pictures_it_holds_none(store, run_id):
    files = render_model_card(store, store.run(run_id), pictures=False)

    assert not [name for name in files if name.endswith(".jpg")]
    page = files[HTML_FILE].decode()
    assert "which holds no photos" in page
    assert "<img" not in page
    assert "<script" not in page
    assert "object detector" in files[MARKDOWN_FILE].decode()


def test_limits_are_found_by_rules(store, run_id):
    (limits,) = section(card_of(store, run_id), "Limits found")
    told = " ".join(limits.items)

    assert "It knows its 2 classes and nothing else" in told
    assert "Fewer than 10 objects to learn from: apple, pear." in told
    assert "Classes of which it finds less than 70%: pear (0%), apple (50%)." in told
    assert "It was never judged on photos from elsewhere" in told
    assert "Data: 1 photo has not been drawn on" in told or "drawn" in told
    assert "pixels wide or high" not in told


def test_a_detector_without_a_result_has_no_card(store, run_id):
    waiting = store.add_run(DATASET, "efficientnet-lite0", store.run(run_id).head.to_json())
    with pytest.raises(RunError, match="whose detector has been trained"):
        card_of(store, waiting)
