"""The Try it page on a model with weights drawn by chance, asked in the real predictor process."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from httpx import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from pages.ui.components.webcam.webcam import read_still
from pages.ui.mistakes import heat_map
from pages.ui.runs import tried_pictures
from pages.ui.runs.tried_pictures import Picture as Still
from pages.ui.runs.tried_pictures import Tried
from pages.ui.server.frame_route import MAX_FRAME_BYTES, frames_url
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from pages.ui.server.token import TOKENS, page_token
from pages.ui.words.names import csv
from tests.support.pages import ASKED, BOLD, drawn_html, words
from tests.support.pages import expert as expert
from tests.support.pictures.corpus import jpeg
from tests.support.trained_run import LABELS, add_trained_run
from thaw.prediction.answers import LIKELIEST, UNKNOWN, judge
from thaw.prediction.client import Answer, predictor
from thaw.runs.decision import FACT, keep_decision
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.evaluation.calibration import temper
from tlcore.settings import Decision, HeadSettings

NAVIGATION = Path(__file__).parents[2] / "pages" / "ui" / "navigation.py"
DATASET = "data-0123456789ab"
NOTES = ("notes.txt", b"not a picture", "text/plain")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store, so that the predictor starts once."""
    store = Store(open_workspace(tmp_path_factory.mktemp("trying")))
    store.add_dataset(DATASET, "photos", "folder", Arrival([]))
    yield store
    predictor(store.workspace).close()


@pytest.fixture
def store(trained, monkeypatch):
    monkeypatch.setenv("THAW_WORKSPACE", str(trained.workspace.root))
    return trained


@pytest.fixture(scope="module")
def run_id(trained):
    return add_trained_run(trained, seed=1)


@pytest.fixture
def doubt(store, run_id):
    """Let the model have to be surer than it ever is; a second run would be a second model to load."""
    keep_decision(store, run_id, Decision(1, temperature=3.0, threshold=0.99))
    yield
    store.add_facts(run_id, {FACT: None})


def visit(run_id: str) -> AppTest:
    page = AppTest.from_file(str(NAVIGATION), default_timeout=120)
    for key, value in (ASKED | {"run": run_id}).items():
        page.query_params[key] = value
    return page.run().switch_page("../try_it.py").run()


def uploads(number: int) -> list[tuple[str, bytes, str]]:
    return [(f"{place}.jpg", jpeg(place), "image/jpeg") for place in range(number)]


def show(page: AppTest, files: list[tuple[str, bytes, str]]) -> AppTest:
    page = page.file_uploader[0].set_value(files).run()
    assert not page.exception
    assert not page.error
    return page


def data_of(page: AppTest, key: str) -> list[dict]:
    sent = [json.loads(component.proto.json) for component in page.get("bidi_component") if component.proto.json]
    return [data for data in sent if key in data]


def bars(page: AppTest) -> list[dict]:
    return [json.loads(data["drawing"])["data"][0] for data in data_of(page, "drawing")]


def post(url: str, frame: bytes) -> Response:
    client = TestClient(Starlette(routes=ROUTES, exception_handlers={UploadRefused: refuse}))
    return client.post(url, content=frame, headers={"origin": "http://testserver", "x-thaw-token": page_token()})


@pytest.mark.usefixtures("expert")
def test_pictures_get_answers_and_a_text_its_reason(store, run_id):
    page = visit(run_id)
    assert not data_of(page, "drawing")
    page = show(page, [*uploads(2), NOTES])
    assert "**3 pictures**: 2 answered, 0 “I don't know”, 1 could not be read." in words(page)
    assert "`notes.txt`" in page.warning[0].value
    drawn = bars(page)
    assert len(drawn) == 2
    answers = predictor(store.workspace).classify(run_id, [jpeg(0), jpeg(1)])
    for bar, answer in zip(drawn, answers, strict=True):
        assert bar["x"] == pytest.approx(sorted(answer.probabilities.tolist(), reverse=True), abs=1e-6)
        assert sum(bar["x"]) == pytest.approx(1, abs=1e-5)
    table = page.dataframe[0].value
    assert table["file"].tolist() == ["0.jpg", "1.jpg", "notes.txt"]
    assert table["answer"].tolist() == [*(LABELS[each.probabilities.argmax()] for each in answers), ""]
    assert "It always answers" in words(page)
    assert page.get("page_link")[0].proto.label == "Choose a threshold on the Evaluation page"


