import os
import time
from pathlib import Path

import pytest

from tests.support.pictures.corpus import (
    ACCEPTED,
    IGNORED,
    UNSAFE_NAMES,
    Case,
    jpeg,
    write_folder,
    write_upload,
    write_zip,
)
from thaw.archives.entries import Entry, Found
from thaw.sources.labels import apply_tables
from thaw.sources.layout import place_listed
from thaw.sources.sources import Source, collect
from thaw.storage.questions import require_answer, take_default
from tlcore.errors import DatasetError

PHOTOS = ["photos/a.jpg", "photos/b.jpg", "photos/deep/c.jpg"]
TABLE = "path,label\nphotos/a.jpg,rose\nphotos/b.jpg,tulip\nphotos/deep/c.jpg,rose\n"
LABELS = {"photos/a.jpg": "rose", "photos/b.jpg": "tulip", "photos/deep/c.jpg": "rose"}


def files_of(table=TABLE, top="", names=PHOTOS, name="labels.csv"):
    photos = [Case(top + name, jpeg(number), ACCEPTED) for number, name in enumerate(names)]
    return [*photos, Case(top + name, table.encode(), IGNORED)]


class Asked:
    """Answers questions as they are advised, or as `answers` says, and remembers them."""

    def __init__(self, answers=()):
        self.answers = dict(answers)
        self.questions = []

    def __call__(self, question):
        self.questions.append(question)
        return require_answer(question, self.answers.get(question.key, question.default))

    @property
    def keys(self):
        return [question.key for question in self.questions]


def found_in(kind, path, roots=None, ask=take_default):
    unpacked = path.parent / f"unpacked-{path.name}"
    found = collect(Source(kind, path, str(path), roots), unpacked, lambda *_: None, lambda: None, ask)
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
    files.append(Case(f"{top}photos/e.txt", b"remember the milk", ACCEPTED))
    path = tmp_path / "source"
    {"folder": write_folder, "zip": write_zip, "staged": write_upload}[kind](path, files)
    found = found_in(kind, path)
    assert labels(found) == {top + name: label for name, label in LABELS.items()}
    assert reasons(found) == {
        f"{top}photos/d.jpg": "the table 'labels.csv' does not list it",
        f"{top}photos/e.txt": "this is a text file, not a picture",
    }
    assert (found.ignored, found.count) == (1, 6)
    assert any("labels.csv" in note for note in found.notes)


def test_photos_of_a_test_part_that_no_table_lists_have_no_class(tmp_path):
    photos = ["train/a.jpg", "train/b.jpg", "train/c.jpg", "test/1.jpg", "test/2.jpg", "test/notes.txt"]
    table = "id,breed\na,pug\nb,boxer\n"
    found = found_in("folder", write_folder(tmp_path / "dogs", files_of(table, names=photos)))
    assert labels(found) == {"train/a.jpg": "pug", "train/b.jpg": "boxer", "test/1.jpg": None, "test/2.jpg": None}
    assert set(reasons(found)) == {"train/c.jpg", "test/notes.txt"}
    places = place_listed([entry.label for entry in found.entries], [entry.split for entry in found.entries])
    assert [(place.label, place.role) for place in places] == [
        *[(label, "main") for label in ("pug", "boxer")],
        *[("", "pile")] * 2,
    ]


def test_a_folder_that_is_only_called_a_test_keeps_its_rule(tmp_path):
    found = found_in("folder", write_folder(tmp_path / "dogs", files_of(TABLE, names=[*PHOTOS, "photos/d.jpg"])))
    write_folder(tmp_path / "test", files_of(TABLE, top="test/", names=[*PHOTOS, "photos/d.jpg"]))
    assert reasons(found_in("folder", tmp_path / "test")) == {
        "test/" + name: why for name, why in reasons(found).items()
    }


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


def test_other_csv_files_are_no_table_of_the_source(tmp_path):
    folder = write_folder(tmp_path / "set", [*files_of(), Case("scores.csv", b"name,score\na,1\n", ACCEPTED)])
    found = found_in("folder", folder)
    assert labels(found) == LABELS
    assert "scores.csv" in reasons(found)


