"""Every fault of the database or its disk, made for real, ends in one plain sentence with a way out."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from thaw.__main__ import main
from thaw.errors import WorkspaceError
from thaw.jobs import reporter
from thaw.jobs.reporter import reporting
from thaw.storage.database import SCHEMA_VERSION
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

ROOT = Path(__file__).parents[3]
NOBODY = 65534


@pytest.fixture
def store(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"), timeout_s=0.2)
    store.add_dataset("data-1", "Photos", "here", Arrival(pictures(3)))
    return store


def pictures(count, start=0):
    return [
        Image(f"img-{number}", "rose", f"rose/{number}.jpg", f"{number:064x}", 30, 20, suffix=".jpg", folder="data-1")
        for number in range(start, start + count)
    ]


def refused(act):
    """Return what an act is refused with, which must be for people."""
    with pytest.raises(WorkspaceError) as raised:
        act()
    text = str(raised.value)
    assert "Error" not in text
    assert "sqlite3." not in text
    assert text.endswith(".")
    return text


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place):
    """Use up the disk to the last byte."""
    with (place / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.parametrize("left_kb", [0, 8, 60])
def test_a_full_disk_is_told_and_nothing_is_lost(small_disk, left_kb):
    store = Store(open_workspace(small_disk / "workspace"), timeout_s=0.2)
    store.add_dataset("data-1", "Photos", "here", Arrival(pictures(3)))
    run_id = store.add_run("data-1", "resnet50", "{}")
    journal = store.workspace.journal("data-1").read_bytes()
    fill(small_disk)
    os.truncate(small_disk / "filler", (small_disk / "filler").stat().st_size - left_kb * 1024)
    told = refused(lambda: store.add_to_dataset("data-1", "more", Arrival(pictures(3000, 10))))
    assert "The disk is full" in told
    assert "Free some space" in told
    if left_kb == 0:
        assert "disk is full" in refused(lambda: store.add_facts(run_id, {"x": "y" * 5000}))
        assert "disk is full" in refused(lambda: store.add_job("import", {"path": "x" * 5000}))
    assert store.workspace.journal("data-1").read_bytes() == journal
    (small_disk / "filler").unlink()
    assert store.dataset("data-1").accepted == 3
    store.add_to_dataset("data-1", "more", Arrival(pictures(30, 10)))
    assert store.dataset("data-1").accepted == 33
    assert not store.survey().unknown


def test_a_job_that_ends_on_a_full_disk_says_so_once_there_is_room_for_the_word(small_disk, monkeypatch):
    monkeypatch.setattr(reporter, "PAUSES_S", (0.3,) * 20)
    store = Store(open_workspace(small_disk / "workspace"), timeout_s=0.2)
    job_id = store.add_job("import", {})
    with reporting(store, job_id):
        fill(small_disk)
        threading.Timer(1.0, (small_disk / "filler").unlink).start()
        store.add_dataset("data-1", "Photos", "here", Arrival(pictures(3000)))
    job = store.job(job_id)
    assert job.status == "failed"
    assert "The disk is full" in job.error
    assert store.datasets() == []


def test_a_file_that_may_not_grow_is_told(store, tmp_path):
    code = f"""
import resource, signal
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.errors import WorkspaceError
store = Store(open_workspace({str(store.workspace.root)!r}), 0.2)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    store.add_job("import", {{"path": "x" * 100_000}})
except WorkspaceError as problem:
    print(problem)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert any(words in done.stdout for words in ("disk is full", "could not", "Expected a disk"))


