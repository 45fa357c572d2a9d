import dataclasses
import hashlib
import io
import os
import shutil
import signal
import tarfile

import psutil
import pytest

from tests.support.command_line import ask
from tests.support.pictures.corpus import ACCEPTED, Case, jpeg, write_classes, write_folder, write_upload, zip_of
from tests.support.server import Server
from thaw.datasets import importer
from thaw.detection.boxed_split import choose_boxed
from thaw.jobs import lifecycle, starts
from thaw.sources.samples import FLOWERS
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.progress import Stage
from tlcore.settings import detection_settings

pytestmark = pytest.mark.usefixtures("warm_decoder")


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def ended(store, job_id, wait_for):
    wait_for(lambda: not store.job(job_id).active)
    return store.job(job_id)


def run_import(store, kind, path, name="", **request):
    """Import in this process; return the job."""
    job_id = store.add_job("import", {"kind": kind, "path": str(path), "name": name, **request})
    work(store, job_id)
    return store.job(job_id)


def slow_folder(folder):
    """Make a folder whose import takes some seconds: large photos, many times."""
    content = jpeg(1, 2400, 1800)
    return write_folder(folder, [Case(f"{label}/{n}.jpg", content, ACCEPTED) for label in "ab" for n in range(150)])


def test_a_folder_is_imported_in_a_process_of_its_own(store, tmp_path, wait_for):
    photos = write_classes(tmp_path / "photos", {"rose": 3, "tulip": 2})
    job = ended(store, starts.start_import(store, {"kind": "folder", "path": str(photos), "name": ""}), wait_for)
    assert (job.status, job.error) == ("finished", None)
    dataset = store.dataset(job.dataset_id)
    assert dataset.classes == {"rose": 3, "tulip": 2}
    assert dataset.name == "photos"
    assert dataset.source == str(tmp_path / "photos")


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


def test_the_digits_are_imported_and_what_a_killed_import_of_them_left_is_removed(store):
    orphan = store.workspace.staging("sample-job-000000000000")
    orphan.mkdir()
    job = run_import(store, "digits", "")
    dataset = store.dataset(job.dataset_id)
    assert dataset.accepted == 1797
    assert dataset.name == "Handwritten digits"
    assert "scikit-learn" in dataset.source
    assert not list((store.workspace.root / "staging").iterdir())


def test_the_objects_are_imported_with_boxes_in_two_parts_that_stay_apart(store):
    job = run_import(store, "objects", "")
    assert (job.status, job.error) == ("finished", None)
    dataset = store.dataset(job.dataset_id)
    assert (dataset.name, dataset.accepted, dataset.set_aside) == ("Blossoms and towers", 60, 0)
    assert "CC BY 2.0" in dataset.source
    assert set(store.count_boxes(dataset.id)) == {"blossom", "tower"}
    assert store.rejected_boxes(dataset.id) == []
    parts, _ = choose_boxed(store, dataset.id, detection_settings("efficientnet-lite0").detector)
    assert (len(parts.training), len(parts.validation)) == (48, 12)
    assert {image.part for image in parts.validation} == {"validation"}
    assert not list((store.workspace.root / "staging").iterdir())


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


