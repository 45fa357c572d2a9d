"""Annotation files that are wrong in every way that is known cost what is wrong in them, and nothing else."""

import random
import shutil
import tarfile
import time
import tracemalloc
from collections import Counter

import pytest

from tests.support.boxes.annotations import ORCHARD, WRITERS, sources, write_photos
from tests.support.boxes.hostile import PHOTOS, list_evils, write, write_orchard_of_all
from tests.support.boxes.mutants import MAKERS, list_bombs, mutate
from tests.support.pictures.corpus import ACCEPTED, Case, digests, leftovers, write_upload, write_zip
from thaw.boxes.annotations import find_annotations
from thaw.datasets.boxes import draw
from thaw.datasets.ingest import ingest
from thaw.names import check_class_name
from thaw.sources.sources import Source
from thaw.storage.boxes import read_boxes, write_boxes
from thaw.storage.questions import take_default
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

EVILS = list_evils()
MUTANTS, MOST_REJECTED = 60, 20_000
SPARE_BYTES = 200_000_000


def require_sound(outcome):
    """Check that what came of a folder can be kept: boxes that lie on their photos, and texts that a database takes."""
    for boxes in outcome.boxes.values():
        assert read_boxes(write_boxes(boxes)) == boxes
        assert all(check_class_name(box.label) == box.label for box in boxes)
    for text in (*outcome.notes, *(part for each in outcome.rejected for part in (each.file, each.photo, each.label))):
        text.encode()


def drawn(folder, names=PHOTOS):
    """Draw what the files of a folder say on its photos, as an import does."""
    found = find_annotations(sources(folder), take_default)
    images = {tuple(name.split("/")): Image(f"img-{name}", "", name, "0" * 64, 96, 72) for name in names}
    return draw(found, images, {}, (), take_default)


@pytest.mark.parametrize("evil", EVILS, ids=[evil.name for evil in EVILS])
def test_what_is_wrong_costs_itself(tmp_path, evil):
    outcome = drawn(write(tmp_path / "set", evil))
    assert sum(map(len, outcome.boxes.values())) == evil.boxes
    assert Counter(each.reason for each in outcome.rejected) == evil.reasons
    require_sound(outcome)


@pytest.mark.parametrize("form", WRITERS)
def test_files_changed_at_random_are_read_or_refused(tmp_path, form):
    folder = WRITERS[form](tmp_path / "set")
    files = [file for file in sources(folder) if not file.name[-1].endswith(".jpg")]
    names = ["/".join(file.name) for file in sources(folder) if file.name[-1].endswith(".jpg")]
    whole = {file.path: file.path.read_bytes() for file in files}
    chance = random.Random(form)
    for _ in range(MUTANTS):
        for path, content in whole.items():
            spoilt = bytearray(content)
            for _ in range(chance.randint(1, 4)):
                place = chance.randrange(len(spoilt)) if spoilt else 0
                spoilt[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
            path.write_bytes(spoilt[: chance.randrange(len(spoilt) + 1)] if chance.random() < 0.2 else spoilt)
        require_sound(drawn(folder, names))


@pytest.mark.parametrize("count", [MUTANTS, pytest.param(5000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("form", MAKERS)
def test_files_changed_in_their_structure_are_read_or_refused(tmp_path, form, count, campaign):
    folder = write_photos(tmp_path / "set", [*ORCHARD])
    chance, tally, boxes, slowest = random.Random(form), campaign(f"spoilt annotations, {form}"), 0, 0.0
    for number in range(count):
        files = mutate(form, chance)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        with tally.trial(f"mutant {number}"):
            started = time.process_time()
            outcome = drawn(folder, [*ORCHARD])
            slowest = max(slowest, time.process_time() - started)
            require_sound(outcome)
            boxes += sum(map(len, outcome.boxes.values()))
        for name in files:
            (folder / name).unlink()
    tally.facts["boxes"] = boxes
    assert slowest < 2
    assert 0 < boxes < 3 * count, "some are whole still, and some are not"


@pytest.mark.usefixtures("warm_decoder")
def test_photos_come_in_whatever_lies_beside_them(tmp_path):
    store, folder = Store(open_workspace(tmp_path / "workspace")), tmp_path / "orchard"
    write_photos(folder, [*ORCHARD])
    chance, files = random.Random(1), 0
    for form in MAKERS:
        for number in range(12):
            for name, content in mutate(form, chance).items():
                path = folder / f"{form}-{number}" / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
                files += 1
    dataset = store.dataset(ingest(store, Source("folder", folder, "here"), "Orchard"))
    assert dataset.accepted == len(ORCHARD)
    assert dataset.set_aside + dataset.ignored == files
    assert sum(store.count_boxes(dataset.id).values()) >= 3
    assert store.rejected_boxes(dataset.id)
    assert leftovers(store) == []


@pytest.mark.parametrize("name", list_bombs())
def test_what_wants_much_memory_gets_little(tmp_path, name):
    folder = write_photos(tmp_path / "set", PHOTOS)
    files = list_bombs()[name]()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    largest = max(map(len, files.values()))
    files.clear()
    tracemalloc.start()
    try:
        started = time.process_time()
        outcome = drawn(folder)
        seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        shutil.rmtree(folder)
    require_sound(outcome)
    assert len(outcome.rejected) <= MOST_REJECTED
    assert peak < 4 * largest + SPARE_BYTES
    assert seconds < 30


@pytest.mark.usefixtures("warm_decoder")
@pytest.mark.parametrize("way", ["folder", "zip", "tar", "staged"])
def test_every_way_in_tells_the_same(tmp_path, way):
    store = Store(open_workspace(tmp_path / "workspace"))
    folder, boxes, reasons = write_orchard_of_all(tmp_path / "orchard")
    before = digests(folder)
    cases = [Case(file.shown, file.path.read_bytes(), ACCEPTED) for file in sources(folder)]
    path = tmp_path / f"orchard.{way}"
    if way == "tar":
        with tarfile.open(path, "w") as archive:
            archive.add(folder, "orchard")
    made = {"folder": lambda: folder, "zip": lambda: write_zip(path, cases), "tar": lambda: path}
    source = made.get(way, lambda: write_upload(path, cases))()
    dataset_id = ingest(store, Source(way, source, "here"), "Orchard")
    assert sum(store.count_boxes(dataset_id).values()) == boxes
    assert Counter(each.reason for each in store.rejected_boxes(dataset_id)) == reasons
    dataset = store.dataset(dataset_id)
    assert (dataset.accepted, dataset.set_aside, dataset.ignored, dataset.found) == (3, 1, 1, 5)
    assert digests(folder) == before
    assert leftovers(store) == []