@pytest.mark.parametrize("name", ["more.csv", "x/b.csv", "train.txt"])
def test_tables_that_agree_are_taken_together(tmp_path, name):
    half, rest = "path,label\nphotos/a.jpg,rose\nphotos/b.jpg,tulip\n", "path\tlabel\nphotos/deep/c.jpg\trose\n"
    folder = write_folder(tmp_path / "set", [*files_of(half), Case(name, rest.encode(), IGNORED)])
    found = found_in("folder", folder)
    assert labels(found) == LABELS
    assert found.ignored == 2
    assert any("labels.csv" in note and Path(name).name in note for note in found.notes)


def test_tables_that_contradict_each_other_are_asked_about(tmp_path):
    other = "path,label\nphotos/a.jpg,red\n"
    folder = write_folder(tmp_path / "set", [*files_of(), Case("colours.csv", other.encode(), IGNORED)])
    asked = Asked()
    assert labels(found_in("folder", folder, ask=asked)) == LABELS, "the table of most photos is advised"
    assert asked.keys == ["table"]
    assert set(asked.questions[0].answers) == {"labels.csv", "colours.csv"}
    chosen = found_in("folder", folder, ask=Asked({"table": "colours.csv"}))
    assert labels(chosen) == {"photos/a.jpg": "red"}


def test_without_a_table_the_folders_tell(tmp_path):
    folder = write_folder(tmp_path / "set", files_of("name,score\na,1\n"))
    assert set(labels(found_in("folder", folder)).values()) == {None}


def test_a_source_of_very_many_tables_is_looked_through_once():
    found = Found([Entry(("photos", f"{number}.csv"), Path("none.csv"), 0) for number in range(20_000)])
    started = time.process_time()
    apply_tables(found, take_default)
    assert len(found.entries) == 20_000
    # Compared each with all, they took forty seconds.
    assert time.process_time() - started < 5


def table_set(tmp_path, text, names=PHOTOS, name="labels.csv", more=()):
    """Write photos and a table of them, given as text or bytes; return the folder."""
    content = text if isinstance(text, bytes) else text.encode()
    photos = [Case(each, jpeg(number), ACCEPTED) for number, each in enumerate(names)]
    return write_folder(tmp_path / "set", [*photos, Case(name, content, IGNORED), *more])


FLAT = [f"{letter}{n}.jpg" for letter in "ab" for n in range(3)]
FLAT_LABELS = {name: {"a": "cat", "b": "dog"}[name[0]] for name in FLAT}
WRITTEN = {
    "Hugging Face": ("metadata.csv", "file_name,label\n", "{f},{c}\n"),
    "Hugging Face, JSON lines": ("metadata.jsonl", "", '{{"file_name": "{f}", "label": "{c}", "note": [1]}}\n'),
    "fastai": ("labels.csv", "name,category\n", "{f},{c}\n"),
    "Kaggle": ("train.csv", "id,breed\n", "{s},{c}\n"),
    "Kaggle, image_id": ("train.csv", "image_id,label\n", "{f},{c}\n"),
    "Open Images": ("labels.csv", "ImageID,Source,LabelName,Confidence\n", "{s},verification,{c},1\n"),
    "Label Studio": ("project.csv", "annotator,choice,id,image\n", "1,{c},7,/data/upload/3/0a1b2c3d-{f}\n"),
    "Label Studio, local files": ("export.csv", "image,choice\n", "/data/local-files/?d=photos/{f},{c}\n"),
    "Label Studio, JSON": ("x.csv", "image,choice\n", 'https://x.org/u/{f}?v=1,"{{""choices"": [""{c}""]}}"\n'),
    "Label Studio, JSON-MIN": ("x.json", '[{{"image":"none","choice":"x"}}', ',{{"image": "{f}", "choice": "{c}"}}\n'),
    "Vertex AI": ("import.csv", "", "TRAIN,gs://bucket/flowers/{f},{c}\n"),
    "a list without a header": ("list.csv", "", "{f},{c}\n"),
    "a list of a training tool": ("train.txt", "", "{f} {c}\n"),
    "an index by pandas": ("labels.csv", ",filename,class\n", "0,{f},{c}\n"),
    "numbers and words": ("labels.csv", "filename,class_id,class_name\n", "{f},{n},{c}\n"),
    "one-hot columns": ("truth.csv", "image,cat,dog\n", "{s},{one},{two}\n"),
    "one-hot columns of numbers": ("truth.csv", "image,age,cat,dog\n", "{s},30,{one}.0,{two}.0\n"),
    "another language": ("tabelle.csv", "Foto;Sorte\n", "{f};{c}\n"),
    "a path of Windows": ("labels.csv", "path,label\n", "C:\\Users\\me\\{f},{c}\n"),
    "a leading ./": ("labels.csv", "path,label\n", "./{f},{c}\n"),
    "capitals": ("labels.csv", "PATH|LABEL\n", "{F}|{c}\n"),
}


