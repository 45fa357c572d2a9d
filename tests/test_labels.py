import os
import time
from pathlib import Path

import pytest

from tests.corpus import ACCEPTED, IGNORED, UNSAFE_NAMES, Case, jpeg, write_folder, write_upload, write_zip
from tlcore.found import Entry, Found
from tlcore.labels import apply_table
from tlcore.sources import Source, collect

PHOTOS = ["photos/a.jpg", "photos/b.jpg", "photos/deep/c.jpg"]
TABLE = "path,label\nphotos/a.jpg,rose\nphotos/b.jpg,tulip\nphotos/deep/c.jpg,rose\n"
LABELS = {"photos/a.jpg": "rose", "photos/b.jpg": "tulip", "photos/deep/c.jpg": "rose"}


def files_of(table=TABLE, top="", names=PHOTOS, name="labels.csv"):
    photos = [Case(top + name, jpeg(number), ACCEPTED) for number, name in enumerate(names)]
    return [*photos, Case(top + name, table.encode(), IGNORED)]


def found_in(kind, path, roots=None):
    unpacked = path.parent / f"unpacked-{path.name}"
    found = collect(Source(kind, path, str(path), roots), unpacked, lambda *_: None, lambda: None)
    assert found.count == len(found.entries) + len(found.set_aside) + found.ignored
    return found


def labels(found: Found):
    return {"/".join(entry.name): entry.label for entry in found.entries}


def reasons(found: Found):
    return {row.name: row.reason for row in found.set_aside}


def csv_at(tmp_path, rows, names=PHOTOS):
    write_folder(tmp_path / "set", files_of("path,label\n" + "".join(f"{row}\n" for row in rows), names=names))
    return tmp_path / "set" / "labels.csv"


@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_a_csv_lists_files_beside_it(tmp_path, kind):
    found = found_in(kind, csv_at(tmp_path, TABLE.splitlines()[1:]))
    assert labels(found) == LABELS
    assert all(entry.path.read_bytes() == jpeg(number) for number, entry in enumerate(found.entries))
    assert found.entries[0].size == len(jpeg(0))
    assert found.count == 3


def test_every_row_of_a_csv_is_accounted_for(tmp_path):
    odd = ["photos/none.jpg,rose", "photos,rose", ",rose", "photos/b.jpg,", "photos/.DS_Store,rose"]
    twice = ["photos/a.jpg,rose", "photos/a.jpg,rose", "photos/deep/c.jpg,rose", "./photos/deep/c.jpg,tulip"]
    table = csv_at(tmp_path, [*odd, *twice], [*PHOTOS, "photos/.DS_Store"])
    found = found_in("csv", table)
    assert labels(found) == {"photos/a.jpg": "rose"}
    assert (found.ignored, found.count) == (1, 9)
    said = reasons(found)
    assert said["photos/none.jpg"] == "there is no such file"
    assert "not a plain file" in said["photos"]
    assert "names no file" in said["line 4 of labels.csv"]
    assert said["photos/b.jpg"] == "its label is empty"
    assert "twice" in said["photos/a.jpg"]
    assert "different labels" in said["photos/deep/c.jpg"]
    assert "different labels" in said["./photos/deep/c.jpg"]


@pytest.mark.parametrize("name", [name for name in UNSAFE_NAMES if not name.startswith(("/", "//"))])
def test_unsafe_paths_of_a_csv_open_nothing(tmp_path, name):
    (tmp_path / "evil.jpg").write_bytes(jpeg(9))
    found = found_in("csv", csv_at(tmp_path, [f'"{name}",rose', "photos/a.jpg,rose"]))
    assert labels(found) == {"photos/a.jpg": "rose"}
    assert "unsafe name" in reasons(found)[name]


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_links_are_judged_by_where_they_lead(tmp_path):
    names = ["out.jpg", "in.jpg", "loop.jpg", "away/x.jpg"]
    table = csv_at(tmp_path, [f"{name},rose" for name in names])
    folder, elsewhere = table.parent, write_folder(tmp_path / "elsewhere", [Case("x.jpg", jpeg(8), ACCEPTED)])
    for name, target in [("out.jpg", elsewhere / "x.jpg"), ("in.jpg", folder / "photos/a.jpg"), ("away", elsewhere)]:
        (folder / name).symlink_to(target)
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    found = found_in("csv", table)
    assert labels(found) == {"in.jpg": "rose"}
    assert found.entries[0].path == (folder / "photos/a.jpg").resolve()
    said = reasons(found)
    assert all("leads by a link, outside" in said[name] for name in ("out.jpg", "away/x.jpg"))
    assert "cannot be read" in said["loop.jpg"]


