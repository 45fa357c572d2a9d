import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

from tests import corpus
from tests.corpus import (
    ACCEPTED,
    IGNORED,
    SET_ASIDE,
    Case,
    jpeg,
    write_classes,
    write_folder,
    write_upload,
    write_zip,
    zip_of,
)
from tlcore.datasets import ingest, sweep
from tlcore.errors import DatasetError
from tlcore.images import load_pixels
from tlcore.reporter import Stopped
from tlcore.sources import Source
from tlcore.store import Store
from tlcore.workspace import open_workspace


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


@pytest.fixture(scope="module")
def cases():
    return corpus.cases()


def source(kind, path):
    return Source(kind, path, str(path))


def tree(folder):
    """Hash every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def leftovers(store):
    root = store.workspace.root
    kept = {dataset.id for dataset in store.datasets()}
    return [path for path in (root / "datasets").iterdir() if path.name not in kept] + list(
        (root / "staging").iterdir()
    )


@pytest.mark.parametrize("kind", ["folder", "zip", "staged"])
def test_every_file_is_accounted_for_whichever_way_it_comes(kind, cases, store, tmp_path):
    write = {"folder": write_folder, "zip": write_zip, "staged": write_upload}[kind]
    path = write(tmp_path / "source", cases)
    before = None if kind == "zip" else tree(path)
    dataset_id = ingest(store, source(kind, path), "Corpus")
    dataset, images = store.dataset(dataset_id), store.images(dataset_id)
    assert dataset.accepted + dataset.set_aside + dataset.ignored == len(cases)
    assert {image.name for image in images} == {case.name for case in cases if case.verdict == ACCEPTED}
    assert dataset.ignored == sum(case.verdict == IGNORED for case in cases)
    said = {row.name: row.reason for row in store.set_aside(dataset_id)}
    assert said.keys() == {case.name for case in cases if case.verdict == SET_ASIDE}
    for case in cases:
        if case.verdict == SET_ASIDE:
            assert case.says in said[case.name], case.name
    for image in images:
        assert load_pixels(store.workspace.image(dataset_id, image.id, image.suffix), 32).shape == (32, 32, 3)
        assert store.workspace.thumbnail(dataset_id, image.id).is_file()
    assert leftovers(store) == []
    if before is not None:
        assert tree(path) == before, "the originals are never changed"


def test_notes_tell_of_copies_conflicts_twins_and_empty_classes(store, tmp_path):
    files = [
        Case("Cat/a.jpg", jpeg(1), ACCEPTED),
        Case("cat/b.jpg", jpeg(2), ACCEPTED),
        Case("cat/b again.jpg", jpeg(2), ACCEPTED),
        Case("dog/c.jpg", jpeg(1), ACCEPTED),
        Case("empty/page.jpg", b"<html>", SET_ASIDE),
    ]
    dataset = store.dataset(ingest(store, source("folder", write_folder(tmp_path / "pets", files)), "Pets"))
    notes = "\n".join(dataset.notes)
    assert "'Cat' and 'cat'" in notes
    assert "several classes: 'Cat/a.jpg', 'dog/c.jpg'" in notes
    assert "2 images are exact copies" in notes
    assert "Class 'empty' has no usable image" in notes
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
    assert told[-1] == ("checking images", 6, 6)
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
