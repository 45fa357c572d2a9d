"""Which files of a folder count, and the order in which names are listed."""

import pytest

from tlcore.photos import is_junk, natural

HIDDEN = [
    *("THUMBS.DB", "a/.DS_Store", "a/desktop.ini", "a/._b.jpg", "a/ehthumbs_vista.db", "Icon\r", "a/.trashed-1-b.jpg"),
    *("__MACOSX/a/b.jpg", ".ipynb_checkpoints/b.jpg", "a/.ipynb_checkpoints/b-checkpoint.jpg", ".git/objects/ab/cd"),
    *(
        "a/@eaDir/b.jpg/SYNOPHOTO_THUMB_M.jpg",
        "#recycle/a/b.jpg",
        "$RECYCLE.BIN/S-1-5/b.jpg",
        ".Trash-1000/files/b.jpg",
    ),
    *(
        "System Volume Information/b.jpg",
        "lost+found/b.jpg",
        "a/__pycache__/b.pyc",
        ".thumbnails/b.jpg",
        "a/_thumbs/b.jpg",
    ),
    *("@Recycle/b.jpg", ".@__thumb/b.jpg", "found.000/b.jpg", "a/.picasaoriginals/b.jpg", "a/..b/c.jpg"),
]
PLAIN = [
    *(
        "thumbs/b.jpg",
        "Recycled/b.jpg",
        "a/b.jpg",
        "a.b/c.jpg",
        "eaDir/b.jpg",
        "unknown/b.jpg",
        "@home/b.jpg",
        "#1/b.jpg",
    ),
    *(
        "./a/b.jpg",
        "../a/b.jpg",
        "a/../b.jpg",
        "found.rose/b.jpg",
        "thumbs.db.jpg",
        "lost/b.jpg",
        "my lost+found/b.jpg",
    ),
]


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_and_system_files_are_known(name):
    assert is_junk(name)


@pytest.mark.parametrize("name", PLAIN)
def test_names_that_a_person_may_give_are_not_taken_for_a_systems(name):
    assert not is_junk(name)


def test_numbers_in_names_sort_as_people_count():
    levels = [f"level-{number}" for number in range(1, 12)]
    assert sorted({*levels}, key=natural) == levels
    assert sorted(["b", "10", "B", "2", "a10", "a9", "02", "1.10", "1.9"], key=natural) == [
        *("1.9", "1.10", "02", "2", "10", "a9", "a10", "B", "b")
    ]
    assert sorted(["9" * 5000, "1" + "0" * 5000, "x"], key=natural)[0] == "9" * 5000
