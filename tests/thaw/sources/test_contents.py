import io
import json
import shutil
import tarfile
import zipfile

import pytest

from tests.support.pictures.corpus import (
    ACCEPTED,
    Case,
    digests,
    jpeg,
    overlapping_zip,
    write_folder,
    write_upload,
    zip_of,
)
from tests.support.pictures.raw_zip import raw_zip
from thaw.archives import archives, zips
from thaw.sources import contents
from thaw.sources.sources import Source, collect
from thaw.storage.questions import require_answer, take_default
from thaw.tables.code_pages import MOST_READINGS
from tlcore.errors import DatasetError


class Asked:
    """Answers questions as they are advised, or as `answers` says, and remembers them."""

    def __init__(self, **answers):
        self.answers, self.questions = answers, []

    def __call__(self, question):
        self.questions.append(question)
        return require_answer(question, self.answers.get(question.key, question.default))


def tar_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.GNU_FORMAT, encoding="latin-1") as packed:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def source_of(tmp_path, kind, files):
    """Write files as a folder or as an upload; return the source."""
    shutil.rmtree(tmp_path / kind, ignore_errors=True)
    cases = [Case(name, content, ACCEPTED) for name, content in files.items()]
    write = {"folder": write_folder, "staged": write_upload}[kind]
    return Source(kind, write(tmp_path / kind, cases), "here")


def found_in(tmp_path, kind, files, ask=take_default):
    source = source_of(tmp_path, kind, files)
    before = digests(source.path)
    found = collect(source, tmp_path / "unpacked", lambda *_: None, lambda: None, ask)
    assert digests(source.path) == before
    assert found.count == len(found.entries) + len(found.set_aside) + found.ignored
    return found


def names(found):
    return sorted("/".join(entry.name) for entry in found.entries)


def reasons(found):
    return {row.name: row.reason for row in found.set_aside}


@pytest.mark.parametrize("kind", ["folder", "staged"])
def test_one_archive_a_class_makes_classes(tmp_path, kind):
    cats, dogs = {f"{n}.jpg": jpeg(n) for n in range(2)}, {f"{n}.jpg": jpeg(9 + n) for n in range(2)}
    found = found_in(tmp_path, kind, {"cats.zip": zip_of(cats), "dogs.tar.gz": tar_of(dogs)})
    assert names(found) == ["cats/0.jpg", "cats/1.jpg", "dogs/0.jpg", "dogs/1.jpg"]
    contents_of = {"/".join(entry.name): entry.path.read_bytes() for entry in found.entries}
    assert contents_of["cats/1.jpg"] == jpeg(1)
    assert contents_of["dogs/1.jpg"] == jpeg(10)
    assert found.count == 4
    assert any("cats, dogs" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["folder", "staged"])
def test_archives_beside_photos_are_unpacked_and_no_bad_pictures(tmp_path, kind):
    files = {"set/cats/a.jpg": jpeg(1), "set/cats/more.zip": zip_of({"b.jpg": jpeg(2)})}
    found = found_in(tmp_path, kind, files | {"set/dogs.zip": zip_of({"dogs/c.jpg": jpeg(3)})})
    assert names(found) == ["set/cats/a.jpg", "set/cats/b.jpg", "set/dogs/c.jpg"]
    assert reasons(found) == {}


def test_a_lone_archive_keeps_its_names_and_what_lies_beside_it_is_counted(tmp_path):
    found = found_in(tmp_path, "folder", {"set.zip": zip_of({"a.jpg": jpeg(1)}), ".DS_Store": b"", "read me.md": b"hi"})
    assert names(found) == ["a.jpg", "read me.md"]
    assert found.ignored == 1


@pytest.mark.parametrize("bad", [b"no zip", zip_of({"a.bmp": bytes(40_000_000)}), overlapping_zip()])
def test_a_bad_archive_costs_itself_and_not_the_others(tmp_path, bad):
    found = found_in(tmp_path, "folder", {"bad.zip": bad, "cats.zip": zip_of({"a.jpg": jpeg(1)})})
    assert names(found) == ["cats/a.jpg"]
    assert "left out: Expected" in reasons(found)["bad.zip"]
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == ["1"]


