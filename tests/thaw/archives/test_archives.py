import pytest

from thaw.archives.archives import (
    archive_kind,
    class_of_archive,
    explain_unread,
    is_teachable,
    place_archives,
    sort_sample,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.zip", "zip"),
        ("A.ZIP", "zip"),
        ("project.tm", "zip"),
        ("a.tar", "tar"),
        ("a.Tar.Gz", "tar"),
        ("a.tgz", "tar"),
        ("a.jpg", ""),
        ("zip", ""),
        ("a.tar.xz", ""),
    ],
)
def test_archives_are_known_by_their_names(name, kind):
    assert archive_kind(name) == kind
    assert not (kind and explain_unread(name))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.7z", "7-Zip"),
        ("a.RAR", "RAR"),
        ("a.zip.001", "part of an archive"),
        ("a.z01", "part of an archive"),
        ("a.7z.002", "part of an archive"),
        ("a.part1.rar", "part of an archive"),
        ("a.r00", "part of an archive"),
        ("a.tar.gz.001", "part of an archive"),
        ("a.tar.xz", "other than gzip"),
        ("a.tbz2", "other than gzip"),
        ("a.tar.zst", "other than gzip"),
        ("photo.jpg.gz", "packed file"),
        ("a.iso", "disk image"),
        ("a.jpg", ""),
        ("a.001", ""),
        ("7z", ""),
    ],
)
def test_archives_that_are_not_read_are_explained(name, says):
    told = explain_unread(name)
    assert says in told
    assert bool(told) == bool(says)
    assert not told or "add the folder" in told


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cats.zip", "cats"),
        ("polar bear.tar.gz", "polar bear"),
        ("cats (1).zip", "cats"),
        ("cats-20240131T101112Z-001.zip", "cats"),
        ("cats-20240131T101112Z-1-002.zip", "cats"),
        ("Class 1-samples.zip", "Class 1"),
        ("(1).zip", "(1)"),
        (".zip", ".zip"),
    ],
)
def test_a_class_is_called_after_its_archive(name, label):
    assert class_of_archive(name) == label


def placed(contents, besides=()):
    """Return where the files of archives go, all as texts."""
    parts = {tuple(name.split("/")): [tuple(each.split("/")) for each in files] for name, files in contents.items()}
    places = place_archives(parts, [tuple(each.split("/")) for each in besides])
    return sorted(
        "/".join((*places[archive][0], *name[places[archive][1] :]))
        for archive, names in parts.items()
        for name in names
    )


@pytest.mark.parametrize(
    ("contents", "besides", "names"),
    [
        ({"cats.zip": ["0.jpg"], "dogs.zip": ["0.jpg"]}, [], ["cats/0.jpg", "dogs/0.jpg"]),
        ({"c.zip": ["cats/0.jpg"], "d.zip": ["dogs/0.jpg"]}, [], ["cats/0.jpg", "dogs/0.jpg"]),
        ({"cats.zip": ["images/0.jpg"], "dogs.zip": ["images/0.jpg"]}, [], ["cats/0.jpg", "dogs/0.jpg"]),
        ({"cats-1.zip": ["cats/0.jpg"], "cats-2.zip": ["cats/1.jpg"]}, [], ["cats/0.jpg", "cats/1.jpg"]),
        (
            {"1.zip": ["set/cats/0.jpg", "set/dogs/0.jpg"], "2.zip": ["set/cats/1.jpg", "set/dogs/1.jpg"]},
            [],
            ["cats/0.jpg", "cats/1.jpg", "dogs/0.jpg", "dogs/1.jpg"],
        ),
        (
            {"train.zip": ["train/cats/0.jpg", "train/dogs/0.jpg"], "test.zip": ["cats/1.jpg", "dogs/1.jpg"]},
            [],
            ["test/cats/1.jpg", "test/dogs/1.jpg", "train/cats/0.jpg", "train/dogs/0.jpg"],
        ),
        ({"train.zip": ["train/cat.0.jpg"], "test.zip": ["1.jpg"]}, [], ["test/1.jpg", "train/cat.0.jpg"]),
        (
            {"cats.zip": ["cats/in/0.jpg", "cats/out/1.jpg"], "dogs.zip": ["dogs/in/0.jpg", "dogs/out/1.jpg"]},
            [],
            ["cats/in/0.jpg", "cats/out/1.jpg", "dogs/in/0.jpg", "dogs/out/1.jpg"],
        ),
        ({"set/dogs.zip": ["0.jpg"]}, ["set/cats/0.jpg"], ["set/dogs/0.jpg"]),
        ({"set/cats/more.zip": ["1.jpg"]}, ["set/cats/0.jpg", "set/dogs/0.jpg"], ["set/cats/1.jpg"]),
        ({"a.zip": [], "b.zip": ["0.jpg"]}, [], ["b/0.jpg"]),
    ],
)
def test_several_archives_make_classes_or_add_to_them(contents, besides, names):
    assert placed(contents, besides) == names


def test_projects_of_teachable_machine_are_known_and_sorted():
    names = ["manifest.json", "Class 1-!-0.jpg", "a-!-b-!-12.webp"]
    assert is_teachable("project.zip", names)
    assert is_teachable("project.tm", [*names, "other.txt"])
    assert not is_teachable("project.zip", [*names, "other.txt"])
    assert not is_teachable("project.tm", names[1:])
    assert [sort_sample(name) for name in names] == ["manifest.json", "Class 1/0.jpg", "a-!-b/12.webp"]
    assert sort_sample("../x-!-1.jpg") == "../x-!-1.jpg", "what is unsafe stays to be refused"