def test_an_import_stops_when_asked_and_leaves_nothing(store, tmp_path, wait_for):
    job_id = starts.start_import(store, {"kind": "folder", "path": str(slow_folder(tmp_path / "slow")), "name": ""})
    wait_for(lambda: store.job(job_id).done > 0)
    store.ask_to_stop(job_id)
    assert ended(store, job_id, wait_for).status == "stopped"
    assert store.datasets() == []
    assert list((store.workspace.root / "datasets").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_import_is_told_and_swept_by_the_next(store, tmp_path, wait_for):
    slow = slow_folder(tmp_path / "slow")
    job_id = starts.start_import(store, {"kind": "folder", "path": str(slow), "name": ""})
    wait_for(lambda: store.job(job_id).done > 0)
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "running", "a living import is left alone"
    process = psutil.Process(store.job(job_id).pid)
    children = process.children()
    assert children
    process.send_signal(signal.SIGKILL)
    wait_for(lambda: lifecycle.reconcile(store) or store.job(job_id).status == "failed")
    assert "No half-made data set was kept" in store.job(job_id).error
    psutil.wait_procs(children, timeout=60)
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


def tgz_of(photos):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(photos, "flower_photos")
    return packed.getvalue()


@pytest.mark.parametrize("kind", ["tar", "folder"])
def test_a_tar_is_imported_under_its_bare_name(store, tmp_path, kind):
    path = tmp_path / "garden.tar.gz"
    path.write_bytes(tgz_of(write_classes(tmp_path / "photos", {"rose": 2, "tulip": 1})))
    dataset = store.dataset(run_import(store, kind, path).dataset_id)
    assert (dataset.classes, dataset.name, dataset.source) == ({"rose": 2, "tulip": 1}, "garden", str(path))
    assert list((store.workspace.root / "staging").iterdir()) == []


def test_a_csv_is_imported_with_its_labels(store, tmp_path):
    photos = write_classes(tmp_path / "photos", {"x": 3})
    rows = "x/0.jpg;rose\nx/1.jpg;tulip\nx/2.jpg;rose\nx/9.jpg;rose\n"
    (photos / "labels.csv").write_text(f"path;label\n{rows}")
    for kind, path in (("csv", photos / "labels.csv"), ("folder", photos)):
        dataset = store.dataset(run_import(store, kind, path).dataset_id)
        assert dataset.classes == {"rose": 2, "tulip": 1}
        assert [row.name for row in store.set_aside(dataset.id)] == ["x/9.jpg"]


def test_photos_are_added_to_a_data_set(store, tmp_path):
    first = run_import(store, "folder", write_classes(tmp_path / "a", {"rose": 2, "tulip": 2})).dataset_id
    more = write_classes(tmp_path / "b", {"rose": 1}, seed=5000)
    job = run_import(store, "folder", more, dataset=first)
    assert (job.error, job.dataset_id) == (None, first)
    assert store.dataset(first).classes == {"rose": 3, "tulip": 2}
    wrong = run_import(store, "folder", more, dataset=first, role="spare")
    assert "Received: role='spare'" in wrong.error


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_roots_hold_in_the_process_that_reads(store, tmp_path):
    mine, theirs = (write_classes(tmp_path / name, {"rose": 1, "tulip": 1}) for name in ("mine", "theirs"))
    (mine / "out").symlink_to(theirs)
    assert run_import(store, "folder", mine, roots=[str(mine)]).status == "finished"
    for path in (theirs, mine / "out", mine / ".." / "theirs"):
        job = run_import(store, "folder", path, roots=[str(mine)])
        assert "--root DIR" in job.error
    (mine / "labels.csv").write_text(f"path,label\nrose/0.jpg,a\n{theirs}/rose/0.jpg,b\n")
    job = run_import(store, "csv", mine / "labels.csv", roots=[str(mine)])
    assert store.dataset(job.dataset_id).classes == {"a": 1}
    assert "outside the folders" in store.set_aside(job.dataset_id)[0].reason


@pytest.fixture
def flowers(monkeypatch, tmp_path):
    """A server of a small set of flowers, and the record that says what it should send."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    photos = write_classes(tmp_path / "small", {"roses": 2, "tulips": 2})
    (photos / "LICENSE.txt").write_bytes(os.urandom(1_000_000))
    content = tgz_of(photos)
    with Server(content) as server:
        published = {"url": server.url, "bytes": len(content), "hash": hashlib.sha256(content).hexdigest()}
        small = dataclasses.replace(FLOWERS, download=dataclasses.replace(FLOWERS.download, **published))
        monkeypatch.setattr(importer, "FLOWERS", small)
        yield server


def import_flowers(store, watch=lambda *_: None):
    job_id = store.add_job("import", {"kind": "flowers", "path": "", "name": ""})
    work(store, job_id, lambda *told: watch(job_id, *told))
    return store.job(job_id)


def kept(store):
    return {path.name for path in (store.workspace.root / "downloads").iterdir() if path.suffix != ".lock"}


def test_the_flowers_are_downloaded_once_and_imported(store, flowers):
    told = []
    job = import_flowers(store, lambda _, *progress: told.append(progress))
    dataset = store.dataset(job.dataset_id)
    assert (dataset.name, dataset.classes) == ("Flower photos", {"roses": 2, "tulips": 2})
    assert "CC BY 2.0" in dataset.source
    size = len(flowers.content)
    assert {(Stage.DOWNLOADING_FLOWERS, done, size) for done in (0, size)} <= set(told)
    assert (Stage.CHECKING_IMAGES, 5, 5) in told
    assert import_flowers(store).status == "finished"
    assert len(flowers.requests) == 1
    assert kept(store) == {"flower_photos.tgz"}


def test_a_cut_download_of_the_flowers_goes_on_at_the_next_try(store, flowers):
    flowers.cut_after = len(flowers.content) // 2
    failed = import_flowers(store)
    assert (failed.status, store.datasets()) == ("failed", [])
    assert "use the sample digits" in failed.error
    flowers.cut_after = None
    assert import_flowers(store).status == "finished"
    assert flowers.requests == [None, f"bytes={len(flowers.content) // 2}-"]


def test_flowers_with_a_wrong_checksum_are_not_kept(store, flowers):
    flowers.content = flowers.content[:-1] + b"x"
    failed = import_flowers(store)
    assert "discarded" in failed.error
    assert (kept(store), store.datasets()) == (set(), [])


def test_a_stopped_download_of_the_flowers_keeps_what_came(store, flowers):
    def stop(job_id, stage, done, total):
        if stage == Stage.DOWNLOADING_FLOWERS:
            store.ask_to_stop(job_id)

    assert import_flowers(store, stop).status == "stopped"
    assert (kept(store), store.datasets()) == ({"flower_photos.tgz.part"}, [])
    assert import_flowers(store).status == "finished"
    assert flowers.requests[1].startswith("bytes=")


def test_the_command_line_tells_archives_tables_and_samples_apart(store, tmp_path, flowers, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.tgz").write_bytes(flowers.content)
    assert ask(store, "import", "small.tgz")["name"] == "small"
    (tmp_path / "labels.csv").write_text(f"path,label\nsmall/roses/0.jpg,a\n{tmp_path}/small/tulips/0.jpg,b\n")
    assert ask(store, "import", "labels.csv")["classes"] == {"a": 1, "b": 1}
    assert ask(store, "import", "flowers", "--name", "Mine")["name"] == "Mine"
    write_classes(tmp_path / "flowers", {"x": 1})
    assert ask(store, "import", "flowers")["classes"] == {"x": 1}, "a folder of that name goes before the sample"