def test_the_limit_on_all_bytes_holds_for_all_archives_together(tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "MAX_TOTAL_BYTES", 250_000)
    files = {f"{n}.zip": zip_of({"a.bin": bytes([n]) * 100_000}, zipfile.ZIP_STORED) for n in range(2)}
    files |= {"2.tgz": tar_of({"a.bin": bytes(100_000)})}
    found = found_in(tmp_path, "folder", files)
    assert names(found) == ["0/a.bin", "1/a.bin"]
    assert "more than" in reasons(found)["2.tgz"]


def test_the_limits_on_archives_and_files_hold_for_all_together(tmp_path, monkeypatch):
    files = {f"{n}.zip": zip_of({f"{m}.jpg": b"x" for m in range(3)}) for n in range(3)}
    monkeypatch.setattr(contents, "MAX_ARCHIVES", 2)
    with pytest.raises(DatasetError, match=r"Expected at most 2 archives\. Received: 3"):
        found_in(tmp_path, "folder", files)
    monkeypatch.setattr(contents, "MAX_ARCHIVES", archives.MAX_ARCHIVES)
    monkeypatch.setattr(contents, "MAX_FILES", 8)
    with pytest.raises(DatasetError, match="Expected at most"):
        found_in(tmp_path, "folder", files)


def test_an_archive_in_an_archive_is_never_unpacked(tmp_path):
    inner = zip_of({"b.jpg": jpeg(2)})
    with pytest.raises(DatasetError, match="another zip inside it"):
        found_in(tmp_path, "folder", {"all.zip": zip_of({"cats.zip": inner})})
    found = found_in(tmp_path, "folder", {"x.tgz": tar_of({"cats.zip": inner}), "cats.zip": zip_of({"a.jpg": jpeg(1)})})
    assert names(found) == ["cats/a.jpg", "x/cats.zip"]


def test_unsafe_names_in_several_archives_are_refused_one_by_one(tmp_path):
    files = {"cats.zip": zip_of({"../evil.jpg": jpeg(1), "a.jpg": jpeg(2)}), "dogs.zip": zip_of({"/b.jpg": jpeg(3)})}
    found = found_in(tmp_path, "staged", files)
    assert names(found) == ["cats/a.jpg"]
    assert all("unsafe name" in reasons(found)[name] for name in ("../evil.jpg", "/b.jpg"))


WINDOWS = {"photos\\bolt\\": b"", "photos\\bolt\\1.jpg": jpeg(1), "photos\\nut\\2.jpg": jpeg(2)}


def windows_zip(files, system=0):
    return raw_zip({name.encode("cp850"): content for name, content in files.items()}, system)


def test_backslashes_of_windows_part_folders(tmp_path):
    found = found_in(tmp_path, "staged", {"photos.zip": windows_zip(WINDOWS)})
    assert names(found) == ["photos/bolt/1.jpg", "photos/nut/2.jpg"]
    assert found.count == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("..\\evil.jpg", "unsafe"),
        ("a\\..\\b.jpg", "unsafe"),
        ("C:\\evil.jpg", "drive"),
        ("\\\\host\\x.jpg", "absolute"),
    ],
)
def test_backslashes_lead_nowhere_else(tmp_path, name, says):
    found = found_in(tmp_path, "folder", {"photos.zip": windows_zip({name: jpeg(1), "cats\\a.jpg": jpeg(2)})})
    assert names(found) == ["cats/a.jpg"]
    (reason,) = reasons(found).values()
    assert says in reason


def test_backslashes_in_zips_of_other_systems_stay_unsafe(tmp_path):
    found = found_in(tmp_path, "folder", {"photos.zip": windows_zip(WINDOWS, system=3)})
    assert names(found) == []
    assert all("backslash" in reason for reason in reasons(found).values())


