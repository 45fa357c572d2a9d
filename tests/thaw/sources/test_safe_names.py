"""File names that every system takes: valid, distinct, and as near as can be to what they were."""

import unicodedata

import pytest

from thaw.sources.safe_names import DistinctNames, name_class_folders, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("rose", "rose"),
        ("Häuser 1", "Häuser 1"),
        ("ねこ", "ねこ"),
        ('a/b\\c:d*e?f"g<h>i|j', "a_b_c_d_e_f_g_h_i_j"),
        ("con", "_con"),
        ("Con.photo", "_Con.photo"),
        ("com¹", "_com¹"),
        ("LPT9", "_LPT9"),
        ("CONIN$", "_CONIN$"),
        ("console", "console"),
        ("dot.", "dot"),
        ("dots and spaces . . ", "dots and spaces"),
        ("  around  ", "around"),
        (".hidden", "_.hidden"),
        ("..", "_"),
        ("-rf", "_-rf"),
        ("~", "_~"),
        ("=cmd()", "_=cmd()"),
        ("@SUM(1)", "_@SUM(1)"),
        ("evil\u202egpj", "evil_gpj"),
        ("new\nline\x00", "new_line_"),
        ("", "_"),
        ("   ", "_"),
        (unicodedata.normalize("NFD", "é"), "é"),
    ],
)
def test_a_name_keeps_what_every_system_takes(name, safe):
    assert safe_name(name, 100) == safe


@pytest.mark.parametrize("name", ["x" * 400, "日本" * 200, "🙂" * 100, "x" * 99 + ". y", "." * 300])
def test_a_long_name_is_cut_between_letters_and_ends_well(name):
    safe = safe_name(name, 100)
    assert 1 <= len(safe.encode()) <= 100
    assert not safe.endswith((".", " "))


def test_names_that_some_systems_take_for_one_are_told_apart():
    names = DistinctNames()
    given = ["Cat", "cat", "CAT", unicodedata.normalize("NFD", "é"), "é", "cat-2", "a:b", "a*b", "x" * 300, "x" * 299]
    found = [names.take(each) for each in given]
    assert found[:2] == ["Cat", "cat-2"]
    assert len({unicodedata.normalize("NFC", each).casefold() for each in found}) == len(given)
    assert all(len(each.encode()) <= 100 for each in found)


def test_the_suffix_stays_at_the_end():
    names = DistinctNames()
    found = [names.take(each, ".jpg", 20) for each in ("photo" * 9, "photo" * 9, "PHOTO" * 9)]
    assert found[0] == "photophotophotop.jpg"
    assert all(each.endswith(".jpg") and len(each) <= 20 for each in found)
    assert len({each.casefold() for each in found}) == 3


def test_many_equal_names_take_no_time_each():
    names = DistinctNames()
    assert len({names.take("IMG", ".jpg") for _ in range(20_000)}) == 20_000


def test_no_class_folder_is_taken_for_something_else():
    labels = ["train", "Holdout", "__MACOSX", "rose", "ROSE", "a/b", "excluded"]
    folders = name_class_folders(labels, frozenset({"holdout", "excluded"}))
    assert folders == {
        "train": "xtrain",
        "Holdout": "xHoldout",
        "__MACOSX": "___MACOSX",
        "rose": "rose",
        "ROSE": "ROSE-2",
        "a/b": "a_b",
        "excluded": "excluded-2",
    }
