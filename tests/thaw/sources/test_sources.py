import json
import os
import socket
import tarfile

import pytest

from tests.support.pictures.corpus import (
    ACCEPTED,
    IGNORED,
    UNSAFE_NAMES,
    Case,
    jpeg,
    write_classes,
    write_folder,
    write_upload,
    write_zip,
    zip_of,
)
from thaw.archives.entries import Found
from thaw.sources.sources import Source, collect, kind_of
from tlcore.errors import DatasetError


def found_in(kind, path, unpacked):
    return collect(Source(kind, path, str(path)), unpacked, lambda *_: None, lambda: None)


def names(found: Found):
    return sorted("/".join(entry.name) for entry in found.entries)


def reasons(found: Found):
    return {row.name: row.reason for row in found.set_aside}


def test_a_folder_gives_its_files_and_counts_what_it_ignores(tmp_path):
    files = [Case("rose/a.jpg", jpeg(1), ACCEPTED), Case("rose/deep/b.jpg", jpeg(2), ACCEPTED)]
    folder = write_folder(tmp_path / "photos", [*files, Case("rose/.DS_Store", b"", IGNORED)])
    found = found_in("folder", folder, tmp_path / "unpacked")
    assert names(found) == ["rose/a.jpg", "rose/deep/b.jpg"]
    assert (found.ignored, found.count) == (1, 3)
    assert {entry.size for entry in found.entries} == {len(jpeg(1)), len(jpeg(2))}
    assert not (tmp_path / "unpacked").exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
def test_links_loops_pipes_and_sockets_are_reported_and_not_followed(tmp_path):
    rose = write_classes(tmp_path / "photos", {"rose": 1}) / "rose"
    (rose / "link.jpg").symlink_to(rose / "0.jpg")
    (rose / "loop").symlink_to(tmp_path / "photos", target_is_directory=True)
    (rose / "broken.jpg").symlink_to("nowhere")
    os.mkfifo(rose / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(rose / "s.jpg"))
        found = found_in("folder", tmp_path / "photos", tmp_path / "unpacked")
    assert names(found) == ["rose/0.jpg"]
    said = reasons(found)
    assert all("symbolic link" in said[f"rose/{name}"] for name in ("link.jpg", "loop", "broken.jpg"))
    assert all("not a plain file" in said[f"rose/{name}"] for name in ("pipe.jpg", "s.jpg"))
    assert found.count == 6


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_reported(tmp_path):
    write_classes(tmp_path / "photos", {"rose": 1, "tulip": 1})
    (tmp_path / "photos" / "tulip").chmod(0)
    found = found_in("folder", tmp_path / "photos", tmp_path / "unpacked")
    (tmp_path / "photos" / "tulip").chmod(0o755)
    assert "cannot be read" in reasons(found)["tulip"]


@pytest.mark.skipif(os.name != "posix", reason="names as bytes")
def test_names_that_are_not_utf8_stay_apart(tmp_path):
    for folder in (b"caf\xe9", b"caf\xea"):
        path = tmp_path / "photos" / os.fsdecode(folder)
        path.mkdir(parents=True)
        (path / "a.jpg").write_bytes(jpeg(1))
    found = found_in("folder", tmp_path / "photos", tmp_path / "unpacked")
    assert names(found) == ["café/a.jpg", "cafê/a.jpg"]
    assert all(entry.path.read_bytes() == jpeg(1) for entry in found.entries)


def test_unsafe_names_are_set_aside_one_by_one(tmp_path):
    files = [Case(name, jpeg(1), ACCEPTED) for name in [*UNSAFE_NAMES, "rose/a.jpg"]]
    found = found_in("staged", write_upload(tmp_path / "upload", files), tmp_path / "unpacked")
    assert names(found) == ["rose/a.jpg"]
    assert reasons(found).keys() == set(UNSAFE_NAMES)
    assert all("unsafe name" in reason for reason in reasons(found).values())


def test_an_upload_gives_what_arrived_whole(tmp_path):
    files = [Case(f"photos/rose/{n}.jpg", jpeg(n), ACCEPTED) for n in range(3)]
    staging = write_upload(tmp_path / "upload", files)
    (staging / "files" / "1").write_bytes(b"part")
    with (staging / "manifest.jsonl").open("a") as manifest:
        manifest.write(json.dumps({"name": "photos/rose/x.jpg", "reason": "the browser could not read it"}) + "\n")
        manifest.write(json.dumps({"name": "evil.jpg", "file": "../manifest.jsonl", "size": 1}) + "\n")
        manifest.write('{"file": "9", "na')
    found = found_in("staged", staging, tmp_path / "unpacked")
    assert names(found) == ["photos/rose/0.jpg", "photos/rose/2.jpg"]
    said = reasons(found)
    assert said["photos/rose/x.jpg"] == "the browser could not read it"
    assert "did not arrive whole" in said["photos/rose/1.jpg"]
    assert "did not arrive whole" in said["evil.jpg"]