@pytest.mark.parametrize(
    ("codec", "classes"),
    [
        ("gbk", ["苹果", "香蕉"]),
        ("cp932", ["表", "ひまわり"]),
        ("cp866", ["кошка", "собака"]),
        ("cp850", ["Käse", "Äpfel", "Grün"]),
    ],
)
@pytest.mark.parametrize("way", ["zip", "tar", "folder"])
def test_code_pages_are_guessed_shown_and_can_be_corrected(tmp_path, codec, classes, way):
    raws = {f"{label}/{n}.jpg".encode(codec): jpeg(n) for n, label in enumerate(classes)}
    if way == "zip":
        files = {"photos.zip": raw_zip(raws)}
    elif way == "tar":
        files = {"photos.tar.gz": tar_of({raw.decode("latin-1"): content for raw, content in raws.items()})}
    else:
        files = {raw.decode("utf-8", "surrogateescape"): content for raw, content in raws.items()}
    asked = Asked()
    found = found_in(tmp_path, "folder", files, asked)
    assert names(found) == sorted(f"{label}/{n}.jpg" for n, label in enumerate(classes))
    assert any("were read as" in note for note in found.notes)
    for question in asked.questions:
        assert question.key == "names"
        assert len(question.options) <= MOST_READINGS
        shown = {option.key: option.preview for option in question.options}
        assert shown[question.default] == ", ".join(sorted(classes))
        other = next(key for key in shown if key != question.default)
        shutil.rmtree(tmp_path / "unpacked", ignore_errors=True)
        corrected = found_in(tmp_path, "folder", files, Asked(names=other))
        assert {entry.name[0] for entry in corrected.entries} == set(shown[other].split(", "))


def test_one_question_is_asked_for_all_archives(tmp_path):
    files = {f"{n}.zip": raw_zip({f"{label}/1.jpg".encode("gbk"): jpeg(n)}) for n, label in enumerate(["苹果", "香蕉"])}
    asked = Asked()
    assert names(found_in(tmp_path, "folder", files, asked)) == ["苹果/1.jpg", "香蕉/1.jpg"]
    assert len(asked.questions) <= 1


def test_names_that_make_no_sense_stay_apart_and_are_told_of(tmp_path):
    raws = {bytes([0x80 + n, 0xFF - n, 0x81]) * 3 + b"/1.jpg": jpeg(n) for n in range(4)}
    found = found_in(tmp_path, "folder", {"photos.zip": raw_zip(raws)})
    assert len({entry.name for entry in found.entries}) == 4
    assert found.notes


def test_a_project_of_teachable_machine_gives_its_classes(tmp_path):
    manifest = json.dumps({"type": "image", "version": "2.4.7", "appdata": {}}).encode()
    files = {"Class 1-!-0.jpg": jpeg(1), "Class 1-!-1.jpg": jpeg(2), "Ö-!-0.jpg": jpeg(3), "manifest.json": manifest}
    found = found_in(tmp_path, "staged", {"project.tm": zip_of(files)})
    assert names(found) == ["Class 1/0.jpg", "Class 1/1.jpg", "manifest.json", "Ö/0.jpg"]


@pytest.mark.parametrize("name", ["photos.7z", "photos.rar", "photos.zip.001", "photos.tar.xz", "a.jpg.gz"])
def test_archives_that_are_not_read_are_set_aside_with_advice(tmp_path, name):
    found = found_in(tmp_path, "folder", {f"cats/{name}": b"some bytes", "cats/a.jpg": jpeg(1)})
    assert names(found) == ["cats/a.jpg"]
    assert "add the folder" in reasons(found)[f"cats/{name}"]
    path = tmp_path / "folder" / "cats" / name
    with pytest.raises(DatasetError, match=r"Expected a folder.*Received: .*add the folder"):
        collect(Source("folder", path, str(path)), tmp_path / "unpacked", lambda *_: None, lambda: None)


def test_the_last_part_of_a_zip_in_parts_is_told_from_a_damaged_zip(tmp_path):
    content = bytearray(zip_of({"cats/a.jpg": jpeg(1)}))
    at = content.rindex(b"PK\5\6")
    content[at + 4 : at + 8] = b"\2\0\2\0"
    with pytest.raises(DatasetError, match="one part of an archive in parts"):
        found_in(tmp_path, "folder", {"photos.zip": bytes(content)})
