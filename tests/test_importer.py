import os
import shutil
import signal
import time

import psutil
import pytest

from tests.corpus import ACCEPTED, Case, jpeg, write_classes, write_folder, write_upload, zip_of
from tlcore import jobs
from tlcore.store import Store
from tlcore.workspace import open_workspace


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def wait_for(condition, limit_s=30):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def ended(store, job_id):
    wait_for(lambda: not store.job(job_id).active)
    return store.job(job_id)


def run_import(store, kind, path, name=""):
    return ended(store, jobs.start_import(store, {"kind": kind, "path": str(path), "name": name}))


def slow_folder(folder):
    """Make a folder whose import takes some seconds: large photos, many times."""
    content = jpeg(1, 2400, 1800)
    return write_folder(folder, [Case(f"{label}/{n}.jpg", content, ACCEPTED) for label in "ab" for n in range(150)])


def test_a_folder_is_imported_in_a_process_of_its_own(store, tmp_path):
    job = run_import(store, "folder", write_classes(tmp_path / "photos", {"rose": 3, "tulip": 2}))
    assert (job.status, job.error) == ("finished", None)
    dataset = store.dataset(job.dataset_id)
    assert dataset.classes == {"rose": 3, "tulip": 2}
    assert dataset.name == "photos"
    assert dataset.source == str(tmp_path / "photos")
    assert (job.done, job.total, job.stage) == (5, 5, "checking images")


def test_a_zip_keeps_the_name_it_is_given(store, tmp_path):
    (tmp_path / "x.zip").write_bytes(zip_of({"rose/a.jpg": jpeg(1), "tulip/b.jpg": jpeg(2)}))
    job = run_import(store, "zip", tmp_path / "x.zip", "Flowers <b>")
    assert store.dataset(job.dataset_id).name == "Flowers <b>"
    assert (tmp_path / "x.zip").is_file()


@pytest.mark.parametrize("content", [jpeg(1), b"not a picture"])
def test_an_upload_is_removed_when_it_has_ended_either_way(content, store):
    staging = store.workspace.staging("upload-1")
    write_upload(staging, [Case("photos/rose/a.jpg", content, ACCEPTED)])
    job = run_import(store, "staged", staging)
    assert job.status == ("finished" if content == jpeg(1) else "failed")
    assert not staging.exists()


def test_a_path_outside_the_staging_area_is_never_removed(store, tmp_path):
    outside = write_upload(tmp_path / "mine", [Case("rose/a.jpg", jpeg(1), ACCEPTED)])
    assert run_import(store, "staged", outside).status == "finished"
    assert (outside / "files" / "0").is_file()


def test_the_digits_are_imported(store):
    job = run_import(store, "digits", "")
    dataset = store.dataset(job.dataset_id)
    assert dataset.accepted == 1797
    assert dataset.name == "Handwritten digits"
    assert "scikit-learn" in dataset.source
    assert list((store.workspace.root / "staging").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="names as bytes")
def test_a_folder_whose_name_is_not_utf8_is_imported(store, tmp_path):
    folder = write_classes(tmp_path / os.fsdecode(b"caf\xe9"), {"rose": 1})
    job = run_import(store, "folder", folder)
    assert job.status == "finished", job.error
    assert store.dataset(job.dataset_id).name == "caf\ufffd"


def test_a_request_that_makes_no_sense_fails_with_words(store, tmp_path):
    missing = run_import(store, "folder", tmp_path / "missing")
    assert missing.status == "failed"
    assert "Check the path" in missing.error
    assert "Received: kind='tape'" in run_import(store, "tape", tmp_path).error
    assert missing.dataset_id is None


def test_an_import_stops_when_asked_and_leaves_nothing(store, tmp_path):
    job_id = jobs.start_import(store, {"kind": "folder", "path": str(slow_folder(tmp_path / "slow")), "name": ""})
    wait_for(lambda: store.job(job_id).done > 0)
    store.ask_to_stop(job_id)
    assert ended(store, job_id).status == "stopped"
    assert store.datasets() == []
    assert list((store.workspace.root / "datasets").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_import_is_told_and_swept_by_the_next(store, tmp_path):
    slow = slow_folder(tmp_path / "slow")
    job_id = jobs.start_import(store, {"kind": "folder", "path": str(slow), "name": ""})
    wait_for(lambda: store.job(job_id).done > 0)
    jobs.reconcile(store)
    assert store.job(job_id).status == "running", "a living import is left alone"
    process = psutil.Process(store.job(job_id).pid)
    children = process.children()
    assert children
    process.send_signal(signal.SIGKILL)
    wait_for(lambda: jobs.reconcile(store) or store.job(job_id).status == "failed")
    assert "No half-made data set was kept" in store.job(job_id).error
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert store.datasets() == []
    (orphan,) = (store.workspace.root / "datasets").iterdir()
    assert run_import(store, "folder", write_classes(tmp_path / "photos", {"rose": 2})).status == "finished"
    assert not orphan.exists()
    assert len(list(slow.rglob("*.jpg"))) == 300
    shutil.rmtree(slow)


@pytest.mark.parametrize("path", ["/" + "x" * 5000, "~no-such-user/photos", "/tmp/a\0b"])
def test_what_is_no_path_at_all_is_refused_in_words(store, path):
    job = run_import(store, "folder", path)
    assert job.status == "failed"
    assert "Check the path" in job.error


def test_what_a_killed_import_of_the_sample_left_is_removed_by_the_next(store):
    orphan = store.workspace.staging("digits-job-000000000000")
    orphan.mkdir()
    assert ended(store, jobs.start_import(store, {"kind": "digits", "path": "", "name": ""})).status == "finished"
    assert not orphan.exists()