def test_hidden_files_are_counted_by_every_way_in(tmp_path):
    hidden = [".git/objects/ab", "rose/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "rose/.ipynb_checkpoints/a-checkpoint.jpg"]
    files = [Case("rose/a.jpg", jpeg(1), ACCEPTED), *(Case(name, jpeg(2), IGNORED) for name in hidden)]
    folder = write_folder(tmp_path / "folder", files)
    (folder / ".empty").mkdir()
    packed = write_zip(tmp_path / "photos.zip", files)
    tar = tmp_path / "photos.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(folder, "photos")
    upload = write_upload(tmp_path / "upload", files[:1])
    with (upload / "manifest.jsonl").open("a") as manifest:
        manifest.writelines(json.dumps({"name": name, "reason": "hidden"}) + "\n" for name in hidden)
    for kind, path in (("folder", folder), ("zip", packed), ("tar", tar), ("staged", upload)):
        found = found_in(kind, path, tmp_path / f"unpacked-{kind}")
        assert (len(found.entries), found.ignored, found.set_aside, found.notes) == (1, 3, [], []), kind


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_what_lies_in_a_hidden_folder_and_is_no_plain_file_is_ignored_too(tmp_path):
    folder = write_folder(tmp_path / "folder", [Case("rose/a.jpg", jpeg(1), ACCEPTED), Case(".venv/b", b"", IGNORED)])
    (folder / ".venv" / "python").symlink_to("/usr/bin/python3")
    found = found_in("folder", folder, tmp_path / "unpacked")
    assert (found.ignored, found.set_aside) == (2, [])


def test_what_a_table_lists_is_meant_even_in_a_hidden_folder(tmp_path):
    folder = write_folder(tmp_path / ".cache", [Case(".shots/a.jpg", jpeg(1), ACCEPTED)])
    (folder / "labels.csv").write_text("path,label\n.shots/a.jpg,rose\n")
    found = found_in("csv", folder / "labels.csv", tmp_path / "unpacked")
    assert (names(found), found.ignored) == ([".shots/a.jpg"], 0)


def test_a_lone_zip_is_unpacked_wherever_it_lies(tmp_path):
    content = zip_of({"photos/rose/a.jpg": jpeg(1), "photos/tulip/b.jpg": jpeg(2)})
    files = [Case("photos.ZIP", content, ACCEPTED), Case(".DS_Store", b"", IGNORED)]
    folder = write_folder(tmp_path / "folder", files)
    ways = [("folder", folder), ("staged", write_upload(tmp_path / "upload", files))]
    ways += [("folder", folder / "photos.ZIP"), ("zip", folder / "photos.ZIP")]
    for number, (kind, path) in enumerate(ways):
        found = found_in(kind, path, tmp_path / f"unpacked-{number}")
        assert names(found) == ["photos/rose/a.jpg", "photos/tulip/b.jpg"]


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "TGZ"])
def test_a_lone_tar_is_unpacked_wherever_it_lies(tmp_path, suffix):
    photos = write_classes(tmp_path / "photos", {"rose": 1, "tulip": 1})
    folder = write_folder(tmp_path / "folder", [Case(".DS_Store", b"", IGNORED)])
    archive = folder / f"photos.{suffix}"
    with tarfile.open(archive, "w" if suffix == "tar" else "w:gz") as packed:
        packed.add(photos, "photos")
    upload = write_upload(tmp_path / "upload", [Case(archive.name, archive.read_bytes(), ACCEPTED)])
    for number, (kind, path) in enumerate(
        [("tar", archive), ("folder", archive), ("folder", folder), ("staged", upload)]
    ):
        found = found_in(kind, path, tmp_path / f"unpacked-{number}")
        assert names(found) == ["photos/rose/0.jpg", "photos/tulip/0.jpg"]
        assert all(
            entry.path.read_bytes() == (photos.parent / "/".join(entry.name)).read_bytes() for entry in found.entries
        )


@pytest.mark.parametrize(
    ("name", "kind"),
    [("photos", "folder"), ("a.ZIP", "zip"), ("a.tar", "tar"), ("a.tar.gz", "tar"), ("a.tgz", "tar"), ("a.Csv", "csv")],
)
def test_the_kind_of_a_path_is_told_by_its_name(name, kind, tmp_path):
    assert kind_of(tmp_path / name) == kind
    write_classes(tmp_path / name, {"rose": 1})
    assert names(found_in(kind, tmp_path / name, tmp_path / "unpacked")) == ["rose/0.jpg"], (
        "a folder is one by any name"
    )


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "csv", "staged"])
def test_a_source_that_is_not_there_is_refused(kind, tmp_path):
    with pytest.raises(DatasetError, match=r"Expected .* Received"):
        found_in(kind, tmp_path / "missing", tmp_path / "unpacked")


def test_folders_in_two_spellings_are_noted(tmp_path):
    files = [Case(name, jpeg(1), ACCEPTED) for name in ("caf\u00e9/a.jpg", "cafe\u0301/b.jpg")]
    found = found_in("staged", write_upload(tmp_path / "upload", files), tmp_path / "unpacked")
    assert names(found) == ["caf\u00e9/a.jpg", "caf\u00e9/b.jpg"]
    assert "merged into one" in found.notes[0]


def test_an_empty_class_folder_is_told(tmp_path):
    (tmp_path / "photos" / "nothing").mkdir(parents=True)
    (tmp_path / "photos" / "rose").mkdir()
    (tmp_path / "photos" / "rose" / "a.jpg").write_bytes(b"x")
    source = Source("folder", tmp_path / "photos", "here")
    found = collect(source, tmp_path / "unpacked", lambda *_: None, lambda: None)
    assert found.notes == ["The folder 'nothing' is empty and makes no class."]