def test_below_the_kept_threshold_it_does_not_know(store, run_id, doubt):
    page = show(visit(run_id), uploads(2))
    said = words(page)
    assert "**2 pictures**: 0 answered, 2 “I don't know”, 0 could not be read." in said
    assert "less than 99% sure" in said
    assert "It always answers" not in said
    (answer,) = predictor(store.workspace).classify(run_id, [jpeg(0)])
    tempered = temper(answer.probabilities[None], 3.0)[0]
    assert bars(page)[0]["x"] == pytest.approx(sorted(tempered, reverse=True), abs=1e-6)
    assert set(page.dataframe[0].value["answer"]) == {UNKNOWN}
    told = post(frames_url(run_id), jpeg(0)).json()
    assert told["known"] is False
    assert [each["share"] for each in told["likeliest"]] == pytest.approx(sorted(tempered, reverse=True), abs=1e-6)


def test_one_picture_at_a_time_is_looked_at_closely(store, run_id):
    page = show(visit(run_id), uploads(2))
    looks = [button for button in page.button if button.label == heat_map.TITLE]
    assert len(looks) == 2
    assert "data:image/jpeg" not in drawn_html(page)
    looks[1].click().run()
    assert not page.exception
    (answer,) = predictor(store.workspace).classify(run_id, [jpeg(1)])
    choice = next(box for box in page.selectbox if box.label == "What speaks for")
    assert choice.options == [LABELS[number] for number in np.argsort(-answer.probabilities)]
    assert f"**{choice.value}**" in words(page)
    assert drawn_html(page).count("data:image/jpeg") == 1
    choice.select_index(2).run()
    assert f"for **{choice.options[2]}**" in words(page)
    next(button for button in page.button if button.label == heat_map.TITLE).click().run()
    assert drawn_html(page).count("data:image/jpeg") == 1
    next(button for button in page.button if button.label == "Hide the heat map").click().run()
    assert "data:image/jpeg" not in drawn_html(page)


def test_names_of_files_are_literal(store, run_id):
    page = show(visit(run_id), [(f"{BOLD}.jpg", jpeg(1), "image/jpeg"), (f"{BOLD}.txt", b"text", "text/plain")])
    for element in (*page.markdown, *page.caption, *page.warning):
        outside_code = "".join(str(element.value).split("`")[::2])
        assert BOLD not in outside_code


def test_a_run_without_a_model_says_what_to_do_first(store):
    run_id = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())
    page = visit(run_id)
    assert "This run has no model yet" in words(page)
    assert "head" in page.get("page_link")[0].proto.label
    assert not page.file_uploader
    answer = post(frames_url(run_id), jpeg(1))
    assert answer.status_code == 409
    assert "no model yet" in answer.json()["error"]


def test_the_route_of_the_webcam_says_what_the_page_says(store, run_id):
    (data,) = data_of(visit(run_id), "token")
    assert data == {"url": frames_url(run_id), "token": TOKENS.give("test session id", ""), "side": 48}
    said = post(data["url"], jpeg(2)).json()
    (answer,) = predictor(store.workspace).classify(run_id, [jpeg(2)])
    numbers = [each["number"] for each in said["likeliest"]]
    assert numbers == np.argsort(-answer.probabilities).tolist()
    assert [each["label"] for each in said["likeliest"]] == [LABELS[number] for number in numbers]
    assert sum(each["share"] for each in said["likeliest"]) == pytest.approx(1, abs=1e-5)
    assert said["known"] is True
    unread = post(frames_url(run_id), b"not a picture")
    assert unread.status_code == 200
    assert "not a picture" in unread.json()["unread"]


