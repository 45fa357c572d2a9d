"""What the pages say plainly in every state that work can be in: waiting, going on, paused, failed, finished; and where
photos are few, of many kinds, a pile, or just coming in."""

import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.detection import trying
from pages.ui.runs import tried_pictures
from pages.ui.runs.tried_pictures import Picture
from pages.ui.words import glossary
from tests.support.boxes import detectors
from tests.support.pages import BOLD, DATASET, PAGES, add_dataset, add_many_classes, add_run, visit
from tests.support.pages import store as store
from tests.support.pictures.corpus import jpeg
from tests.support.piles import KIND, add_pile, photo_id
from tests.support.said import alone
from tests.support.thawed import ASKED
from thaw.datasets import edits
from thaw.jobs import starts
from thaw.prediction.client import Answer, Predictor, Sighting
from thaw.storage.questions import Option, Question
from thaw.storage.store import Store
from tlcore.detection.found import Found
from tlcore.progress import Stage
from tlcore.settings import HeadSettings, detection_settings
from tlcore.training.history import Epoch

# Those that show a run, whatever it is at.
OF_RUNS = ("studio", *PAGES)
OUT_OF_MEMORY = "The training needed more memory than there is: the batch size of 32 was halved to 16 twice."
WHICH_COLUMN = Question(
    "label-column",
    "Which column of 'labels.csv' is the class?",
    (Option("species", "species", "12 classes: ant, bee, …"), Option("place", "place", "no class for 3 files")),
    "species",
)
# How a job stands: its status and whether its process has been asked to stop.
STANDINGS = {
    "waiting": ("starting", Stage.WAITING_FOR_DEVICE),
    "going on": ("running", Stage.TRAINING_HEAD),
    "paused": ("stopped", Stage.TRAINING_HEAD),
    "failed": ("failed", Stage.TRAINING_HEAD),
}


