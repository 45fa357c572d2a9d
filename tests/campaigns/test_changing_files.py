"""Files that change while they are read: each is set aside with its reason or read as it was listed, under its own
class, and the import goes on."""

import csv
import os
import random
import shutil
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from functools import partial

import pytest

from tests.support.pictures.corpus import in_words, jpeg, leftovers, write_classes
from thaw.datasets.ingest import ingest
from thaw.pictures.decode import normalise
from thaw.sources import tables
from thaw.sources.sources import Source
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError
from tlcore.images.pixels import content_of
from tlcore.progress import Stage

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")

CLASSES = {"rose": 12, "tulip": 12}
FILES = sum(CLASSES.values())
STRANGER = jpeg(77_777, 32, 24)


@pytest.fixture
def store(tmp_path):
    return Store(open_workspace(tmp_path / "workspace"))


def grow(path):
    with path.open("ab") as file:
        file.write(STRANGER)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def replace(path):
    other = path.with_name("other")
    other.write_bytes(STRANGER)
    other.replace(path)


def rewrite(path):
    path.write_bytes(STRANGER)


def become(make):
    def change(path):
        path.unlink()
        make(path)

    return change


def swap(rose):
    """Swap the two class folders, so that every listed path leads to a photo of the other class."""
    tulip, aside = rose.with_name("tulip"), rose.with_name("aside")
    rose.rename(aside)
    tulip.rename(rose)
    aside.rename(tulip)


# What happens to a file between the listing of its folder and its reading.
CHANGES = {
    "grows": grow,
    "is cut": cut,
    "is emptied": lambda path: os.truncate(path, 0),
    "is replaced": replace,
    "is written anew": rewrite,
    "is deleted": lambda path: path.unlink(),
    "becomes a link": become(lambda path: path.symlink_to(path.parent.with_name("tulip") / "2.jpg")),
    "becomes a pipe": become(os.mkfifo),
    "becomes a folder": become(lambda path: path.mkdir()),
}
FOLDER_CHANGES = {"is deleted": shutil.rmtree, "is swapped with another": swap}


def contents(folder):
    """Return what each photo of a folder shows, as it is now: by the hash that an import keeps, its class."""
    return {content_of(normalise(path).image): path.parent.name for path in folder.rglob("*.jpg")}


def at(stage, act, nth=0):
    """Return a progress that acts once, at the first report of a stage whose count is that far."""
    done = []

    def progress(name, count, total):
        if name == stage and count >= nth and not done:
            done.append(None)
            act()

    return progress


def require_true(store, dataset_id, shown, count):
    """Check that every file is accounted for, and that each that is accepted shows what its class had at first."""
    dataset, images = store.dataset(dataset_id), store.images(dataset_id)
    assert dataset.accepted + dataset.set_aside + dataset.ignored == count
    wrong = [image.name for image in images if shown.get(image.content) != image.label]
    assert wrong == [], "a wrong label"
    assert [row.reason for row in store.set_aside(dataset_id) if not in_words(row.reason)] == []
    assert leftovers(store) == []


def take_in(store, source, progress):
    """Import a source; return the data set's id, or None and why it was refused whole."""
    try:
        return ingest(store, source, "Photos", progress), ""
    except DatasetError as problem:
        return None, str(problem)


def write_table(folder):
    """List the photos of a folder in a table beside it; return its path."""
    table = folder / "table.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        rows.writerows([path.relative_to(folder), path.parent.name] for path in sorted(folder.rglob("*.jpg")))
    return table


@posix
@pytest.mark.parametrize("kind", ["folder", "csv"])
def test_a_file_that_changes_after_it_was_listed_costs_itself(kind, store, tmp_path, campaign):
    tally = campaign(f"files of a {kind} that change before they are read")
    folder = write_classes(tmp_path / "photos", CLASSES)
    shown, path = contents(folder), write_table(folder) if kind == "csv" else folder
    changed = {f"rose/{number}.jpg": change for number, change in enumerate(CHANGES.values())}

    def act():
        for name, change in changed.items():
            change(folder / name)

    dataset_id = ingest(store, Source(kind, path, "here"), "Photos", at(Stage.CHECKING_IMAGES, act))
    require_true(store, dataset_id, shown, FILES)
    accepted = {image.name for image in store.images(dataset_id)}
    reasons = {row.name: row.reason for row in store.set_aside(dataset_id)}
    for name, what in zip(changed, CHANGES, strict=True):
        with tally.trial(what):
            assert name not in accepted
            assert reasons[name]
    assert len(accepted) == FILES - len(CHANGES)