def written(kind, names=FLAT):
    name, head, line = WRITTEN[kind]
    text = head.format()
    for each in names:
        cat = Path(each).name.startswith("a")
        text += line.format(
            f=each,
            F=each.upper(),
            s=each.removesuffix(".jpg"),
            c=("dog", "cat")[cat],
            n=int(cat),
            one=int(cat),
            two=1 - cat,
        )
    return name, text + ("]" if name.endswith(".json") else "")


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("way", ["folder", "table"])
def test_tables_of_other_tools_are_read(tmp_path, kind, way):
    name, text = written(kind)
    folder = table_set(tmp_path, text, FLAT, name)
    asked = Asked()
    found = found_in("folder", folder, ask=asked) if way == "folder" else found_in("csv", folder / name, ask=asked)
    assert labels(found) == FLAT_LABELS
    assert asked.keys == []
    assert set(reasons(found)) <= {"none"}


def test_ids_and_names_without_their_folders_are_looked_for(tmp_path):
    names = ["train/a0.jpg", "train/deep/0007.png", "train/x.y.jpg", "test/z.jpg"]
    rows = "id,label\na0,cat\n7,dog\nx.y,cat\nz.jpg,dog\nother/z.jpg,dog\nnone,cat\n"
    folder = table_set(tmp_path, rows, names)
    for kind, path in (("folder", folder), ("csv", folder / "labels.csv")):
        found = found_in(kind, path)
        assert labels(found) == dict(zip(names, ["cat", "dog", "cat", "dog"], strict=True)), kind
        assert set(reasons(found)) == {"other/z.jpg", "none"}


def test_a_name_that_several_files_have_is_not_guessed(tmp_path):
    names = ["train/1.jpg", "test/1.jpg", "train/2.jpg"]
    folder = table_set(tmp_path, "id,label\n1,cat\n2,dog\n", names)
    for kind, path in (("folder", folder), ("csv", folder / "labels.csv")):
        found = found_in(kind, path)
        # As a part of its own it is kept without a class, where folders are read.
        kept = {"test/1.jpg": None} if kind == "folder" else {}
        assert labels(found) == {"train/2.jpg": "dog"} | kept
        assert "'test/1.jpg', 'train/1.jpg'" in reasons(found)["1"]


def test_a_row_of_a_part_that_is_not_here_labels_no_other_photo(tmp_path):
    rows = "path,label\ntrain/1.jpg,cat\ntest/1.jpg,dog\ntrain/2.jpg,dog\n"
    folder = table_set(tmp_path, rows, ["top/train/1.jpg", "top/train/2.jpg"], "top/labels.csv")
    found = found_in("folder", folder)
    assert labels(found) == {"top/train/1.jpg": "cat", "top/train/2.jpg": "dog"}
    inside = table_set(tmp_path / "in", rows, ["1.jpg", "2.jpg"])
    assert labels(found_in("folder", inside)) == {"2.jpg": "dog"}, "of two that end in 1.jpg neither is guessed"


def test_a_table_in_a_folder_of_its_own_may_go_up_to_its_photos(tmp_path):
    folder = table_set(
        tmp_path, "path,label\n../img/a.jpg,cat\n../../b.jpg,dog\n", ["img/a.jpg", "img/b.jpg"], "notes/l.csv"
    )
    found = found_in("folder", folder)
    assert labels(found) == {"img/a.jpg": "cat"}
    assert "unsafe name" in reasons(found)["../../b.jpg"]


def test_each_part_may_have_a_table_of_its_own(tmp_path):
    more = [Case("test/metadata.csv", b"file_name,label\na.jpg,dog\n", IGNORED)]
    folder = table_set(
        tmp_path, "file_name,label\na.jpg,cat\n", ["train/a.jpg", "test/a.jpg"], "train/metadata.csv", more
    )
    assert labels(found_in("folder", folder)) == {"train/a.jpg": "cat", "test/a.jpg": "dog"}


