import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from tests.corpus import UNSAFE_NAMES, in_words
from tlcore.errors import ImageRejected
from tlcore.names import MAX_NAME_CHARACTERS, check_name, classes_of, is_junk, legible, respelled, storable, twins

anything = some.text(some.characters(), max_size=40)
pieces = some.sampled_from(["..", ".", "", "a", "C:", "~", "\\", "\0", "b.jpg", "\u2024\u2024", "\ud800"])
pathlike = some.lists(pieces, max_size=6)
names = anything | pathlike.map("/".join)

STRANGE = ["<img onerror>.jpg", "=cmd()", "\u202egpj.exe", "con.jpg", "dot.", "n" * 300, " "]


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_unsafe_names_are_refused_and_not_repaired(name):
    with pytest.raises(ImageRejected, match="unsafe name"):
        check_name(name)


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_are_kept_to_the_letter(name):
    assert check_name(f"rose/{name}") == ("rose", name)


def test_names_are_composed_and_a_leading_dot_is_dropped():
    decomposed = unicodedata.normalize("NFD", "café")
    assert decomposed != "café"
    assert check_name(f"./{decomposed}/1.jpg") == ("café", "1.jpg")


def test_endless_names_are_refused():
    with pytest.raises(ImageRejected, match="limit is 8,192"):
        check_name("n" * (MAX_NAME_CHARACTERS + 1))


def test_names_in_other_encodings_stay_apart():
    assert legible("café".encode()) == "café"
    assert legible(b"caf\xe9") != legible(b"caf\xe8")
    assert storable("a\ud800b") == "a\ufffdb"
    assert storable("plain é 😀") == "plain é 😀"


@pytest.mark.parametrize("name", ["THUMBS.DB", "a/.DS_Store", "a/desktop.ini", "a/._b.jpg", "__MACOSX/a/b.jpg"])
def test_system_files_are_known(name):
    assert is_junk(name)
    assert not is_junk(f"{name}.jpg".replace("__MACOSX", "a").replace("._", "_"))


def test_the_first_folder_is_the_class():
    names = [("rose", "1.jpg"), ("rose", "red", "2.jpg"), ("tulip", "3.jpg"), ("loose.jpg",)]
    assert classes_of(names) == (["rose", "rose", "tulip", None], [])


def test_a_common_root_is_stripped_while_class_folders_remain():
    assert classes_of([("photos", "rose", "1.jpg"), ("photos", "tulip", "2.jpg")])[0] == ["rose", "tulip"]
    assert classes_of([("rose", "1.jpg"), ("rose", "2.jpg")])[0] == ["rose", "rose"]


def test_split_folders_are_merged():
    classes, notes = classes_of([("train", "rose", "1.jpg"), ("val", "rose", "2.jpg"), ("train", "tulip", "3.jpg")])
    assert classes == ["rose", "rose", "tulip"]
    assert "train, val were merged" in notes[0]


def test_twins_are_named():
    assert twins(["cat", "dog", "Cat"]) == [["Cat", "cat"]]
    assert twins(["cat", "dog"]) == []


def test_spellings_of_one_folder_are_named():
    notes = respelled([f"{unicodedata.normalize(form, 'café')}/" for form in ("NFC", "NFD")])
    assert len(notes) == 1
    assert "café" in notes[0]
    assert respelled(["café/", "thé/"]) == []


def test_loose_files_beside_the_class_folders_do_not_hide_them():
    names = [("x", "photos", "rose", "1.jpg"), ("x", "photos", "tulip", "2.jpg"), ("x", "readme.txt"), ("license",)]
    assert classes_of(names)[0] == ["rose", "tulip", None, None]


def test_split_names_without_folders_below_are_classes():
    assert classes_of([("train", "1.jpg"), ("test", "2.jpg")])[0] == ["train", "test"]
    assert classes_of([("train", "rose", "1.jpg"), ("other", "rose", "2.jpg")])[0] == ["train", "other"]


def checked(name):
    try:
        return check_name(storable(name))
    except ImageRejected as refused:
        reason = str(refused)
    assert in_words(reason)
    return None


@given(names)
@example("a/..\u0338")
@example("\u212a:/x")
@example("./C:/x")
@example("./\uff0e\uff0e/x")
def test_no_name_becomes_a_way_out_of_its_folder(name):
    parts = checked(name)
    if parts is not None:
        assert PurePosixPath("root", *parts).parts == ("root", *parts)
        assert PureWindowsPath("root", "/".join(parts)).parts[0] == "root"
        assert not {"", ".", ".."} & set(parts)
        assert not any(set(part) & set("/\\\0") for part in parts)
        assert "/".join(parts).encode(), "it can be stored"


@given(names)
def test_a_checked_name_is_checked_to_itself(name):
    parts = checked(name)
    if parts is not None:
        assert check_name("/".join(parts)) == parts
        assert storable("/".join(parts)) == "/".join(parts)


@given(some.lists(names, max_size=8))
def test_every_name_has_one_class_or_none_and_it_is_one_of_its_folders(several):
    parts = [known for name in several if (known := checked(name)) is not None]
    labels, notes = classes_of(parts)
    assert len(labels) == len(parts)
    assert all(label is None or label in known[:-1] for label, known in zip(labels, parts, strict=True))
    assert all(in_words(note) for note in notes)


@given(some.binary(max_size=40), some.binary(max_size=40))
def test_bytes_that_differ_are_never_read_as_one_name(one, other):
    if one != other and (is_utf8(one) or not is_utf8(other)) and (is_utf8(other) or not is_utf8(one)):
        assert legible(one) != legible(other)


def is_utf8(raw):
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