@posix
@pytest.mark.parametrize("change", FOLDER_CHANGES)
def test_a_folder_that_changes_after_it_was_listed_makes_no_wrong_label(change, store, tmp_path, campaign):
    tally = campaign(f"a folder that {change} before it is read")
    folder = write_classes(tmp_path / "photos", CLASSES)
    shown = contents(folder)
    progress = at(Stage.CHECKING_IMAGES, lambda: FOLDER_CHANGES[change](folder / "rose"))
    with tally.trial(change):
        dataset_id, refusal = take_in(store, Source("folder", folder, "here"), progress)
        if refusal:
            assert f"{FILES} set aside: it changed" in refusal
        else:
            require_true(store, dataset_id, shown, FILES)
            assert store.dataset(dataset_id).classes == {"tulip": CLASSES["tulip"]}


@posix
@pytest.mark.parametrize("imports", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_files_that_change_all_the_time_make_no_wrong_label(imports, store, tmp_path, campaign):
    tally, changes = campaign("imports of a folder that changes all the time"), 0
    for number in range(imports):
        with tally.trial(f"import {number}"):
            folder = write_classes(tmp_path / str(number), {"rose": 60, "tulip": 60}, 1000 * number)
            shown = contents(folder)
            with changing(folder, random.Random(number)) as (listed, struck):
                dataset_id = ingest(
                    store, Source("folder", folder, "here"), "Photos", at(Stage.CHECKING_IMAGES, listed.set)
                )
            changes += len(struck)
            require_true(store, dataset_id, shown, 120)
    tally.facts["changed"] = changes
    assert changes > 10 * imports


@contextmanager
def changing(folder, chance):
    """Change one file after another from an event on until the body ends; yield it and the names of those that were."""
    listed, over, struck = threading.Event(), threading.Event(), []
    paths = sorted(folder.rglob("*.jpg"))
    chance.shuffle(paths)
    # Some of them are never touched.
    waiting = paths[20:]

    def work():
        listed.wait()
        while waiting and not over.wait(0.002):
            path = waiting.pop()
            chance.choice([grow, cut, replace, rewrite, CHANGES["is deleted"]])(path)
            struck.append(path.name)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield listed, struck
    finally:
        over.set()
        listed.set()
        thread.join()


def pack_zip(folder, path):
    with zipfile.ZipFile(path, "w") as packed:
        for photo in sorted(folder.rglob("*.jpg")):
            packed.write(photo, photo.relative_to(folder))
    return path


def pack_tar(folder, path):
    with tarfile.open(path, "w") as packed:
        for photo in sorted(folder.rglob("*.jpg")):
            packed.add(photo, photo.relative_to(folder))
    return path


def in_place(other):
    """Return a change that writes other bytes into a file that is open elsewhere."""

    def change(path):
        with path.open("rb+") as file:
            file.write(other.read_bytes())
            file.truncate()

    return change


@posix
@pytest.mark.parametrize(("kind", "pack"), [("zip", pack_zip), ("tar", pack_tar)])
def test_an_archive_that_changes_is_refused_or_read_as_it_was(kind, pack, store, tmp_path, campaign):
    tally = campaign(f"a {kind} that changes while it is unpacked")
    folder = write_classes(tmp_path / "photos", CLASSES)
    shown = contents(folder)
    swap(folder / "rose")
    other = pack(folder, tmp_path / f"other.{kind}")
    swap(folder / "rose")
    stage = {"zip": Stage.UNPACKING_ZIP, "tar": Stage.UNPACKING_TAR}[kind]
    for what, change in {**CHANGES, "is written over": in_place(other)}.items():
        for nth in (1, 3):
            archive = pack(folder, tmp_path / f"photos.{kind}")
            with tally.trial(f"{what} after {nth}"):
                progress = at(stage, lambda change=change, path=archive: change(path), nth)
                dataset_id, refusal = take_in(store, Source(kind, archive, "here"), progress)
                if refusal:
                    assert in_words(refusal.replace(repr(str(archive)), ""))
                    assert leftovers(store) == []
                else:
                    require_true(store, dataset_id, shown, FILES)
            remove(archive)


def remove(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


@posix
def test_a_table_that_is_being_written_makes_no_wrong_label(store, tmp_path, campaign, monkeypatch):
    tally = campaign("a table that changes while it is read")
    folder = write_classes(tmp_path / "photos", CLASSES)
    table = write_table(folder)
    whole = table.read_bytes()
    for what, change in {
        "grows": grow_table,
        "is cut within a label": partial(os.truncate, length=len(whole) - 4),
    }.items():
        table.write_bytes(whole)
        with tally.trial(what), monkeypatch.context() as patch:
            rows = tables._rows

            def read_slowly(*arguments, change=change, rows=rows):
                change(table)
                return rows(*arguments)

            patch.setattr(tables, "_rows", read_slowly)
            with pytest.raises(DatasetError, match="changed while they were read"):
                ingest(store, Source("csv", table, "here"), "Photos")
    assert store.datasets() == []


def grow_table(path):
    with path.open("a") as file:
        file.write("rose/0.jpg,tul")