def test_a_lock_that_is_held_is_told_after_the_time_that_is_waited(store):
    with contextlib.closing(sqlite3.connect(store.workspace.database)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        told = refused(lambda: store.add_job("import", {}))
        assert 0.1 < time.monotonic() - started < 5
        assert store.dataset("data-1").accepted == 3, "what is only read is read"
        holder.execute("ROLLBACK")
    assert "another program has held for 0.2 seconds" in told
    assert "Close what has it open" in told
    store.add_job("import", {})


def test_a_lock_shorter_than_that_goes_unnoticed(store):
    patient = Store(store.workspace)
    holder = sqlite3.connect(store.workspace.database, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    threading.Timer(1.0, holder.close).start()
    assert patient.add_job("import", {})


def test_a_job_that_cannot_tell_its_end_tries_again(store, monkeypatch):
    monkeypatch.setattr(reporter, "PAUSES_S", (0.3,) * 10)
    job_id = store.add_job("import", {})
    with reporting(store, job_id):
        holder = sqlite3.connect(store.workspace.database, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        threading.Timer(1.0, holder.close).start()
    assert store.job(job_id).status == "finished"


def test_a_database_of_a_newer_thaw_is_left_alone(store):
    with contextlib.closing(sqlite3.connect(store.workspace.database)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 3}")
    told = refused(lambda: Store(store.workspace))
    assert f"version {SCHEMA_VERSION + 3}" in told
    assert "Update this one" in told
    assert main(["rebuild", "--workspace", str(store.workspace.root)]) == 1
    assert not store.workspace.quarantine.exists()


def test_a_workspace_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        told = refused(lambda path=path: open_workspace(path))
        assert f"'{tmp_path / 'file'}', which is a file" in told
        assert main(["datasets", "--workspace", str(path)]) == 1
        assert "Traceback" not in capsys.readouterr().err
        assert "--workspace" in told
    assert (tmp_path / "file").read_text() == "mine"


def test_a_drive_that_is_not_connected_is_not_made_up():
    told = refused(lambda: open_workspace("/media/no-such-drive/thaw"))
    assert "Connect the drive" in told
    assert not Path("/media/no-such-drive").exists()


def test_a_workspace_that_goes_while_it_is_used_is_not_made_anew(store):
    root = store.workspace.root
    shutil.move(root, root.with_name("elsewhere"))
    for attempt in (lambda: open_workspace(root), store.datasets, lambda: store.add_job("import", {})):
        assert "no such folder" in refused(attempt)
    assert not root.exists()


def as_nobody(root):
    """Open and write a workspace as a user without rights (root may write everywhere); return what came of it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become a user without rights")
    answers, said = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            store = Store(open_workspace(root), 0.2)
            store.datasets()
            store.add_job("import", {})
            words = "written"
        except WorkspaceError as problem:
            words = f"refused: {problem}"
        except BaseException as problem:  # noqa: BLE001 - the test is to hear of it
            words = repr(problem)
        os.write(said, words.encode())
        os._exit(0)
    os.close(said)
    os.waitpid(child, 0)
    with os.fdopen(answers, "rb") as file:
        return file.read().decode()


@pytest.fixture
def public():
    """A workspace whose path a user without rights may reach."""
    root = Path(
        subprocess.run(["mktemp", "-d", "/tmp/thaw-faults-XXXXXX"], capture_output=True, text=True).stdout.strip()
    )
    root.chmod(0o755)
    store = Store(open_workspace(root / "workspace"))
    store.add_dataset("data-1", "Photos", "here", Arrival(pictures(3)))
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield root / "workspace"
    shutil.rmtree(root)


def test_a_folder_without_the_right_to_write(public):
    said = as_nobody(public)
    assert "refused: Expected a workspace that can be written" in said
    assert "Give yourself the right" in said


def test_a_read_only_file_in_a_folder_that_can_be_written(public):
    for path in [public, *public.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    (public / "thaw.sqlite3").chmod(0o444)
    said = as_nobody(public)
    assert "refused: Expected a workspace that can be written" in said


def test_a_folder_that_may_not_even_be_read(public):
    public.chmod(0o000)
    said = as_nobody(public)
    assert "refused: Expected a workspace that can be written" in said


def test_a_disk_that_fails_is_told(store, monkeypatch):
    """A failing drive cannot be made here: the error itself is SQLite's own, raised where it would be."""
    problem = sqlite3.OperationalError("disk I/O error")
    problem.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ

    def fail():
        with store._transaction():
            raise problem

    told = refused(fail)
    assert "disk I/O error" in told
    assert "Check that the drive is connected" in told
