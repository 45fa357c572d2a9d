import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from tests.support.pictures.corpus import UNSAFE_NAMES, in_words
from thaw.names import MAX_NAME_CHARACTERS, check_name, legible, respelled, storable, twins
from tlcore.errors import ImageRejected

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


def test_twins_are_named():
    assert twins(["cat", "dog", "Cat"]) == [["Cat", "cat"]]
    assert twins(["cat", "dog"]) == []
    assert twins(["polar bear", "Polar-Bear", "polar_bear", "polar  bear ", "polarbear"]) == [
        ["polar  bear ", "polar bear", "Polar-Bear", "polar_bear"]
    ]
    assert twins(["-", "_", "level-1", "level-11"]) == []


def test_spellings_of_one_folder_are_named():
    notes = respelled([f"{unicodedata.normalize(form, 'café')}/" for form in ("NFC", "NFD")])
    assert len(notes) == 1
    assert "café" in notes[0]
    assert respelled(["café/", "thé/"]) == []


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
