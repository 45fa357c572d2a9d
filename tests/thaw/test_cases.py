"""What people bring comes to what it must, as a folder, in a zip, dropped in the browser and by command alike."""

import io
import json
from collections import Counter
from contextlib import redirect_stdout

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.server import upload
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from tests.support.pictures.cases import EACH, SITUATIONS, Situation, photos, zipped
from tests.support.pictures.corpus import in_words, leftovers
from tests.support.pictures.uploads import ORIGIN, frame
from thaw.__main__ import main
from thaw.jobs.reporter import Reporter
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.splits.splits import split

pytestmark = pytest.mark.usefixtures("warm_decoder")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    return Store(open_workspace())


@pytest.fixture
def asked(monkeypatch):
    """Return the keys of the questions that an import puts; as nobody is there, they are answered as advised."""
    keys, ask = [], Reporter.ask

    def listen(self, question):
        assert question.default in question.answers
        keys.append(question.key)
        return ask(self, question)

    monkeypatch.setattr(Reporter, "ask", listen)
    return keys


def lay_out(files, folder):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def pack(files, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipped(files))
    return path


def take_in(store, kind, path, into):
    """Import in this process what a page would ask for; return the job."""
    request = {"kind": kind, "path": str(path), "name": "Case"} | ({"dataset": into} if into else {})
    job_id = store.add_job("import", request)
    work(store, job_id)
    return store.job(job_id)


def by_folder(store, files, folder, into=None):
    return take_in(store, "folder", lay_out(files, folder / "case"), into)


def by_zip(store, files, folder, into=None):
    return take_in(store, "zip", pack(files, folder / "case.zip"), into)


def by_drop(store, files, folder, into=None):
    """Send the files to the upload route as the drop zone does, and import what it has staged."""
    ticket = upload.open_upload(store.workspace)
    client = TestClient(Starlette(routes=ROUTES, exception_handlers={UploadRefused: refuse}))
    # A dropped folder comes with its own name before the others; a dropped file by its name alone.
    single = all("/" not in name for name in files)
    body = frame({name if single else f"case/{name}": content for name, content in files.items()})
    headers = ORIGIN | {"x-thaw-token": ticket.token}
    answer = client.post(f"/thaw/upload/{ticket.upload_id}", content=body, headers=headers)
    assert answer.json() == {"accepted": len(files)}
    return take_in(store, "staged", store.workspace.staging(ticket.upload_id), into)


def by_command(store, files, folder, into=None):
    """Import as `python -m thaw import` does, which tells in JSON what the database holds."""
    path = lay_out(files, folder / "case")
    words = ["import", str(path), "--workspace", str(store.workspace.root), "--json"]
    with redirect_stdout(io.StringIO()) as told:
        status = main([*words, *(["--into", into] if into else [])])
    (job,) = store.jobs("import", limit=1)
    assert (status, job.status) in ((0, "finished"), (1, "failed"))
    if status == 0:
        assert json.loads(told.getvalue())["dataset"] == job.dataset_id
    return job


WAYS = {"folder": by_folder, "zip": by_zip, "drop": by_drop, "command": by_command}
EVERY = [(way, situation) for situation in SITUATIONS for way in WAYS if way not in situation.not_by]


@pytest.mark.parametrize(("way", "situation"), EVERY, ids=[f"{situation.name} by {way}" for way, situation in EVERY])
def test_a_situation_comes_to_what_it_must(way: str, situation: Situation, store, tmp_path, asked):
    job = WAYS[way](store, situation.files, tmp_path)
    assert job.status == "finished", job.error
    dataset = store.dataset(job.dataset_id)
    images = store.every_image(dataset.id)
    assert Counter(image.label for image in images if image.role == "main") == situation.classes
    assert sum(image.role == "holdout" for image in images) == situation.holdout
    assert sum(image.role == "pile" for image in images) == situation.unlabelled
    rows = store.set_aside(dataset.id)
    assert len(rows) == situation.set_aside, rows
    assert [row.reason for row in rows if not in_words(row.reason)] == []
    said = "\n".join(dataset.notes)
    assert [words for words in situation.says if words not in said] == []
    noted = "\n".join(note for image in images for note in image.notes)
    assert [words for words in situation.image_notes if words not in noted] == []
    reasons = "\n".join(row.reason for row in rows)
    assert [words for words in situation.reasons if words not in reasons] == []
    if situation.check:
        situation.check(store, dataset)
    assert tuple(asked) == situation.asks
    assert leftovers(store) == []


@pytest.mark.parametrize("way", WAYS)
def test_files_that_a_person_moved_to_another_class_move_when_they_are_added_again(way, store, tmp_path):
    before = photos(["left", "right"])
    dataset_id = WAYS[way](store, before, tmp_path / "before").dataset_id
    after = dict(before)
    for number in range(2):
        after[f"right/moved{number}.jpg"] = after.pop(f"left/00{number}.jpg")
    del after["left/003.jpg"]
    job = WAYS[way](store, after, tmp_path / "after", dataset_id)
    assert job.status == "finished", job.error
    dataset = store.dataset(dataset_id)
    # What is no longer in the folder stays: to add is not to take away.
    assert dataset.classes == {"left": EACH - 2, "right": EACH + 2}
    assert dataset.included == 2 * EACH
    assert "moved" in "\n".join(dataset.notes)


def test_fifteen_hundred_classes_are_taken_in_and_can_be_divided(store, tmp_path):
    files = photos([f"product {number:04}" for number in range(1500)], 2)
    job = by_folder(store, files, tmp_path)
    assert job.status == "finished", job.error
    dataset = store.dataset(job.dataset_id)
    assert len(dataset.classes) == 1500
    assert len(split(store.images(dataset.id), 0.2, 0).labels) == 1500
