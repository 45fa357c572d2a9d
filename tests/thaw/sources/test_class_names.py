import json

import pytest

from tests.support.pictures.corpus import ACCEPTED, Case, jpeg, write_folder
from thaw.sources.class_names import may_name_classes, read_class_names
from thaw.sources.sources import Source, collect


@pytest.mark.parametrize(
    ("name", "text", "numbers", "names"),
    [
        ("classes.txt", "cat\ndog\nfox\n", "02", {"0": "cat", "2": "fox"}),
        ("classes.txt", "cat\ndog\n", "12", {"1": "cat", "2": "dog"}),
        ("labels.txt", "0 cat\n1 polar bear\n", "01", {"0": "cat", "1": "polar bear"}),
        ("classes.csv", 'id,name\n0,cat\n7,"dog"\n', "07", {"0": "cat", "7": "dog"}),
        ("label_map.json", json.dumps({"0": "cat", "1": "dog"}), "01", {"0": "cat", "1": "dog"}),
        ("class_to_idx.json", json.dumps({"cat": 0, "dog": 1}), "01", {"0": "cat", "1": "dog"}),
        ("classes.json", json.dumps(["cat", "dog"]), "01", {"0": "cat", "1": "dog"}),
        ("classes.txt", "cat\ndog\n", "05", {}),
        ("classes.txt", "cat\ncat\n", "01", {}),
        ("classes.json", "{", "01", {}),
        ("classes.json", "3", "01", {}),
        ("classes.txt", "", "01", {}),
    ],
)
def test_names_are_given_to_all_numbers_or_none(tmp_path, name, text, numbers, names):
    assert may_name_classes(name)
    (tmp_path / name).write_text(text)
    assert read_class_names(tmp_path / name, numbers) == names


def test_only_files_that_are_called_so_name_classes(tmp_path):
    assert not any(map(may_name_classes, ("notes.txt", "classes.jpg", "class/1.jpg", "readme.md")))
    assert read_class_names(tmp_path / "classes.txt", "01") == {}
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\0")
    assert read_class_names(tmp_path / "classes.txt", "01") == {}


@pytest.mark.parametrize(
    "listed",
    [
        ("classes.txt", b"cat\ndog\n"),
        ("label_map.json", b'{"0": "cat", "1": "dog"}'),
        ("classes.csv", b"id,name\n0,cat\n1,dog\n"),
    ],
)
def test_the_classes_of_a_table_of_numbers_get_their_names(tmp_path, listed):
    files = [Case(f"{n}.jpg", jpeg(n), ACCEPTED) for n in range(4)]
    table = b"id,label\n" + b"".join(b"%d,%d\n" % (n, n % 2) for n in range(4))
    write_folder(tmp_path / "set", [*files, Case("train.csv", table, ""), Case(listed[0], listed[1], "")])
    found = collect(Source("folder", tmp_path / "set", ""), tmp_path / "un", lambda *_: None, lambda: None)
    assert [entry.label for entry in found.entries] == ["cat", "dog", "cat", "dog"]
    assert (found.ignored, found.set_aside) == (2, [])
    assert any(listed[0] in note for note in found.notes)
