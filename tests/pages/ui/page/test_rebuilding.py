"""The pages where the database is lost or damaged: said in plain words, on every page, with the way back."""

from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

import app
from tests.support.pictures.corpus import write_classes
from thaw.datasets import edits
from thaw.datasets.ingest import ingest
from thaw.sources.sources import Source
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

pytestmark = pytest.mark.usefixtures("warm_decoder")

ROOT = Path(__file__).parents[4]
OFFER = "Rebuild from the folders"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("THAW_ROOTS", str(tmp_path))
    store = Store(open_workspace())
    dataset_id = ingest(store, Source("folder", write_classes(tmp_path / "p", {"ant": 3, "bee": 3}), "p"), "Insects")
    edits.rename_class(store, dataset_id, "bee", "wasp")
    return store


def visit(page="data"):
    test = AppTest.from_file(str(ROOT / "pages" / "ui" / "navigation.py"), default_timeout=30)
    test.run()
    return test.switch_page(f"../{page}.py").run()


def button(page, label):
    return next(each for each in page.button if each.label == label)


@pytest.mark.parametrize("content", [b"", b"garbage " * 900, bytes(8192)], ids=["empty", "garbage", "zeroed"])
def test_a_broken_database_is_told_and_rebuilt_by_a_button(store, content):
    store.workspace.database.write_bytes(content)
    page = visit()
    assert not page.exception
    assert len(page.error) == 1
    assert "untouched" in page.error[0].value
    assert "Traceback" not in page.error[0].value
    page = button(page, OFFER).click().run()
    assert not page.exception
    assert not page.error
    assert any("1 data set with 6 images" in each.value for each in page.info)
    assert store.datasets()[0].classes == {"ant": 3, "wasp": 3}
    assert any("Insects" in each.value for each in page.header)


def test_a_database_that_another_program_holds_is_no_reason_to_rebuild(store, tmp_path, monkeypatch):
    store.workspace.root.rename(tmp_path / "elsewhere")
    page = visit()
    assert "no such folder" in page.error[0].value
    assert OFFER not in [each.label for each in page.button]


def test_folders_that_the_database_does_not_know_are_offered(store, tmp_path):
    earlier = store.workspace.database.read_bytes()
    ingest(store, Source("folder", write_classes(tmp_path / "q", {"x": 2, "y": 2}, seed=5000), "q"), "Later")
    store.workspace.database.write_bytes(earlier)
    page = visit()
    assert any("1 data set" in each.value and "Nothing was removed" in each.value for each in page.warning)
    page = button(page, "Bring them back from the folders").click().run()
    assert {dataset.name for dataset in store.datasets()} == {"Insects", "Later"}
    assert not any("Nothing was removed" in each.value for each in page.warning)


def test_routes_answer_in_plain_words(store):
    from starlette.applications import Starlette

    from pages.ui.server.routes import ROUTES, refuse_workspace
    from thaw.errors import WorkspaceError

    client = TestClient(Starlette(routes=ROUTES, exception_handlers={WorkspaceError: refuse_workspace}))
    store.workspace.root.rename(store.workspace.root.with_name("elsewhere"))
    answer: httpx.Response = client.get("/thaw/image/data-0123456789ab/img-0123456789ab")
    assert answer.status_code == 503
    assert "no such folder" in answer.json()["error"]


def test_the_caretaker_tells_of_dead_jobs_without_anyone_looking(store, capsys, monkeypatch):
    monkeypatch.setattr(app.device_report, "look_again_if_due", lambda workspace: None)
    monkeypatch.setattr(app.warm_up, "start", lambda kept: None)
    caretaker = app.Caretaker()
    caretaker.look()
    job_id = store.add_job("import", {})
    store.update_job(job_id, status="running", pid=2**22 - 1)
    caretaker.look()
    assert store.job(job_id).status == "failed"
    assert app.LOOK_AGAIN_S <= 12


def test_the_caretaker_says_once_what_is_wrong_and_goes_on_when_it_is_mended(store, capsys, monkeypatch):
    prepared = []
    monkeypatch.setattr(app.device_report, "look_again_if_due", prepared.append)
    monkeypatch.setattr(app.warm_up, "start", lambda kept: None)
    content = store.workspace.database.read_bytes()
    store.workspace.database.write_bytes(b"garbage")
    caretaker = app.Caretaker()
    caretaker.look()
    caretaker.look()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "damaged" in said
    store.workspace.database.write_bytes(content)
    caretaker.look()
    assert prepared == [store.workspace]
