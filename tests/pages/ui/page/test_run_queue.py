import json
import os

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from pages.ui.components.expert import expert as switch
from tests.support.pages import DATASET, add_dataset, words
from tests.support.pages import store as store
from thaw.storage.records import ASKED_BY
from thaw.storage.store import Store
from tlcore.progress import Stage
from tlcore.settings import HeadSettings


def draw_queue() -> None:
    from pages.ui.page import run_queue, selection

    run_queue.draw(selection.store())


@pytest.fixture
def add(store: Store):
    """Return a function that adds a job whose process lives, as its lock says, and is at a stage."""
    add_dataset(store)
    locks = []

    def add_job(stage: Stage, kind: str = "head", backbone: str = "efficientnet-lite0") -> str:
        run_id = store.add_run(DATASET, backbone, HeadSettings(backbone=backbone).to_json())
        job_id = store.add_job(kind, {}, DATASET, run_id)
        locks.append(FileLock(store.workspace.job_lock(job_id)))
        locks[-1].acquire()
        store.claim_job(job_id, os.getpid())
        store.update_job(job_id, stage=stage, done=3, total=40 if stage != Stage.WAITING_FOR_DEVICE else 0)
        return job_id

    yield add_job
    for lock in locks:
        lock.release()


def shown(expert: bool = False) -> AppTest:
    page = AppTest.from_function(draw_queue, default_timeout=60)
    page.session_state[switch.ON] = expert
    page.run()
    assert not page.exception
    return page


def test_an_empty_queue_is_not_drawn(store):
    assert not words(shown())


@pytest.mark.parametrize(
    ("expert", "stage", "work"),
    [
        (True, "training, phase 1, 3 of 40", "MobileNetV2: fine-tuning (phase 2)"),
        (False, "Learning, 3 of 40", "MobileNetV2: letting the eye adapt (fine-tuning, phase 2)"),
    ],
    ids=["expert", "plain"],
)
def test_what_works_and_what_waits_is_told_in_the_order_of_the_turns(store, add, expert, stage, work):
    add(Stage.TRAINING_HEAD)
    add(Stage.WAITING_FOR_DEVICE, "fine_tune", "mobilenet-v2")
    add(Stage.WAITING_FOR_DEVICE)
    page = shown(expert)
    working, second, third = (element.value for element in page.markdown)
    assert "EfficientNet-Lite0: the head (phase 1)" in working
    assert stage in working.replace("\\", "")
    assert second.startswith("**1.**")
    assert work in second
    assert third.startswith("**2.**")
    assert [button.label for button in page.button] == ["Cancel", "Move to the front", "Cancel"]
    for element in page.markdown:
        assert "**photos**" not in "".join(element.value.split("`")[::2])


def test_the_queue_says_whose_job_works_and_whose_waits(store, add):
    mine, other = add(Stage.TRAINING_HEAD), add(Stage.WAITING_FOR_DEVICE)
    for job_id, asker in ((mine, "browser 0123456789abcdef"), (other, "anna@lab.example")):
        store.update_job(job_id, request=json.dumps({ASKED_BY: asker}))
    assert [each.value.partition(" · ")[2] for each in shown().markdown] == [
        "asked for in another browser]",
        "asked for by `anna@lab.example`]",
    ]


def test_a_waiting_job_is_moved_to_the_front(store, add):
    add(Stage.TRAINING_HEAD)
    second, third = add(Stage.WAITING_FOR_DEVICE), add(Stage.WAITING_FOR_DEVICE)
    page = shown()
    next(button for button in page.button if button.label == "Move to the front").click().run()
    assert [job.id for job in store.queue() if job.stage == Stage.WAITING_FOR_DEVICE] == [third, second]


def test_a_waiting_job_is_cancelled_once(store, add):
    job_id = add(Stage.WAITING_FOR_DEVICE)
    shown().button[0].click().run()
    assert store.job(job_id).stop_requested
    page = shown()
    assert page.button[0].disabled
    assert "being cancelled" in page.markdown[0].value
