"""Which pictures `predict` takes from what it is given, in which order, and what its exit status says."""

import os

import pytest

from tests.support.pictures.corpus import jpeg
from thaw.cli.predict import grade, list_pictures, run_predict
from tlcore.errors import DatasetError


def write(folder, *names):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg(number))


def test_a_folder_is_gone_through_as_an_import_does(tmp_path):
    write(tmp_path, "b/10.jpg", "b/9.jpg", "B2.jpg", "a 11/x.jpg", "a 2/x.jpg", "notes.txt")
    write(tmp_path, ".DS_Store", "._b.jpg", "__MACOSX/b.jpg", "b/Thumbs.db")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "B2.jpg")
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    listed = list_pictures(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path, _ in listed]
    kept = ["a 2/x.jpg", "a 11/x.jpg", "b/9.jpg", "b/10.jpg", "B2.jpg"]
    assert names == [*kept, "link.jpg", "notes.txt", "pipe.jpg", "round"]
    reasons = {path.name: reason for path, reason in listed if reason}
    assert set(reasons) == {"link.jpg", "round", "pipe.jpg"}
    assert "symbolic link" in reasons["link.jpg"]
    assert "not a plain file" in reasons["pipe.jpg"]


def test_a_file_is_taken_as_it_is_named(tmp_path):
    assert list_pictures(tmp_path / "absent.jpg") == [(tmp_path / "absent.jpg", None)]
    write(tmp_path, ".hidden.jpg")
    assert list_pictures(tmp_path / ".hidden.jpg") == [(tmp_path / ".hidden.jpg", None)]


def test_a_folder_without_pictures_is_refused_before_anything_is_loaded(store, tmp_path, tiny_dataset):
    write(tmp_path, "empty/.DS_Store")
    with pytest.raises(DatasetError, match=r"in which there are none \(1 hidden or system files\)"):
        list_pictures(tmp_path / "empty")
    run = store.add_run(tiny_dataset, "efficientnet-lite0", "{}")
    with pytest.raises(DatasetError, match="Expected a folder with pictures"):
        run_predict(store, run, [str(tmp_path / "empty")])


@pytest.mark.parametrize(("failed", "answered", "status"), [(0, 3, 0), (1, 2, 2), (3, 0, 1)])
def test_the_status_tells_of_failures(failed, answered, status):
    answers = [{"image": "a", "error": "it is cut off"}] * failed + [{"image": "b", "predicted": "cat"}] * answered
    assert grade(answers) == status