@pytest.fixture(autouse=True)
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no process started, and those on record taken for alive."""
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    monkeypatch.setattr("thaw.jobs.lifecycle.reconcile", lambda *_: None)


def stand(store: Store, job_id: str, standing: str) -> None:
    status, stage = STANDINGS[standing]
    store.update_job(job_id, status=status, stage=stage, done=3, total=40)
    if status == "failed":
        store.update_job(job_id, error=OUT_OF_MEMORY)


def check(page: AppTest) -> None:
    assert not page.exception
    assert alone(page) == []


@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize("name", OF_RUNS)
def test_a_first_training(store, name, standing):
    add_dataset(store)
    run_id = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())
    stand(store, store.add_job("head", {}, DATASET, run_id), standing)
    if standing != "waiting":
        store.add_epochs(run_id, [Epoch(number, 1, 0.5, 0.9, 0.5, 0.9, 0.1) for number in (1, 2)])
    check(visit(name))


@pytest.mark.parametrize("standing", STANDINGS)
@pytest.mark.parametrize("name", OF_RUNS)
def test_an_eye_that_is_adapting(store, name, standing):
    run_id = add_run(store, add_dataset(store))
    store.set_fine_tune(run_id, ASKED.to_json())
    stand(store, store.add_job("fine_tune", {}, DATASET, run_id), standing)
    if standing != "waiting":
        store.add_epochs(run_id, [Epoch(9, 2, 0.5, 0.9, 0.5, 0.9, 0.1)])
    check(visit(name))


@pytest.mark.parametrize("standing", STANDINGS)
def test_a_detector_that_learns_and_one_whose_eye_is_adapting(store, standing):
    images = detectors.add_boxed(store)
    settings = detection_settings("efficientnet-lite0").to_json()
    run_id = store.add_run(detectors.DATASET, "efficientnet-lite0", settings)
    stand(store, store.add_job("head", {}, detectors.DATASET, run_id), standing)
    check(visit("find"))
    store.add_epochs(run_id, [Epoch(number, 1, 0.5, 0.9, 0.5, 0.9, 0.1) for number in (1, 2)])
    check(visit("find"))
    run_id = detectors.add_detector_run(store, images)
    store.set_fine_tune(run_id, ASKED.to_json())
    stand(store, store.add_job("fine_tune", {}, detectors.DATASET, run_id), standing)
    check(visit("find"))


def test_pictures_on_which_things_are_counted(store, monkeypatch):
    run_id = detectors.add_detector_run(store, detectors.add_boxed(store))
    edges = np.array([(0.1, 0.1, 0.4, 0.4), (0.6, 0.5, 0.9, 0.9)], np.float32)
    found = Found(edges, np.array([0.9, 0.5], np.float32), np.array([0, 1]))
    pictures = [Picture(str(number), f"{number}.jpg", jpeg(number)) for number in range(2)]
    monkeypatch.setattr(trying, "ask_pictures", lambda _: pictures)
    monkeypatch.setattr(Predictor, "find", lambda *_: [Sighting(found, None, 64, 48), Sighting(None, "it is a text")])
    check(visit("find", run=run_id))


@pytest.mark.parametrize("name", OF_RUNS)
def test_photos_that_were_changed_after_the_training(store, name):
    images = add_dataset(store)
    run_id = add_run(store, images)
    store.add_facts(run_id, {"dataset_version": store.dataset(DATASET).version})
    edits.exclude_images(store, DATASET, [images[0].id])
    edits.move_images(store, DATASET, [images[1].id], BOLD)
    check(visit(name))


@pytest.mark.parametrize("standing", ["going on", "asking", "paused", "failed"])
def test_an_import(store, standing):
    add_dataset(store)
    job_id = store.add_job("import", {"kind": "folder", "path": "/photos/pets", "name": "pets"})
    if standing == "asking":
        store.update_job(job_id, status="running", stage=Stage.FINDING_FILES)
        store.put_question(job_id, WHICH_COLUMN)
    else:
        stand(store, job_id, standing)
        store.update_job(job_id, stage=Stage.CHECKING_IMAGES)
    page = visit("data")
    page.query_params["import"] = job_id
    check(page.run())


@pytest.mark.parametrize("standing", ["going on", "paused", "failed"])
@pytest.mark.parametrize(("kind", "name"), [("map", "map"), ("export", "export")])
def test_a_job_on_a_page_of_its_own(store, kind, name, standing):
    run_id = add_run(store, add_dataset(store))
    stand(store, starts.add_trial(store, kind, run_id, {}), standing)
    check(visit(name, run=run_id))


def test_a_pile_that_is_sorted_named_and_done(store):
    add_pile(store)
    page = visit("pile", dataset=DATASET)
    check(page)
    page.session_state["way"] = "One at a time"
    check(page.run())
    edits.name_images(store, DATASET, {photo_id(number): KIND[number] for number in range(18) if number % 6})
    check(page.run())
    page.session_state["way"] = "Groups"
    check(page.run())
    edits.exclude_images(store, DATASET, [photo_id(0)])
    check(page.run())
    check(visit("data", dataset=DATASET))
    edits.name_images(store, DATASET, {photo_id(number): KIND[number] for number in (6, 12)})
    check(page.run())


@pytest.mark.parametrize("standing", ["waiting", "going on", "paused", "failed"])
def test_a_pile_that_is_being_sorted(store, standing):
    add_pile(store, sorted_by=None)
    stand(store, store.add_job("sort", {"backbone": "efficientnet-lite0"}, DATASET), standing)
    check(visit("pile", dataset=DATASET))


@pytest.mark.parametrize("name", ["data", "head", "mistakes", "evaluation", "history"])
def test_very_many_kinds(store, name):
    run_id = add_many_classes(store, 70)
    page = visit(name, run=run_id, dataset=store.run(run_id).dataset_id)
    for panel in ("confusion drawer of {}", "several of {}"):
        page.session_state[panel.format(run_id)] = True
    # The kinds of this builder are called "class 000" and so on, which is a name and no word of the page.
    told = [text for text in alone(page.run()) if glossary.list_alone(re.sub(r"class \d{3}", "", text))]
    assert not page.exception
    assert told == []


def test_pictures_that_are_tried(store, monkeypatch):
    run_id = add_run(store, add_dataset(store))
    answers = [
        Answer(np.array([0.9, 0.1], np.float32), None, thumbnail=jpeg(0)),
        Answer(np.array([0.5, 0.5], np.float32), None, thumbnail=jpeg(1)),
        Answer(None, "it is a text"),
    ]
    pictures = [Picture(str(number), f"{number}.jpg", jpeg(number)) for number in range(len(answers))]
    monkeypatch.setattr(tried_pictures, "stills", lambda: pictures)
    monkeypatch.setattr(Predictor, "classify", lambda *_, **__: answers)
    check(visit("try_it", run=run_id))
