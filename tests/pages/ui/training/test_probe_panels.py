"""The panels of the depth probe and of the learning-rate finder: what they say, and what their buttons do."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from tests.support.pages import words
from thaw.jobs import lifecycle, starts
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import LAYERS_FILE, open_workspace
from thaw.tuning.probe_record import Depth, Plan, Probe, ProbeSettings, write_probe
from thaw.tuning.rate_curve import RateCurve, write_curve
from tlcore.progress import Stage
from tlcore.settings import HeadSettings

PLAN = Plan([0, 4, 12], 100, 3, 2, 16, 1e-5, 7, 0, "halves")
RATES = np.geomspace(1e-7, 1e-3, 40).tolist()
LOSSES = np.linspace(2, 1, 40).tolist()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    return Store(open_workspace())


@pytest.fixture
def run_id(store: Store) -> str:
    store.add_dataset("data-1", "photos", "folder", Arrival([]))
    run_id = store.add_run("data-1", "efficientnet-lite0", HeadSettings().to_json())
    store.set_result(run_id, 1)
    store.add_facts(run_id, {"image_size": 224})
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LAYERS_FILE).write_text(json.dumps([{"block": f"block {n // 4}"} for n in range(12)]))
    return run_id


def depth(top: int, right: int) -> Depth:
    return Depth(top, [right / 100] * 3, right, 100, 100, 2.0)


def panel(call: str) -> AppTest:
    script = f"""
import streamlit as st
from pages.ui.page import selection
from pages.ui.training import depth_probe, rate_finder
store = selection.store()
run = store.runs()[0]
st.session_state["taken"] = {call}
"""
    page = AppTest.from_string(script, default_timeout=20).run()
    assert not page.exception
    return page


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def test_before_the_first_probe_there_is_one_button(store, run_id):
    page = panel("depth_probe.draw(store, run)")
    assert labels(page) == ["Try several depths"]
    assert page.session_state["taken"] is None


def test_a_whole_probe_recommends_and_its_depth_is_taken_over_once(store, run_id):
    write_probe(store.workspace.run(run_id), Probe(PLAN, [depth(0, 80), depth(4, 89), depth(12, 90)]))
    page = panel("depth_probe.draw(store, run)")
    assert labels(page) == ["Use the top 4 layers", "Try again"]
    assert "the top 4 layers** (89.0%" in words(page)
    assert page.session_state["taken"] is None
    press(page, "Use the top 4 layers")
    assert page.session_state["taken"] == 4
    page.run()
    assert page.session_state["taken"] is None


def test_no_layer_can_be_the_recommendation(store, run_id):
    write_probe(store.workspace.run(run_id), Probe(PLAN, [depth(0, 90), depth(4, 90), depth(12, 90)]))
    page = press(panel("depth_probe.draw(store, run)"), "Use no layer, the head alone")
    assert page.session_state["taken"] == 0


def test_a_stopped_probe_keeps_its_depths_and_can_go_on(store, run_id):
    write_probe(store.workspace.run(run_id), Probe(PLAN, [depth(0, 80)]))
    store.update_job(starts.add_probe_job(store, run_id, ProbeSettings()), status="stopped")
    page = panel("depth_probe.draw(store, run)")
    assert labels(page) == ["Go on with the missing depths"]
    assert "1 of 3 depths tried" in words(page)
    assert "Every depth that was finished is kept" in page.info[0].value


def test_an_active_probe_shows_time_left_and_stops_on_request(store, run_id):
    write_probe(store.workspace.run(run_id), Probe(PLAN, [depth(0, 80), depth(4, 70)]))
    job_id = starts.add_probe_job(store, run_id, ProbeSettings())
    with FileLock(store.workspace.job_lock(job_id)):
        changes = {"stage": Stage.TRYING_DEPTHS, "done": 40, "total": 100, "rate": 0.5}
        store.update_job(job_id, status="running", pid=os.getpid(), **changes)
        page = panel("depth_probe.draw(store, run)")
        (bar,) = page.get("progress")
        assert bar.proto.text.replace("\\", "") == "Trying depths · 40% · 2 min 0 s left"
        assert "Recommended so far" in words(page)
        assert labels(page) == ["Stop"]
        press(page, "Stop")
        assert store.job(job_id).stop_requested


def test_a_dead_probe_says_what_is_kept(store, run_id):
    job_id = starts.add_probe_job(store, run_id, ProbeSettings())
    store.update_job(job_id, status="running", pid=2**22 - 1)
    lifecycle.reconcile(store)
    assert "finished depth is kept" in panel("depth_probe.draw(store, run)").error[0].value


def test_the_button_starts_a_probe_in_a_process_of_its_own(store, run_id, wait_for):
    press(panel("depth_probe.draw(store, run)"), "Try several depths")
    job = starts.latest_trial(store, "probe", run_id)
    assert job.request["run"] == run_id
    # The data set is empty, which only the process itself can find out.
    wait_for(lambda: not store.job(job.id).active, 60, "the end of the probe")
    assert store.job(job.id).status == "failed"


def test_a_suggested_rate_is_shown_and_taken_over(store, run_id):
    curve = RateCurve(2, 9, 32, RATES, LOSSES, 1e-4, 2.5e-5, time.time())
    write_curve(store.workspace.run(run_id), curve)
    page = panel("rate_finder.draw(store, run, 2)")
    assert labels(page) == ["Use 2.5e-05", "Search again"]
    press(page, "Use 2.5e-05")
    assert page.session_state["taken"] == 2.5e-5
    assert labels(panel("rate_finder.draw(store, run, 1)")) == ["Search a learning rate"]


def test_a_suggestion_at_the_cap_says_why_it_is_no_larger(store, run_id):
    write_curve(store.workspace.run(run_id), RateCurve(2, 9, 32, RATES, LOSSES, 1e-4, 1e-4, 0.0))
    assert "a tenth of the head's rate" in words(panel("rate_finder.draw(store, run, 2)"))


def test_a_curve_without_a_fall_suggests_nothing(store, run_id):
    write_curve(store.workspace.run(run_id), RateCurve(1, None, 32, RATES, LOSSES, None, None, 0.0))
    page = panel("rate_finder.draw(store, run, 1)")
    assert labels(page) == ["Search again"]
    assert "no rate is suggested" in words(page)


def test_a_search_of_one_phase_does_not_end_on_the_page_of_the_other(store, run_id):
    store.update_job(starts.add_rate_job(store, run_id, 1), status="stopped")
    assert len(panel("rate_finder.draw(store, run, 1)").info) == 1
    assert not panel("rate_finder.draw(store, run, 2)").info
