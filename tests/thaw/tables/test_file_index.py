import time

import pytest

from thaw.tables.file_index import Ambiguous, FileIndex, common_folders
from tlcore.errors import ImageRejected

HERE = [("set", "train", "a0.jpg"), ("set", "train", "b.c.png"), ("set", "test", "a0.jpg"), ("set", "0007.JPG")]


def found(text, folder=("set",), names=HERE):
    return FileIndex(names).find(text, folder)[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("train/a0.jpg", HERE[0]),
        ("./train/a0.jpg", HERE[0]),
        ("train\\a0.jpg", HERE[0]),
        (".\\train\\a0.jpg", HERE[0]),
        ("TRAIN/A0.JPG", HERE[0]),
        ("set/train/a0.jpg", HERE[0]),
        ("train/a0", HERE[0]),
        ("test\\a0", HERE[2]),
        ("b.c", HERE[1]),
        ("b.c.png", HERE[1]),
        ("7", HERE[3]),
        ("0007", HERE[3]),
        ("D:\\photos\\set\\train\\a0.jpg", HERE[0]),
        ("/home/me/set/train/b.c.png", HERE[1]),
        ("\\\\server\\share\\b.c.png", HERE[1]),
        ("https://example.org/x/b.c.png?size=1", HERE[1]),
        ("s3://bucket/test/a0.jpg", HERE[2]),
        ("https://example.org/u/1/0a1b2c3d-b.c.png", HERE[1]),
        ("/data/local-files/?d=set%2Ftrain%2Fa0.jpg", HERE[0]),
    ],
)
def test_a_text_means_the_one_file_that_ends_so(text, name):
    assert found(text) == name


@pytest.mark.parametrize("text", ["a0.jpg", "a0", "/home/me/a0.jpg", "https://example.org/a0.jpg"])
def test_of_several_none_is_guessed(text):
    with pytest.raises(Ambiguous, match=r"'set/test/a0.jpg', 'set/train/a0.jpg'"):
        found(text)


def test_of_several_the_one_beside_the_table_is_meant():
    assert found("a0", ("set", "train")) == HERE[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("val/a0.jpg", "no such plain file"),
        ("c", "no such plain file"),
        ("a0.png", "no such plain file"),
        ("8", "no such plain file"),
        ("", "unsafe name"),
        ("../set/../b.c.png", "unsafe name"),
        ("../../b.c.png", "unsafe name"),
        ("..\\..\\b.c.png", "unsafe name"),
        ("train/../b.c.png", "unsafe name"),
        ("/home/../b.c.png", "unsafe name"),
        ("C:\\x\\..\\b.c.png", "unsafe name"),
        ("/etc/passwd", "absolute path"),
        ("C:\\none.jpg", "unsafe name"),
        ("b.c.png\0", "unsafe name"),
        ("https://example.org/", "web address"),
        ("https://example.org/none.jpg", "web address"),
        ("https://example.org/a/%2e%2e/b.c.png", "unsafe name"),
    ],
)
def test_what_means_no_file_says_why(text, says):
    with pytest.raises(ImageRejected, match=says):
        found(text)


def test_a_table_in_a_folder_of_its_own_may_go_up():
    assert found("../train/a0.jpg", ("set", "notes")) == HERE[0]
    assert found("..\\train\\a0.jpg", ("set", "notes")) == HERE[0]


def test_folders_that_all_names_share_are_counted():
    assert common_folders(HERE) == ("set",)
    assert common_folders([]) == ()
    assert common_folders([("a", "b", "c.jpg")]) == ("a", "b")


def test_very_many_files_of_one_name_are_not_compared_one_by_one():
    names = [("set", str(n), "a.jpg") for n in range(20_000)]
    index = FileIndex(names)
    started = time.process_time()
    for n in range(20_000):
        assert index.find(f"C:/elsewhere/{n}/a", ("set",)) == (("set", str(n), "a.jpg"), False)
        assert not index.exists(f"x/{n}/none/a", ("set",))
    assert time.process_time() - started < 10
