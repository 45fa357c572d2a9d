"""The Find and count page, and how pages about kinds lead to it."""

import json

import pytest

from tests.support.boxes.detectors import DATASET, add_boxed, add_detector_run, add_tuned
from tests.support.pages import add_dataset, drawn_html, expert, figures, press, store, visit, words
from thaw.storage.datasets import Arrival
from tlcore.settings import FineTuneSettings

__all__ = ["expert", "store"]


def test_without_photos_or_boxes_it_leads_to_them(store):
    assert "There are no photos yet." in words(visit("find"))
    add_dataset(store)

    assert "Nobody has drawn boxes on these photos yet." in words(visit("find"))


@pytest.mark.parametrize("photos", [False, True])
def test_an_example_is_one_press_away_where_nothing_is_drawn_yet(store, monkeypatch, photos):
    asked = []
    if photos:
        store.add_dataset("data-0123456789ab", "photos", "folder", Arrival([]))

    def start(store, request):
        asked.append(request)
        add_boxed(store)
        job_id = store.add_job("import", request)
        store.update_job(job_id, status="finished", dataset_id=DATASET)
        return job_id

    monkeypatch.setattr("pages.ui.data.sources.start_import", start)
    page = visit("find")
    assert "CC BY 2.0" in words(page)

    press(page, "Try an example")

    assert [request["kind"] for request in asked] == ["objects"]
    assert "6 boxes on 6 photos" in words(page)


def test_an_example_on_its_way_is_shown_there_in_place_of_the_button(store, monkeypatch):
    # As if its process lived.
    monkeypatch.setattr("thaw.jobs.lifecycle.reconcile", lambda store: None)
    store.add_job("import", {"kind": "objects", "path": "", "name": "Blossoms and towers"})

    page = visit("find")

    assert "Import of **Blossoms and towers**" in words(page)
    assert "Try an example" not in [button.label for button in page.button]


def test_it_says_what_is_drawn_and_how_many_photos_are_left(store):
    add_boxed(store)

    told = words(visit("find"))

    assert "6 boxes on 6 photos. **apple** 3, **pear** 3" in told
    assert "1 photo nobody has drawn on yet" in told


def test_the_score_counts_what_is_found_missed_and_seen_in_vain(store):
    run_id = add_detector_run(store, add_boxed(store))

    page = visit("find")

    assert "1 of 3</b> found on the 3 exam photos, 1 false alarm" in drawn_html(page)
    assert "**apple**: 1 of 2 found, 0 false alarms" in words(page)
    assert "**pear**: 0 of 1 found, 1 false alarm" in words(page)
    page.slider(f"confidence {run_id}").set_value(0.7).run()
    assert "1 of 3</b> found on the 3 exam photos, 0 false alarms" in drawn_html(page)
    page.slider(f"confidence {run_id}").set_value(0.95).run()
    assert "0 of 3</b> found on the 3 exam photos, 0 false alarms" in drawn_html(page)


def test_counts_and_what_is_taken_for_what_are_drawn_and_told_in_numbers(store):
    run_id = add_detector_run(store, add_boxed(store))
    page = visit("find")
    told = words(page)
    assert "Of 3 exam photos it counts 0 exactly right, 2 too few, 1 too many; at most 1 off." in told
    assert "off by 1.0 on average" in told
    assert "No kind is taken for another." in told
    counted, taken, *_ = figures(page)
    assert counted["layout"]["xaxis"]["title"]["text"] == "there are"
    assert taken["layout"]["xaxis"]["ticktext"] == ["apple", "pear", "missed"]

    page.selectbox(f"counted kind {run_id}").set_value("pear").run()

    assert "Of 3 exam photos it counts 1 exactly right, 1 too few, 1 too many" in words(page)


