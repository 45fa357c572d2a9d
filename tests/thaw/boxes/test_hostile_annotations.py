"""Annotation files that are wrong in every way that is known cost what is wrong in them, and nothing else."""

import random
import tarfile
from collections import Counter

import pytest

from tests.support.boxes.annotations import WRITERS, sources
from tests.support.boxes.hostile import PHOTOS, list_evils, write, write_orchard_of_all
from tests.support.pictures.corpus import ACCEPTED, Case, digests, leftovers, write_upload, write_zip
from thaw.boxes.annotations import find_annotations
from thaw.datasets.boxes import draw
from thaw.datasets.ingest import ingest
from thaw.sources.sources import Source
from thaw.storage.boxes import read_boxes, write_boxes
from thaw.storage.questions import take_default
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

EVILS = list_evils()
MUTANTS = 60


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
    for boxes in outcome.boxes.values():
        assert read_boxes(write_boxes(boxes)) == boxes


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
        for boxes in drawn(folder, names).boxes.values():
            assert read_boxes(write_boxes(boxes)) == boxes


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
