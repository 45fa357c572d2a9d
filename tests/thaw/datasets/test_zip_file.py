"""A data set taken away: labels as they are, one place a picture, the size as told, and back again unchanged."""

import csv
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.keepings import add_dataset, add_run
from tests.support.pictures.corpus import jpeg
from thaw.datasets import edits
from thaw.datasets.division import SplitChoice, read_division
from thaw.datasets.zip_file import list_labels, plan_zip, save_dataset, stream_dataset
from thaw.projects.save import is_project
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.errors import DatasetError, RunError, SettingsError

pytestmark = pytest.mark.usefixtures("warm_decoder")

ROOT = Path(__file__).parents[3]
PLAIN = SplitChoice()
CLASSES = {"cat": 6, "Cat": 2, "=cmd()": 3, "con": 3, "a.": 2}


def import_path(store: Store, path: Path, dataset_id: str | None = None, role: str = "main") -> str:
    request = {"kind": "zip" if path.suffix == ".zip" else "folder", "path": str(path), "name": "", "role": role}
    job_id = store.add_job("import", request | ({"dataset": dataset_id} if dataset_id else {}))
    work(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error
    return store.job(job_id).dataset_id


def write_photos(folder: Path, classes: dict[str, int], seed: int = 0) -> Path:
    for label, count in classes.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            seed += 1
            (folder / label / f"{number}.jpg").write_bytes(jpeg(seed, 300, 200))
    return folder


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> tuple[Store, str]:
    """A data set of hostile class names, one picture moved, one excluded, and three held out."""
    folder = tmp_path_factory.mktemp("cleaned")
    store = Store(open_workspace(folder / "workspace"))
    dataset_id = import_path(store, write_photos(folder / "photos", CLASSES))
    import_path(store, write_photos(folder / "held", {"cat": 2, "con": 1}, 500), dataset_id, "holdout")
    images = store.images(dataset_id, "cat")
    edits.move_images(store, dataset_id, [images[0].id], "=cmd()")
    edits.exclude_images(store, dataset_id, [images[1].id])
    return store, dataset_id


def pack(store: Store, dataset_id: str, division: SplitChoice = PLAIN, with_excluded: bool = False):
    planned = plan_zip(store, dataset_id, division, with_excluded)
    return planned, b"".join(stream_dataset(planned))


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def standing(store: Store, dataset_id: str) -> set[tuple[str, str]]:
    """Return the class that each photo has by its copy's content, which an import of the copy keeps."""
    return {(image.content, image.label) for image in store.every_image(dataset_id) if not image.excluded}


def test_the_zip_holds_each_picture_in_the_folder_of_its_class_as_it_is_now(imported):
    store, dataset_id = imported
    planned, content = pack(store, dataset_id)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        rows = rows_of(archive.read("labels.csv"))
        copies = {row["path"]: archive.read(row["path"]) for row in rows}
    assert sorted(names) == sorted([*copies, "labels.csv", "README.txt"])
    folders = planned.folders
    assert folders == {"=cmd()": "_=cmd()", "Cat": "Cat", "a.": "a", "cat": "cat-2", "con": "_con"}
    for row in rows:
        label = row["label"].removeprefix("'")
        assert row["path"].split("/")[-2] == folders[label]
    kept = [image for image in store.every_image(dataset_id) if not image.excluded]
    assert sorted(copies.values()) == sorted(
        store.workspace.image(image.folder, image.id, image.suffix).read_bytes() for image in kept
    )
    assert sorted(row["name"].removeprefix("'") for row in rows) == sorted(image.name for image in kept)
    assert {row["split"] for row in rows if row["path"].startswith("holdout/")} == {"holdout"}
    assert sum(row["split"] == "holdout" for row in rows) == 3
    assert {row["excluded"] for row in rows} == {"0"}
    assert all(row["sha256"] for row in rows)


def test_no_two_names_are_one_where_capitals_make_no_difference(imported):
    planned, _ = pack(*imported)
    assert len({row.path.casefold() for row in planned.rows}) == len(planned.rows)


def test_the_size_is_told_exactly_and_the_entries_need_no_reading_backwards(imported):
    planned, content = pack(*imported)
    assert len(content) == planned.bytes
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {(entry.compress_type, entry.flag_bits & 8) for entry in archive.infolist()} == {(0, 0)}


@pytest.mark.parametrize(("limit", "count"), [(100_000, 0xFFFF), (10**9, 3), (100_000, 3)])
def test_the_size_of_a_large_zip_is_told_exactly(limit, count, imported, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", count)
    planned, content = pack(*imported)
    assert len(content) == planned.bytes
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None


def test_excluded_pictures_come_only_where_asked_for(imported):
    store, dataset_id = imported
    planned, _ = pack(store, dataset_id, with_excluded=True)
    (excluded,) = [row for row in planned.rows if row.excluded]
    assert excluded.path.startswith("excluded/cat-2/")
    assert len(planned.rows) == store.dataset(dataset_id).accepted


def test_a_share_divides_into_folders_as_a_run_would(imported):
    store, dataset_id = imported
    division = SplitChoice(share=0.34, seed=7)
    planned, _ = pack(store, dataset_id, division)
    tops = {row.path.split("/")[0] for row in planned.rows}
    assert tops == {"train", "validation", "holdout"}
    assert all(row.path.startswith(f"{row.split}/") for row in planned.rows)
    again, _ = pack(store, dataset_id, division)
    assert again.rows == planned.rows
    other, _ = pack(store, dataset_id, SplitChoice(share=0.34, seed=8))
    assert {row.path for row in other.rows} != {row.path for row in planned.rows}


def test_the_split_of_a_run_is_kept_and_what_it_never_saw_lies_apart(tmp_path):
    store = Store(open_workspace(tmp_path))
    dataset_id = add_dataset(store)
    run_id = add_run(store, dataset_id)
    new = Image("img-new000000", "dog", "dog/new.jpg", "f" * 64, 96, 72, suffix=".jpg", folder=dataset_id)
    store.workspace.image(dataset_id, new.id, ".jpg").write_bytes(jpeg(99))
    store.add_to_dataset(dataset_id, "", Arrival([new]))
    planned, _ = pack(store, dataset_id, read_division(run_id))
    split = {row.name: row.split for row in planned.rows}
    assert split == {
        **{f"cat/{n}.jpg": "validation" if n == 0 else "train" for n in range(3)},
        **{f"dog/{n}.jpg": "validation" if n == 3 else "train" for n in range(3, 6)},
        "dog/new.jpg": "unused",
    }
    assert run_id in planned.beside["README.txt"].decode()
    other = add_dataset(store, "Other", seed=50)
    with pytest.raises(RunError, match="run of this data set"):
        plan_zip(store, other, read_division(run_id))


@pytest.mark.parametrize("division", [SplitChoice(), SplitChoice(share=0.34)])
def test_the_zip_imported_again_gives_the_same_classes_labels_and_sides(division, imported, tmp_path):
    store, dataset_id = imported
    planned, content = pack(store, dataset_id, division)
    (tmp_path / "taken.zip").write_bytes(content)
    assert not is_project(tmp_path / "taken.zip")
    again = Store(open_workspace(tmp_path / "elsewhere"))
    back = import_path(again, tmp_path / "taken.zip")
    assert standing(again, back) == standing(store, dataset_id)
    # Of what is no picture there is one file, accounted for.
    assert [file.name for file in again.set_aside(back)] == ["README.txt"]
    found = {image.name: (image.role, image.part) for image in again.every_image(back)}
    parts = {"train": ("main", "training"), "validation": ("main", "validation"), "": ("main", "")}
    assert found == {row.path: parts.get(row.split, ("holdout", "")) for row in planned.rows}


def test_photos_without_a_class_stay_behind_and_it_is_said(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    photos = write_photos(tmp_path / "photos", {"cat": 3, "dog": 3, "unlabelled": 2})
    dataset_id = import_path(store, photos)
    assert store.dataset(dataset_id).pile == 2
    planned, _ = pack(store, dataset_id)
    assert {row.label for row in planned.rows} == {"cat", "dog"}
    assert "The 2 photos without a class are not in it" in planned.beside["README.txt"].decode()


def test_the_class_folders_alone_say_the_same_as_the_table(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    dataset_id = import_path(store, write_photos(tmp_path / "photos", {"cat": 3, "dog": 4}))
    edits.move_images(store, dataset_id, [store.images(dataset_id, "cat")[0].id], "dog")
    _, content = pack(store, dataset_id, SplitChoice(share=0.3))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path / "unpacked")
    (tmp_path / "unpacked" / "labels.csv").unlink()
    again = Store(open_workspace(tmp_path / "elsewhere"))
    back = import_path(again, tmp_path / "unpacked")
    assert standing(again, back) == standing(store, dataset_id)
    assert again.dataset(back).classes == {"cat": 2, "dog": 5}


def test_the_list_alone_gives_the_originals_their_labels(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    photos = write_photos(tmp_path / "photos", {"cat": 3, "dog": 3})
    dataset_id = import_path(store, photos)
    edits.move_images(store, dataset_id, [store.images(dataset_id, "cat")[0].id], "dog")
    edits.rename_class(store, dataset_id, "cat", "-kitten")
    target = photos / "labels.csv"
    assert save_dataset(store, dataset_id, target, SplitChoice())["pictures"] == 6
    again = Store(open_workspace(tmp_path / "elsewhere"))
    back = import_path(again, photos)
    assert again.dataset(back).classes == {"-kitten": 2, "dog": 4}
    assert standing(again, back) == standing(store, dataset_id)


def test_no_cell_of_the_table_is_a_formula(imported):
    for row in rows_of(list_labels(*imported, SplitChoice())):
        assert not any(value.startswith(("=", "+", "-", "@")) for value in row.values())


def test_the_readme_says_what_the_pictures_are_and_which_folders_stand_for_other_names(imported):
    planned, _ = pack(*imported, SplitChoice(share=0.34))
    said = planned.beside["README.txt"].decode()
    for each in ("at most 640 pixels", "_con is 'con'", "cat-2 is 'cat'", "validation/: held out", "sha256"):
        assert each in said


def test_a_copy_that_is_missing_is_told_before_the_first_byte(tmp_path):
    store = Store(open_workspace(tmp_path))
    dataset_id = add_dataset(store)
    image = store.images(dataset_id)[0]
    store.workspace.image(image.folder, image.id, image.suffix).unlink()
    with pytest.raises(DatasetError, match="1 of 6 are missing"):
        plan_zip(store, dataset_id, SplitChoice())


def test_a_copy_that_goes_meanwhile_ends_the_zip(tmp_path):
    store = Store(open_workspace(tmp_path))
    dataset_id = add_dataset(store)
    planned = plan_zip(store, dataset_id, SplitChoice())
    shutil.rmtree(store.workspace.dataset(dataset_id))
    with pytest.raises(DatasetError, match="deleted meanwhile"):
        list(stream_dataset(planned))
    with pytest.raises(DatasetError):
        save_dataset(store, dataset_id, tmp_path / "out.zip", SplitChoice())
    assert not list(tmp_path.glob("*out*"))


def test_only_a_new_file_of_a_known_kind_is_written(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    dataset_id = add_dataset(store)
    there = tmp_path / "there.zip"
    there.write_bytes(b"mine")
    (tmp_path / "file").write_bytes(b"mine")
    for target in (there, tmp_path / "photos.tar", tmp_path / "file" / "out.zip"):
        with pytest.raises(RunError, match="Received"):
            save_dataset(store, dataset_id, target, SplitChoice())
    assert there.read_bytes() == b"mine"


@pytest.mark.parametrize("text", ["nonsense", "0", "1", "1.5", "-0.2", "nan"])
def test_a_split_that_is_none_is_refused(text):
    with pytest.raises(SettingsError, match="between 0 and 1"):
        read_division(text)


def test_the_command_saves_and_says_what_it_saved(imported, tmp_path):
    store, dataset_id = imported
    words = ["dataset", "save", dataset_id, "--to", "out.zip", "--split", "0.34", "--with-excluded", "--json"]
    command = [sys.executable, "-m", "thaw", *words, "--workspace", str(store.workspace.root)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert f'"pictures": {store.dataset(dataset_id).accepted}' in ended.stdout
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.testzip() is None


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_memory_stays_far_below_what_is_sent(tmp_path):
    """200 MB of pictures in a process of its own, which may grow by no more than a fifth of that."""
    store = Store(open_workspace(tmp_path))
    images = []
    for number in range(400):
        image = Image(
            f"img-{number:012x}", "x", f"x/{number}.jpg", f"{number:064x}", 640, 480, suffix=".jpg", folder="data-1"
        )
        path = store.workspace.image("data-1", image.id, image.suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(500_000)
        images.append(image)
    store.add_dataset("data-0123456789ab", "large", "", Arrival(images))
    program = (
        "import resource, sys; from thaw.datasets.zip_file import *; from thaw.datasets.division import SplitChoice;"
        "from thaw.storage.workspace import open_workspace;"
        "store = Store(open_workspace(sys.argv[1])); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "planned = plan_zip(store, 'data-0123456789ab', SplitChoice()); sent = sum(map(len, stream_dataset(planned)));"
        "print(sent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    sent, grown_kb = map(int, ended.stdout.split())
    assert sent > 200_000_000
    assert grown_kb < 40_000