def test_how_long_it_takes_is_told_beside_the_buttons(store):
    images = add_boxed(store)
    assert "at most on a usual computer" in words(visit("find"))
    run_id = add_detector_run(store, images)
    seconds = {"features": 5.0, "training": 30.0, "total": 45.0}
    store.add_phase_facts(run_id, "head", {"images_per_second": 3.0, "seconds": seconds})
    store.add_facts(run_id, {"seconds_per_image": 0.02})
    layers = json.loads((store.workspace.run(run_id) / "layers.json").read_text())
    measured = [each | {"channels": 4, "cut_bytes": 16} for each in layers]
    (store.workspace.run(run_id) / "layers.json").write_text(json.dumps(measured))
    assert words(visit("find")).count("** at most, mostly less") == 2


def test_the_camera_asks_this_detector_and_draws_from_the_chosen_confidence_on(store):
    run_id = add_detector_run(store, add_boxed(store))
    page = visit("find")

    def told():
        sent = [json.loads(component.proto.json) for component in page.get("bidi_component") if component.proto.json]
        (camera,) = (data for data in sent if str(data.get("url", "")).endswith(f"/thaw/try/{run_id}"))
        return camera["side"], camera["confidence"]

    assert told() == (320, 0.4)
    page.slider(f"confidence {run_id}").set_value(0.7).run()
    assert told() == (320, 0.7)


def test_what_came_of_letting_the_eye_adapt_is_told(store):
    run_id = add_detector_run(store, add_boxed(store))
    add_tuned(store, run_id)

    assert "**1 → 2** found, AP50 from 40.0% to 70.0%" in words(visit("find"))
    store.set_result(run_id, 1)
    assert "The detector of before stays." in words(visit("find"))


def test_photos_with_something_wrong_are_shown_worst_first(store):
    add_detector_run(store, add_boxed(store))

    page = visit("find")
    told = [element.value for element in page.caption]

    names = [caption for caption in told if "orchard/" in caption]
    wrong = ["1 missed", "1 missed", "1 false alarm"]
    assert [caption.partition(": ")[2] for caption in names] == wrong
    alts = [image.alt for element in page.get("image") for image in element.proto.imgs]
    assert [alt.partition(".png: ")[2] for alt in alts] == wrong


@pytest.mark.usefixtures("expert")
def test_experts_see_the_figures_of_the_field(store):
    add_detector_run(store, add_boxed(store))

    told = words(visit("find"))

    # Of one kind half the objects are found before anything else, of the other none: (51 / 101 + 0) / 2.
    assert "AP50 25.2% (" in told
    assert "3 validation images); weights of epoch 3" in told


def test_a_press_starts_a_detector(store, monkeypatch):
    images, begun = add_boxed(store), []

    def start(_store, dataset_id, settings):
        begun.append((dataset_id, settings))
        return add_detector_run(store, images)

    monkeypatch.setattr("thaw.jobs.starts.start_head", start)
    press(visit("find"), "Learn to find them (train)")

    ((dataset_id, settings),) = begun
    assert (dataset_id, settings.task, settings.image_size) == (DATASET, "detect", 320)


def test_a_press_lets_the_eye_of_a_detector_adapt_deeply_at_a_tenth_of_the_rate(store, monkeypatch):
    run_id, begun = add_detector_run(store, add_boxed(store)), []
    monkeypatch.setattr("thaw.jobs.starts.start_fine_tune", lambda _store, *asked: begun.append(asked) or run_id)
    page = visit("find")

    # Three epochs do not show that its head has settled.
    page.checkbox(f"insist {run_id}").check().run()
    press(page, "Let the eye adapt (fine-tune)")

    suits = {"layers": 8, "epochs": 20, "batch_size": 8, "learning_rate": 4e-4, "patience": 10, "insist": True}
    assert begun == [(run_id, FineTuneSettings(**suits))]


@pytest.mark.parametrize("name", ["head", "finetune", "mistakes", "evaluation", "map", "try_it"])
def test_pages_about_kinds_lead_to_it(store, name):
    add_detector_run(store, add_boxed(store))

    page = visit(name)

    assert "These photos have boxes, so that things are found and counted on them." in words(page)


@pytest.mark.parametrize("name", ["studio", "data", "backbone", "compare", "history", "disk", "pile"])
def test_other_pages_open_with_a_detector_among_the_runs(store, name):
    add_detector_run(store, add_boxed(store))

    page = visit(name)

    assert not page.exception
    assert not page.error