def test_a_column_or_the_tables_name_tells_the_part(tmp_path):
    text = "path,label,split\nphotos/a.jpg,rose,Training\nphotos/b.jpg,tulip,val\nphotos/deep/c.jpg,rose,TEST\n"
    folder = table_set(tmp_path, text)
    splits = {"photos/a.jpg": "train", "photos/b.jpg": "validation", "photos/deep/c.jpg": "test"}
    for kind, path in (("folder", folder), ("csv", folder / "labels.csv")):
        assert {"/".join(entry.name): entry.split for entry in found_in(kind, path).entries} == splits
    named = table_set(tmp_path / "named", TABLE, PHOTOS, "test.csv")
    assert {entry.split for entry in found_in("folder", named).entries} == {"test"}


@pytest.mark.parametrize(("answer", "expected"), [(None, LABELS), ("folders", None)])
def test_where_the_folders_tell_other_classes_it_is_asked(tmp_path, answer, expected):
    names = ["x/a.jpg", "y/b.jpg", "y/c.jpg"]
    folder = table_set(tmp_path, "path,label\nx/a.jpg,rose\ny/b.jpg,tulip\ny/c.jpg,rose\n", names)
    asked = Asked({"table-or-folders": answer} if answer else {})
    found = found_in("folder", folder, ask=asked)
    assert asked.keys == ["table-or-folders"]
    assert [option.preview for option in asked.questions[0].options] == [
        "3 photos: 2 classes: rose, tulip",
        "3 files: 2 classes: x, y",
    ]
    assert set(labels(found).values()) == ({"rose", "tulip"} if expected else {None})
    assert found.ignored == 1


def test_where_folders_and_table_part_alike_the_table_names_the_classes(tmp_path):
    folder = table_set(tmp_path, "path,label\nn01/a.jpg,rose\nn02/b.jpg,tulip\n", ["n01/a.jpg", "n02/b.jpg"])
    asked = Asked()
    assert labels(found_in("folder", folder, ask=asked)) == {"n01/a.jpg": "rose", "n02/b.jpg": "tulip"}
    assert asked.keys == []


def test_a_table_of_a_few_photos_among_class_folders_is_not_what_is_advised(tmp_path):
    names = [f"{label}/{n}.jpg" for label in "xy" for n in range(5)]
    folder = table_set(tmp_path, "path,label\nx/0.jpg,good\nx/1.jpg,bad\ny/0.jpg,good\n", names)
    asked = Asked()
    assert set(labels(found_in("folder", folder, ask=asked)).values()) == {None}
    assert asked.questions[0].default == "folders"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("labels.csv", b"path,label\nelsewhere/q.jpg,rose\n", "name none of them, such as 'elsewhere/q.jpg'"),
        ("labels.csv", b"path,width,height\nphotos/a.jpg,640,480\n", "no column that is clearly the class"),
        ("labels.csv", b'path,label\nphotos/a.jpg,"rose\nphotos/b.jpg,tulip\n', "damaged line"),
        ("labels.xlsx", b"PK\3\4", "Save its sheet as CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_of_and_the_folders_decide(tmp_path, name, content, says):
    found = found_in("folder", table_set(tmp_path, content, name=name))
    assert set(labels(found)) == set(PHOTOS)
    assert set(labels(found).values()) == {None}
    assert says in reasons(found)[name]
    assert any(name in note and says in note for note in found.notes)


def test_a_spreadsheet_by_its_path_is_refused_with_a_remedy(tmp_path):
    folder = table_set(tmp_path, b"PK\3\4", name="labels.xlsx")
    with pytest.raises(DatasetError, match=r"Expected.*Received: 'labels.xlsx'.*CSV"):
        found_in("csv", folder / "labels.xlsx")


def test_a_table_of_other_things_leaves_the_class_folders_alone(tmp_path):
    names = [f"{label}/{n}.jpg" for label in "xy" for n in range(4)]
    text = "file,by\n" + "".join(f"{name},{'Ann' if number % 2 else 'Bob'}\n" for number, name in enumerate(names))
    asked = Asked()
    found = found_in("folder", table_set(tmp_path, text, names), ask=asked)
    assert set(labels(found).values()) == {None}
    assert asked.keys == []
    assert "'by'" in reasons(found)["labels.csv"]