def test_absolute_paths_must_lie_under_a_root(tmp_path):
    mine = write_folder(tmp_path / "mine", [Case("a.jpg", jpeg(1), ACCEPTED)]) / "a.jpg"
    theirs = write_folder(tmp_path / "theirs", [Case("b.jpg", jpeg(2), ACCEPTED)]) / "b.jpg"
    hidden = theirs.with_name("none.jpg")
    table = csv_at(tmp_path, [f"{path},rose" for path in (mine, theirs, hidden)])
    found = found_in("csv", table, [tmp_path / "mine"])
    assert labels(found) == {str(mine).removeprefix(mine.anchor): "rose"}
    assert reasons(found)[str(theirs)] == reasons(found)[str(hidden)], "nothing is told of what lies outside"
    assert len(labels(found_in("csv", table, None))) == 2
    assert labels(found_in("csv", table, [])) == {}


@pytest.mark.parametrize("top", ["", "flowers/", "all/flowers/"])
@pytest.mark.parametrize("kind", ["folder", "zip", "staged"])
def test_a_table_at_the_top_decides_the_classes(tmp_path, kind, top):
    files = [*files_of(top=top), Case(f"{top}photos/d.jpg", jpeg(7), ACCEPTED)]
    path = tmp_path / "source"
    {"folder": write_folder, "zip": write_zip, "staged": write_upload}[kind](path, files)
    found = found_in(kind, path)
    assert labels(found) == {top + name: label for name, label in LABELS.items()}
    assert reasons(found) == {f"{top}photos/d.jpg": "the table 'labels.csv' does not list it"}
    assert (found.ignored, found.count) == (1, 5)
    assert any("labels.csv" in note for note in found.notes)


def test_a_table_at_the_top_names_files_and_opens_none(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(jpeg(9))
    rows = [f"{tmp_path}/secret.jpg,rose", "../secret.jpg,rose", "none.jpg,rose", "photos/a.jpg,rose"]
    rows += ["photos/b.jpg,rose", "photos/b.jpg,tulip", "photos/deep/c.jpg,"]
    found = found_in("folder", csv_at(tmp_path, rows).parent)
    assert labels(found) == {"photos/a.jpg": "rose"}
    assert [row.name for row in found.set_aside].count("photos/b.jpg") == 2
    said = reasons(found)
    assert "unsafe name" in said[f"{tmp_path}/secret.jpg"]
    assert "unsafe name" in said["../secret.jpg"]
    assert "beside the table" in said["none.jpg"]
    assert "different labels" in said["photos/b.jpg"]
    assert said["photos/deep/c.jpg"] == "its label is empty"
    assert found.count == 8, "7 rows, and the table; a file that a row tells of is not counted again"


@pytest.mark.parametrize(
    "more", [Case("scores.csv", b"name,score\na,1\n", ACCEPTED), Case("x/b.csv", TABLE.encode(), "")]
)
def test_other_csv_files_are_no_table_of_the_source(tmp_path, more):
    folder = write_folder(tmp_path / "set", [*files_of(), more])
    found = found_in("folder", folder)
    assert labels(found) == LABELS
    assert more.name in reasons(found)


def test_two_tables_decide_nothing_and_are_told_of(tmp_path):
    folder = write_folder(tmp_path / "set", [*files_of(), Case("more.csv", TABLE.encode(), ACCEPTED)])
    found = found_in("folder", folder)
    assert set(labels(found).values()) == {None}
    assert "'labels.csv'" in found.notes[0]
    assert "'more.csv'" in found.notes[0]


def test_without_a_table_the_folders_tell(tmp_path):
    folder = write_folder(tmp_path / "set", files_of("name,score\na,1\n"))
    assert set(labels(found_in("folder", folder)).values()) == {None}


def test_a_source_of_very_many_tables_is_looked_through_once():
    found = Found([Entry(("photos", f"{number}.csv"), Path("none.csv"), 0) for number in range(20_000)])
    started = time.monotonic()
    apply_table(found)
    assert len(found.entries) == 20_000
    # Compared each with all, they took forty seconds.
    assert time.monotonic() - started < 5
