"""Thousands of files in one folder: taken in within bounded memory, and the core and the Data page still answer."""

import threading
import time
from contextlib import contextmanager

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.pages import ROOT
from tests.support.pictures.corpus import jpeg, leftovers
from thaw.datasets.health import examine
from thaw.jobs import starts
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.images.pixels import load_pixels

OTHERS = 10
IMPORTER_MB, DECODER_MB = 400, 250
PAGE_S, EXAMINED_S = 10, 30
LOOK_EVERY_S = 0.2
FILES_A_SECOND = 10


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    return Store(open_workspace())


def write_many(folder, count):
    """Write `count` small photos, no two alike, into one folder, and a few into another."""
    for label, first, last in (("rose", 0, count), ("tulip", count, count + OTHERS)):
        (folder / label).mkdir(parents=True)
        for number in range(first, last):
            (folder / label / f"{number}.jpg").write_bytes(jpeg(number, 32, 24))
    return folder


@contextmanager
def watching(pid):
    """Watch a process and its children while the body runs; yield the most MB that it, and any child, held at once."""
    most, over = {"importer": 0.0, "decoder": 0.0}, threading.Event()

    def look():
        while not over.wait(LOOK_EVERY_S):
            try:
                process = psutil.Process(pid)
                most["importer"] = max(most["importer"], process.memory_info().rss / 1e6)
                held = [child.memory_info().rss / 1e6 for child in process.children()]
                most["decoder"] = max([most["decoder"], *held])
            except psutil.NoSuchProcess:
                continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("count", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(3600)
def test_many_files_in_one_folder(count, store, tmp_path, campaign, wait_for):
    tally = campaign(f"files in one folder, of {count:,}")
    folder, started = write_many(tmp_path / "photos", count), time.monotonic()
    job_id = starts.start_import(store, {"kind": "folder", "path": str(folder), "name": "Many"})
    with watching(store.job(job_id).pid) as most:
        wait_for(lambda: not store.job(job_id).active, count / FILES_A_SECOND, "the end of the import")
    tally.facts["seconds"] = round(time.monotonic() - started, 1)
    tally.facts |= {f"{name}_MB": round(held) for name, held in most.items()}
    assert store.job(job_id).status == "finished", store.job(job_id).error
    dataset_id = store.job(job_id).dataset_id
    dataset, images = store.dataset(dataset_id), store.images(dataset_id)
    tally.n = count + OTHERS
    names = {image.name for image in images}
    expected = {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")}
    tally.lost = sorted(expected - names)
    assert (dataset.accepted, dataset.set_aside) == (count + OTHERS, 0)
    assert dataset.classes == {"rose": count, "tulip": OTHERS}
    assert leftovers(store) == []
    assert 0 < most["importer"] < IMPORTER_MB
    assert 0 < most["decoder"] < DECODER_MB
    for image in images[:: count // 20]:
        assert load_pixels(store.workspace.image(image.folder, image.id, image.suffix), 8).shape == (8, 8, 3)
    # What the pages are drawn from, and the first of them itself.
    # In time of a processor, since a machine that is busy with other things makes every page wait.
    started = time.process_time()
    assert examine(images, 224)
    tally.facts["examined_s"] = round(time.process_time() - started, 1)
    assert tally.facts["examined_s"] < EXAMINED_S
    page = AppTest.from_file(str(ROOT / "pages" / "data.py"), default_timeout=60)
    started = time.process_time()
    page.run()
    tally.facts["page_s"] = round(time.process_time() - started, 1)
    assert not page.exception
    assert f"{count + OTHERS:,}" in {metric.value for metric in page.metric}
    assert tally.facts["page_s"] < PAGE_S
