"""The Studio's routes: who is heard, what is shown of photos and learning, and what can be done to them."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from pages.ui.server.studio_route import MAX_BODY_BYTES
from pages.ui.server.token import page_token
from thaw.datasets import edits
from thaw.jobs import lifecycle
from thaw.storage.datasets import Arrival
from thaw.storage.questions import Option, Question
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.progress import Stage
from tlcore.settings import HeadSettings
from tlcore.training.history import Epoch

pytestmark = pytest.mark.usefixtures("warm_decoder")

TOKEN = page_token()
SENT = {"origin": "http://testserver", "x-thaw-token": TOKEN}
STATE, DO = "/thaw/studio/state", "/thaw/studio/do"


@pytest.fixture
def store(tmp_path, tiny_photos, monkeypatch):
    """Return a store of its own with the tiny photos; no process is started, and no predictor warmed."""
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(lifecycle, "launch", lambda *_: None)
    monkeypatch.setattr(
        "pages.ui.server.studio_state.predictor", lambda _: type("P", (), {"warm": lambda *run, maps: None})
    )
    store = Store(open_workspace())
    work(store, store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": "Tiny photos"}))
    return store


@pytest.fixture
def client(store):
    return TestClient(Starlette(routes=ROUTES, exception_handlers={UploadRefused: refuse}))


def ask(client, **asked):
    answer = client.post(STATE, json=asked, headers=SENT)
    assert answer.status_code == 200
    return answer.json()


def act(client, **asked):
    return client.post(DO, json=asked, headers=SENT)


def dataset_of(store):
    return store.datasets()[0]


@pytest.mark.parametrize("url", [STATE, DO])
@pytest.mark.parametrize("headers", [{"x-thaw-token": TOKEN}, SENT | {"x-thaw-token": "x"}, {"origin": "http://x"}])
def test_only_the_page_that_was_given_the_token_is_heard(client, url, headers):
    assert client.post(url, json={}, headers=headers).status_code == 403


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"'])
def test_what_is_no_request_is_refused(client, body):
    assert client.post(STATE, content=body, headers=SENT).status_code == 400


def test_a_long_request_is_refused(client):
    assert client.post(STATE, content=b" " * (MAX_BODY_BYTES + 1), headers=SENT).status_code == 413


def test_without_a_data_set_all_is_empty(client):
    state = ask(client)
    assert (state["dataset"], state["live"], state["learning"]) == (None, None, {"stage": "empty"})
    assert [eye["title"] for eye in state["eyes"] if eye["chosen"]] == ["Quick"]


def test_photos_come_by_class_and_only_where_they_are_not_known(client, store):
    dataset = dataset_of(store)
    shown = ask(client, dataset=dataset.id)["dataset"]
    assert {each["name"]: each["count"] for each in shown["classes"]} == dataset.classes
    assert all(client.get(each["photos"][0]).status_code == 200 for each in shown["classes"])
    assert "classes" not in ask(client, dataset=dataset.id, known=shown["mark"])["dataset"]


def test_learning_is_told_from_ready_over_its_rounds_to_the_grade(client, store):
    dataset = dataset_of(store)
    assert ask(client, dataset=dataset.id)["learning"]["stage"] == "ready"
    run_id = act(client, do="teach", dataset=dataset.id).json()["run"]
    job = store.latest_job(run_id)
    store.update_job(job.id, stage=Stage.COMPUTING_FEATURES, done=3, total=24)
    learning = ask(client, dataset=dataset.id)["learning"]
    assert (learning["stage"], learning["looking"], learning["done"], learning["total"]) == ("learning", True, 3, 24)
    assert act(client, do="stop", job=job.id).status_code == 200
    assert ask(client, dataset=dataset.id)["learning"]["stopping"]
    store.add_facts(run_id, {"dataset_version": dataset.version, "validation_images": 6, "image_size": 96})
    store.add_phase_facts(run_id, "head", {"accuracies": {"validation": 5 / 6}})
    store.add_epochs(run_id, [Epoch(1, 1, 0.5, 0.5, 0.5, 4 / 6, 0.1)])
    assert ask(client, dataset=dataset.id)["learning"]["exam"] == {"right": 4, "total": 6}
    store.set_result(run_id, 1)
    store.update_job(job.id, status="finished")
    state = ask(client, dataset=dataset.id)
    assert (state["learning"]["stage"], state["learning"]["exam"]) == ("taught", {"right": 5, "total": 6})
    assert (state["live"]["run"], state["live"]["side"], state["live"]["least"]) == (run_id, 96, 0.6)


def test_a_set_that_is_ready_is_taught_once_where_it_is_to_learn_by_itself(client, store):
    dataset = dataset_of(store)
    learning = ask(client, dataset=dataset.id, learn=True)["learning"]
    assert learning["stage"] == "learning"
    assert ask(client, dataset=dataset.id, learn=True)["learning"]["run"] == learning["run"]
    assert [job.kind for job in store.unfinished_jobs()] == ["head"], "nobody looks ahead beside it"
    store.add_facts(learning["run"], {"dataset_version": dataset.version})
    store.update_job(learning["job"], status="stopped")
    assert ask(client, dataset=dataset.id, learn=True)["learning"]["stage"] == "stopped"
    act(client, do="rename", dataset=dataset.id, **{"class": next(iter(dataset.classes)), "to": "zebra"})
    again = ask(client, dataset=dataset.id, learn=True)["learning"]
    assert (again["stage"], again["run"] != learning["run"]) == ("learning", True)


def add_taught(store, right):
    """Return the id of a run that has a model of the data set as it stands and names `right` of 6 photos right."""
    dataset = dataset_of(store)
    run_id = store.add_run(dataset.id, "efficientnet-lite0", HeadSettings().to_json())
    store.add_facts(run_id, {"dataset_version": dataset.version, "validation_images": 6, "image_size": 96})
    store.add_phase_facts(run_id, "head", {"accuracies": {"validation": right / 6}})
    store.set_result(run_id, 1)
    return run_id


def test_the_run_that_is_chosen_is_shown_until_another_has_been_taught(client, store):
    dataset, chosen = dataset_of(store), add_taught(store, 3)
    newest = add_taught(store, 5)
    state = ask(client, dataset=dataset.id, run=chosen, newest=newest)
    assert (state["learning"]["exam"]["right"], state["live"]["run"]) == (3, chosen)
    assert state["learning"]["newest"] == newest
    state = ask(client, dataset=dataset.id, run=chosen)
    assert state["live"]["run"] == chosen
    taught = add_taught(store, 6)
    state = ask(client, dataset=dataset.id, run=chosen, newest=newest)
    assert (state["learning"]["exam"]["right"], state["live"]["run"]) == (6, taught)


def test_a_chosen_run_without_a_model_or_of_other_photos_gives_way_to_the_newest(client, store):
    dataset, newest = dataset_of(store), add_taught(store, 5)
    waiting = store.add_run(dataset.id, "efficientnet-lite0", HeadSettings().to_json())
    store.add_dataset("data-ffffffffffff", "others", "folder", Arrival([]))
    elsewhere = store.add_run("data-ffffffffffff", "efficientnet-lite0", HeadSettings().to_json())
    store.set_result(elsewhere, 1)
    for run_id in (waiting, elsewhere, "run-ffffffffffff"):
        assert ask(client, dataset=dataset.id, run=run_id)["live"]["run"] == newest


def test_a_class_is_renamed_removed_and_brought_back(client, store):
    dataset = dataset_of(store)
    first, second = list(dataset.classes)[:2]
    assert act(client, do="rename", dataset=dataset.id, **{"class": first, "to": "zebra"}).json() == {"images": 8}
    assert "zebra" in dataset_of(store).classes
    refused = act(client, do="rename", dataset=dataset.id, **{"class": "zebra", "to": second})
    assert refused.status_code == 409
    assert "Merge" in refused.json()["error"]
    act(client, do="remove", dataset=dataset.id, **{"class": second})
    assert second not in dataset_of(store).classes
    assert act(client, do="undo", dataset=dataset.id).json() == {"undone": "delete"}
    assert second in dataset_of(store).classes


def test_a_kind_is_removed_as_it_was_shown_and_that_alone_is_brought_back(client, store):
    dataset = dataset_of(store)
    first, second = list(dataset.classes)[:2]
    shown = ask(client, dataset=dataset.id)["dataset"]
    moved = store.images(dataset.id, first)[0].id
    edits.move_images(store, dataset.id, [moved], second)
    asked = {"dataset": dataset.id, "class": second, "mark": shown["mark"], "edit": shown["edit"]}
    refused = act(client, do="remove", **asked)
    assert refused.status_code == 409
    assert refused.json()["error"] == (
        f"1 of these photos is in {second} by now. Someone was quicker: nothing was changed. Look again."
    )
    assert second in dataset_of(store).classes
    shown = ask(client, dataset=dataset.id)["dataset"]
    removal = act(client, do="remove", **{**asked, "mark": shown["mark"], "edit": shown["edit"]}).json()
    assert second not in dataset_of(store).classes
    edits.exclude_images(store, dataset.id, [store.images(dataset.id, first)[0].id])
    assert act(client, do="undo", dataset=dataset.id, edit=removal["edit"]).status_code == 409
    edits.undo(store, dataset.id)
    assert act(client, do="undo", dataset=dataset.id, edit=removal["edit"]).status_code == 200
    assert second in dataset_of(store).classes


def test_one_kind_alone_is_refused_in_plain_words(client, store):
    dataset = dataset_of(store)
    kept, *others = dataset.classes
    for label in others:
        act(client, do="remove", dataset=dataset.id, **{"class": label})
    learning = ask(client, dataset=dataset.id)["learning"]
    assert learning["stage"] == "refused"
    assert learning["refusal"] == f"I need two kinds of photos, such as cats and dogs. You gave me one: {kept}."


def test_what_an_import_asks_is_shown_with_the_advised_answer_first_and_answered(client, store):
    job_id = store.add_job("import", {"kind": "folder", "path": "/nowhere"})
    store.put_question(job_id, Question("levels", "Which?", (Option("one", "One"), Option("two", "Two")), "two"))
    told = ask(client)["import"]
    assert (told["id"], told["active"]) == (job_id, True)
    assert [option["key"] for option in told["question"]["options"]] == ["two", "one"]
    assert act(client, do="answer", job=job_id, option="one").status_code == 200
    assert store.job(job_id).answer == "one"
    assert "question" not in ask(client)["import"]


@pytest.mark.parametrize("asked", [{}, {"do": "format"}, {"do": "rename"}, {"do": "stop", "job": 3}])
def test_what_the_studio_cannot_do_is_refused(client, asked):
    assert act(client, **asked).status_code == 400


def test_a_ticket_takes_photos(client):
    ticket = act(client, do="ticket").json()
    assert (
        client.post(f"{ticket['url']}/finish", json={}, headers=SENT | {"x-thaw-token": ticket["token"]})
        .json()["error"]
        .startswith("Expected at least one file")
    )