def test_a_still_is_looked_at_like_a_file_and_can_be_forgotten(store, run_id):
    page = visit(run_id)
    page.session_state[tried_pictures.STILLS] = [Still("a", "still 1.jpg", jpeg(3))]
    page.run()
    assert "**1 picture**: 1 answered" in words(page)
    assert page.dataframe[0].value["file"].tolist() == ["still 1.jpg"]
    next(button for button in page.button if button.label == "Forget the stills").click().run()
    assert not page.dataframe
    assert tried_pictures.STILLS not in page.session_state


def test_a_still_after_those_that_were_forgotten_has_an_answer_of_its_own():
    page = AppTest.from_string(
        """
import streamlit as st
from pages.ui.mistakes import heat_map
from pages.ui.runs import tried_pictures
tried_pictures.keep_still(b"one")
tried_pictures.keep_still(b"two")
first = tried_pictures.stills()
tried_pictures.forget_stills()
tried_pictures.keep_still(b"three")
st.session_state["ids"] = [still.id for still in (*first, *tried_pictures.stills())]
st.session_state["names"] = [still.name for still in (*first, *tried_pictures.stills())]
""",
        default_timeout=60,
    ).run()
    assert not page.exception
    assert page.session_state["names"] == ["still 1.jpg", "still 2.jpg", "still 1.jpg"]
    assert len(set(page.session_state["ids"])) == 3


def test_each_picture_is_asked_about_once_and_six_are_shown(store, run_id):
    page = show(visit(run_id), uploads(8))
    assert len(bars(page)) == 6
    assert len(page.dataframe[0].value) == 8
    asked = predictor(store.workspace)
    asked.close()
    page.run()
    assert not page.exception
    assert len(bars(page)) == 6
    assert not asked.running


@pytest.mark.parametrize("sent", [None, 7, {"picture": "YQ=="}, "", "not base64!", "é", "A" * (3 * MAX_FRAME_BYTES)])
def test_what_is_no_still_is_passed_over(sent):
    assert read_still(sent) is None


def test_a_still_arrives_as_it_was_sent():
    assert read_still(base64.b64encode(jpeg(1)).decode()) == jpeg(1)
    beyond = bytes(MAX_FRAME_BYTES + 1)
    assert read_still(base64.b64encode(beyond).decode()) is None


def test_rows_of_the_table_are_safe_and_whole():
    labels = [f"class {number}" for number in range(7)]
    shares = np.array([0.05, 0.4, 0.05, 0.2, 0.15, 0.1, 0.05], dtype=np.float32)
    picture = Still("1", "=cmd().jpg", b"")
    verdicts = [
        judge(Answer(shares, None), None),
        judge(Answer(shares, None), Decision(1, threshold=0.5)),
        judge(Answer(None, "it is empty"), Decision(1)),
    ]
    rows = [tried_pictures.as_row(Tried(picture, verdict), labels) for verdict in verdicts]
    assert [row["answer"] for row in rows] == ["class 1", UNKNOWN, ""]
    assert [rows[0][f"class_{place}"] for place in range(1, LIKELIEST + 1)] == [labels[n] for n in (1, 3, 4, 5, 0)]
    assert rows[1]["share_1"] == 0.4
    assert (rows[2]["class_1"], rows[2]["reason"]) == ("", "it is empty")
    header, first, *_ = csv(rows, tried_pictures.COLUMNS).decode("utf-8-sig").splitlines()
    assert header == ",".join(tried_pictures.COLUMNS)
    assert first.startswith("'=cmd().jpg,class 1,class 1,0.4,class 3,0.2,")


@pytest.mark.parametrize(("threshold", "known"), [(0.0, True), (0.7, True), (0.71, False), (1.0, False)])
def test_it_knows_from_the_threshold_on(threshold, known):
    assert judge(Answer(np.array([0.3, 0.7]), None), Decision(1, threshold=threshold)).known is known
