import os
import signal
import subprocess
import sys
import time

import pytest

from tests.corpus import (
    ACCEPTED,
    SET_ASIDE,
    Case,
    jpeg,
    leftovers,
    write_classes,
    write_folder,
    zip_of,
)
from tlcore.datasets import ingest, sweep
from tlcore.errors import DatasetError
from tlcore.health import examine
from tlcore.reporter import Stopped
from tlcore.sources import Source
from tlcore.store import Store
from tlcore.workspace import open_workspace


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def source(kind, path):
    return Source(kind, path, str(path))


def test_copies_conflicts_twins_and_empty_classes_are_found(store, tmp_path):
    files = [
        Case("Cat/a.jpg", jpeg(1), ACCEPTED),
        Case("cat/b.jpg", jpeg(2), ACCEPTED),
        Case("cat/b again.jpg", jpeg(2), ACCEPTED),
        Case("dog/c.jpg", jpeg(1), ACCEPTED),
        Case("empty/page.jpg", b"<html>", SET_ASIDE),
    ]
    dataset = store.dataset(ingest(store, source("folder", write_folder(tmp_path / "pets", files)), "Pets"))
    assert ["Class 'empty' has no usable image" in note for note in dataset.notes] == [True]
    findings = {finding.kind: finding for finding in examine(store.images(dataset.id), 224)}
    assert findings["twins"].classes == ("Cat", "cat")
    assert [image.name for image in findings["conflict"].images] == ["Cat/a.jpg", "dog/c.jpg"]
    assert [image.name for image in findings["copies"].images] == ["cat/b again.jpg", "cat/b.jpg"]
    assert dataset.classes == {"Cat": 1, "cat": 2, "dog": 1}


def test_nothing_usable_is_refused_with_advice(store, tmp_path):
    folder = write_folder(tmp_path / "docs", [Case("a/b.txt", b"hello", SET_ASIDE), Case("c.jpg", jpeg(1), SET_ASIDE)])
    with pytest.raises(DatasetError, match=r"like flowers/rose/a.jpg.*0 usable images among 2 files.*text file"):
        ingest(store, source("folder", folder), "Docs")
    assert leftovers(store) == []
    assert store.datasets() == []


def test_a_refused_zip_leaves_nothing(store, tmp_path):
    path = tmp_path / "bomb.zip"
    path.write_bytes(zip_of({"rose/a.jpg": jpeg(1), "rose/b.bmp": b"\0" * 30_000_000}))
    with pytest.raises(DatasetError, match="zip bomb"):
        ingest(store, source("zip", path), "Bomb")
    assert leftovers(store) == []


def test_a_stop_leaves_nothing(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {"rose": 20, "tulip": 20})

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        ingest(store, source("folder", folder), "Photos", check_stop=stop)
    assert leftovers(store) == []


def test_progress_is_told_in_plain_words(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {"rose": 3, "tulip": 3})
    told = []
    ingest(store, source("folder", folder), "Photos", progress=lambda *report: told.append(report))
    assert told[0] == ("finding files", 0, 0)
    assert told[-2:] == [("checking images", 6, 6), ("looking for near-duplicates", 0, 0)]
    assert [done for stage, done, _ in told if stage == "checking images"] == [0, 1, 2, 3, 4, 5, 6, 6]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_sweep_removes_a_killed_import_and_spares_a_living_one(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {"rose": 2, "tulip": 2})
    finished = ingest(store, source("folder", folder), "Photos")
    code = f"""
import time
from pathlib import Path
from tlcore.datasets import _folders
from tlcore.workspace import open_workspace
with _folders(open_workspace({str(store.workspace.root)!r}), "data-living") as (folder, unpacked):
    unpacked.mkdir()
    print("ready", flush=True)
    time.sleep(60)
"""
    living = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert living.stdout.readline() == "ready\n"
        sweep(store)
        assert store.workspace.dataset("data-living").is_dir()
        assert store.workspace.staging("data-living").is_dir()
    finally:
        living.send_signal(signal.SIGKILL)
        living.wait()
        living.stdout.close()
    time.sleep(0.05)
    sweep(store)
    assert not store.workspace.dataset("data-living").exists()
    assert not store.workspace.staging("data-living").exists()
    assert store.workspace.dataset(finished).is_dir()
    assert leftovers(store) == []
