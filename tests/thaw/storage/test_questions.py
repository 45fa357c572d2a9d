import threading
import time

import pytest
from streamlit.testing.v1 import AppTest

from thaw.jobs.reporter import reporting
from thaw.storage.questions import Option, Question, read_answers, take_default
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import RunError, SettingsError

LEVELS = Question(
    "levels",
    "Which folders are the classes?",
    (Option("outer", "The outer ones", "animals, *cars*"), Option("inner", "The inner ones", "cats, dogs")),
    "inner",
)


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def asked(store, job_id):
    """Wait until a job asks, and return its question."""
    deadline = time.monotonic() + 60
    while (question := store.job(job_id).question) is None:
        assert time.monotonic() < deadline, "nothing was asked"
        time.sleep(0.01)
    return question


def ask_in_thread(store, job_id):
    heard = []

    def work():
        with reporting(store, job_id) as reporter:
            heard.append(reporter.ask(LEVELS))

    thread = threading.Thread(target=work)
    thread.start()
    return thread, heard


def test_a_job_waits_for_the_persons_answer(store):
    job_id = store.add_job("import", {"ask": True})
    thread, heard = ask_in_thread(store, job_id)
    assert asked(store, job_id) == LEVELS
    store.answer_question(job_id, LEVELS, "outer")
    thread.join(60)
    assert heard == ["outer"]
    job = store.job(job_id)
    assert (job.status, job.question, job.answer) == ("finished", None, None)


def test_a_job_that_waits_for_an_answer_can_be_stopped(store):
    job_id = store.add_job("import", {"ask": True})
    thread, heard = ask_in_thread(store, job_id)
    asked(store, job_id)
    store.ask_to_stop(job_id)
    thread.join(60)
    assert heard == []
    assert store.job(job_id).status == "stopped"


def test_an_answer_to_an_earlier_question_is_left_out(store):
    job_id = store.add_job("import", {"ask": True})
    store.answer_question(job_id, LEVELS, "outer")
    assert store.job(job_id).answer is None
    store.put_question(job_id, LEVELS)
    assert store.job(job_id).answer is None


def test_an_answer_that_is_no_option_is_refused(store):
    job_id = store.add_job("import", {"ask": True})
    store.put_question(job_id, LEVELS)
    with pytest.raises(SettingsError, match="outer, inner"):
        store.answer_question(job_id, LEVELS, "sideways")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [({}, "inner"), ({"answers": {"levels": "outer"}}, "outer"), ({"answers": {"other": "x"}}, "inner")],
)
def test_without_a_person_what_was_said_beforehand_or_is_advised_counts(store, request_, answer):
    with reporting(store, store.add_job("import", request_)) as reporter:
        assert reporter.ask(LEVELS) == answer
    assert store.job(reporter.job_id).status == "finished"


def test_what_is_taken_without_a_person_is_told(store):
    told = []
    with reporting(store, store.add_job("import", {}), lambda stage, done, total: told.append(stage)) as reporter:
        reporter.ask(LEVELS)
    assert told == [
        "Which folders are the classes? Taken: The inner ones (levels=inner). Else --answer levels=outer (The outer "
        "ones)"
    ]


def test_a_wrong_answer_beforehand_fails_the_job_with_the_question(store):
    job_id = store.add_job("import", {"answers": {"levels": "sideways"}})
    with reporting(store, job_id) as reporter:
        reporter.ask(LEVELS)
    job = store.job(job_id)
    assert job.status == "failed"
    assert "Which folders are the classes?" in job.error
    with pytest.raises(RunError):
        store.claim_job(job_id, 1)


def test_answers_are_read_from_the_command_line():
    assert read_answers(["levels=outer", "code page=gbk=x"]) == {"levels": "outer", "code page": "gbk=x"}
    with pytest.raises(SettingsError, match="levels=outer"):
        read_answers(["levels"])


def show_question(root, job_id):
    from pages.ui.data import sources
    from thaw.storage.store import Store
    from thaw.storage.workspace import open_workspace

    store = Store(open_workspace(root))
    job = store.job(job_id)
    if job.question:
        sources.draw_question(store, job, job.question)


def test_the_page_shows_the_sentence_and_takes_the_answer(store):
    job_id = store.add_job("import", {"ask": True})
    store.put_question(job_id, LEVELS)
    page = AppTest.from_function(show_question, default_timeout=60, args=(str(store.workspace.root), job_id)).run()
    assert [button.label for button in page.button] == ["The outer ones", "The inner ones"]
    assert any("Which folders are the kinds" in each.value for each in page.markdown)
    assert any(r"\*cars\*" in each.value for each in page.caption)
    page.button[0].click().run()
    assert not page.exception
    assert store.job(job_id).answer == "outer"
    assert all(button.disabled for button in page.button)


def test_a_question_that_advises_nothing_wants_an_answer():
    question = Question("way", "Which way?", (Option("up", "Up"), Option("down", "Down")), "")
    with pytest.raises(SettingsError, match=r"Which way\? .* --answer way=up \(Up\) or way=down \(Down\)"):
        take_default(question)
