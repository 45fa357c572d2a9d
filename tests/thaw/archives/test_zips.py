import json
import os
import shutil
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.support.pictures.corpus import (
    UNSAFE_NAMES,
    digests,
    in_words,
    jpeg,
    many_entries_zip,
    overlapping_zip,
    two_faced_zip,
    zip_of,
)
from thaw.archives.zips import unpack
from thaw.names import check_name
from thaw.sources.sources import Source, collect
from tlcore.errors import DatasetError, ImageRejected

ROOT = Path(__file__).parents[3]
MORE_MEMORY_BYTES = 200_000_000

# A process begins with the peak of the one that started it, so a small one of its own asks for the import.
MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.stdout.flush()
sys.stdout.buffer.write(done.stdout)
"""


def unpack_all(tmp_path, content):
    archive = tmp_path / "photos.zip"
    archive.write_bytes(content)
    return list(unpack(archive, tmp_path / "unpacked", lambda *_: None, lambda: None))


def refusal(tmp_path, content):
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(DatasetError) as error:
        unpack_all(tmp_path, content)
    assert {path.name for path in tmp_path.iterdir()} - before <= {"photos.zip", "unpacked"}
    return str(error.value)


def lying(content, declared):
    """Change the size that the central directory declares for the first file."""
    at = content.index(b"PK\1\2")
    return content[: at + 24] + struct.pack("<L", declared) + content[at + 28 :]


def test_files_come_out_whole_under_numbers(tmp_path):
    files = {"rose/a.jpg": jpeg(1), "tulip/ü.jpg": jpeg(2)}
    unpacked = unpack_all(tmp_path, zip_of(files))
    assert {file.name: file.path.read_bytes() for file in unpacked} == files
    assert sorted(path.name for path in (tmp_path / "unpacked").iterdir()) == ["0", "1"]


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_names_arrive_as_they_stand_in_the_zip(name, tmp_path):
    raw = name.encode()
    stand_in = "x" * len(raw)
    content = zip_of({stand_in: jpeg(1)}).replace(stand_in.encode(), raw)
    (file,) = unpack_all(tmp_path, content)
    assert file.name == name
    assert {path.name for path in tmp_path.iterdir()} == {"photos.zip", "unpacked"}
    with pytest.raises(ImageRejected, match="unsafe"):
        check_name(file.name)


def test_utf8_names_without_their_mark_are_read(tmp_path):
    content = zip_of({"rose/xx.jpg": jpeg(1)}).replace(b"xx.jpg", "ü.jpg".encode())
    assert unpack_all(tmp_path, content)[0].name == "rose/ü.jpg"


def test_a_cut_zip_is_refused(tmp_path):
    whole = zip_of({f"rose/{n}.jpg": jpeg(n) for n in range(5)})
    for kept in (0, 10, len(whole) // 2, len(whole) - 5):
        assert "cut off or damaged" in refusal(tmp_path, whole[:kept])


def test_a_damaged_zip_is_refused(tmp_path):
    whole = bytearray(zip_of({"rose/a.jpg": jpeg(1)}))
    whole[60] ^= 0xFF
    assert "damaged" in refusal(tmp_path, bytes(whole))


def test_a_file_under_two_names_is_refused_without_their_raw_bytes(tmp_path):
    said = refusal(tmp_path, zip_of({"rose/ü.jpg": jpeg(1)}).replace("ü.jpg".encode(), "ö.jpg".encode(), 1))
    assert "damaged (the header of a file is not the one that the list tells of)" in said


@pytest.mark.parametrize("declared", [1, 10**9])
def test_a_lie_about_a_size_is_refused(declared, tmp_path):
    assert "damaged" in refusal(tmp_path, lying(zip_of({"rose/a.jpg": jpeg(1)}), declared))


def test_an_encrypted_zip_is_refused(tmp_path):
    content = bytearray(zip_of({"rose/a.jpg": jpeg(1)}))
    content[content.index(b"PK\1\2") + 8] |= 1
    assert "encrypted" in refusal(tmp_path, bytes(content))


def test_a_nested_zip_is_refused(tmp_path):
    assert "another zip" in refusal(tmp_path, zip_of({"rose/a.jpg": jpeg(1), "more.ZIP": zip_of({"b": b"c"})}))


def test_overlapping_entries_are_refused(tmp_path):
    assert "overlap" in refusal(tmp_path, overlapping_zip())


def test_other_compression_is_refused(tmp_path):
    assert "compression" in refusal(tmp_path, zip_of({"rose/a.jpg": jpeg(1)}, zipfile.ZIP_LZMA))


def test_a_bomb_is_refused_by_its_real_bytes(tmp_path):
    assert "zip bomb" in refusal(tmp_path, zip_of({"rose/a.bmp": b"\0" * 40_000_000}))
    assert sum(path.stat().st_size for path in (tmp_path / "unpacked").iterdir()) < 11_000_000


def test_a_bomb_of_many_small_files_is_refused(tmp_path):
    assert "zip bomb" in refusal(tmp_path, zip_of({f"rose/{n}.bmp": b"\0" * 4_000_000 for n in range(8)}))


def test_a_million_entries_are_refused_before_they_are_in_memory(tmp_path):
    content = many_entries_zip(1_000_000)
    tracemalloc.start()
    try:
        assert "a list of entries of 53 MB" in refusal(tmp_path, content)
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


def test_an_honest_large_zip_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as packed:
        for number in range(66_000):
            packed.writestr(f"rose/{number}.txt", b"")
    content = (tmp_path / "made.zip").read_bytes()
    assert b"PK\x06\x06" in content
    (tmp_path / "unpacked").mkdir()
    unpacked = unpack(tmp_path / "made.zip", tmp_path / "unpacked", lambda *_: None, lambda: None)
    assert next(unpacked).name == "rose/0.txt"


def test_a_file_over_the_cap_is_set_aside_and_the_rest_kept(tmp_path):
    huge = zipfile.ZIP_STORED
    big, small = unpack_all(tmp_path, zip_of({"rose/big.jpg": b"\1" * 50_000_001, "rose/a.jpg": jpeg(1)}, huge))
    assert big.path is None
    assert "50 MB" in big.reason
    assert small.path.read_bytes() == jpeg(1)


def test_a_link_in_a_zip_is_set_aside(tmp_path):
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as packed:
        link = zipfile.ZipInfo("rose/link.jpg")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    (file,) = unpack_all(tmp_path, (tmp_path / "made.zip").read_bytes())
    assert file.path is None
    assert "symbolic link" in file.reason


def test_mutants_are_unpacked_or_refused_and_nothing_else(tmp_path):
    random = np.random.default_rng(0)
    whole = zip_of({"rose/a.jpg": jpeg(1), "tulip/b.jpg": jpeg(2)})
    refused = 0
    for _ in range(300):
        mutant = bytearray(whole)
        # Most of a zip is pixels; its claims stand in the last bytes.
        for at in random.integers(len(whole) - 250, len(whole), 3):
            mutant[at] ^= int(random.integers(1, 256))
        try:
            unpack_all(tmp_path, bytes(mutant))
        except DatasetError:
            refused += 1
    assert 100 < refused < 300
    assert {path.name for path in tmp_path.iterdir()} == {"photos.zip", "unpacked"}


def encrypted_zip():
    content = bytearray(zip_of({"rose/a.jpg": jpeg(1)}))
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


HOSTILE = {
    "ratio": (lambda: zip_of({"rose/a.bmp": bytes(200_000_000)}), "zip bomb"),
    "many files": (lambda: zip_of({f"rose/{n}.bmp": bytes(4_000_000) for n in range(40)}), "zip bomb"),
    "nested": (lambda: zip_of({"rose/a.jpg": jpeg(1), "more.zip": zip_of({"b": bytes(9_000_000)})}), "another zip"),
    "overlapping": (overlapping_zip, "overlap"),
    "larger than it says": (lambda: lying(zip_of({"rose/a.jpg": jpeg(1)}), 1), "damaged"),
    "smaller than it says": (lambda: lying(zip_of({"rose/a.jpg": jpeg(1)}), 10**9), "damaged"),
    "1,000,000 entries": (lambda: many_entries_zip(1_000_000), "a list of entries of"),
    "150,000 entries": (lambda: many_entries_zip(150_000), "over 100,000 entries"),
    "99,999 entries": (lambda: many_entries_zip(99_999), "overlap"),
    "long names": (lambda: many_entries_zip(70_000, b"a/" + b"n" * 150 + "\U0001f600.jpg".encode()), "long names"),
    "two-faced": (lambda: two_faced_zip(250_000), "250,000 entries"),
    "encrypted": (encrypted_zip, "encrypted"),
    "cut": (lambda: zip_of({"rose/a.jpg": jpeg(1)})[:-30], "cut off"),
    "names that climb": (lambda: zip_of({f"{'../' * n}evil{n}.jpg": jpeg(n) for n in range(1, 9)}), "unsafe name"),
}


def import_measured(world, archive):
    """Import by the command line, at home in `world`; return its JSON, and the peak memory in bytes."""
    words = ["-m", "thaw", "import", str(archive), "--json", "--workspace", str(world / "workspace")]
    home = {name: str(world / "home") for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, sys.executable, *words],
        capture_output=True,
        check=True,
        cwd=world / "home",
        env=os.environ | home | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    peak, _, answer = done.stdout.partition(b"\n")
    # Linux counts in kilobytes, macOS in bytes.
    return json.loads(answer), int(peak) * (1 if sys.platform == "darwin" else 1024)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a home, a neighbour of it, and room for a workspace."""
    world = tmp_path_factory.mktemp("world")
    for name in ("home", "neighbour"):
        (world / name).mkdir()
        (world / name / "evil1.jpg").write_bytes(b"mine")
    return world


@pytest.fixture(scope="module")
def harmless_bytes(world):
    archive = world / "harmless.zip"
    archive.write_bytes(
        zip_of({f"{label}/{n}.jpg": jpeg(10 * n + len(label)) for label in ("a", "bb") for n in range(5)})
    )
    answer, peak = import_measured(world, archive)
    assert answer["accepted"] == 10
    shutil.rmtree(world / "workspace")
    return peak


@pytest.mark.skipif(os.name != "posix", reason="the peak of a process's memory, as POSIX tells it")
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_changes_nothing_and_takes_little_memory(kind, world, harmless_bytes):
    make, reason = HOSTILE[kind]
    archive = world / "hostile.zip"
    archive.write_bytes(make())
    before = digests(world)
    answer, peak = import_measured(world, archive)
    assert set(answer) == {"error"}
    assert reason in answer["error"]
    assert in_words(answer["error"].replace(str(archive), "it"))
    after = {name: content for name, content in digests(world).items() if not name.startswith("workspace")}
    assert after == before
    assert [list((world / "workspace" / name).iterdir()) for name in ("datasets", "staging")] == [[], []]
    assert peak < harmless_bytes + MORE_MEMORY_BYTES
    shutil.rmtree(world / "workspace")


raw_names = some.binary(min_size=1, max_size=40) | some.text(min_size=1, max_size=20).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
parts = some.sampled_from([b"..", b".", b"", b"a", b"C:", b"\\", b"\0", b"x.jpg"])
hostile_names = some.lists(parts, min_size=1, max_size=5).map(b"/".join)


@settings(deadline=None, max_examples=150)
@given(names=some.lists(raw_names | hostile_names, min_size=1, max_size=6), marked=some.booleans())
def test_whatever_the_entries_are_called_each_is_accounted_for_inside_the_folder(names, marked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("named")
    content = zip_of({f"{number:060d}": b"x" for number in range(len(names))}, zipfile.ZIP_STORED)
    for number, name in enumerate(names):
        # Names of one length, so that they can be put into a finished zip.
        content = content.replace(b"%060d" % number, name + b"-" * (60 - len(name)))
    if marked:
        content = content.replace(b"PK\1\2\x14\x03\x14\0\0\0", b"PK\1\2\x14\x03\x14\0\0\x08")
    (folder / "named.zip").write_bytes(content)
    outside = digests(folder)
    try:
        found = collect(Source("zip", folder / "named.zip", ""), folder / "unpacked", lambda *_: None, lambda: None)
    except DatasetError as refused:
        reason = str(refused)
        assert in_words(reason)
    else:
        assert found.count == len(names)
        assert all(entry.path.parent == folder / "unpacked" and entry.path.is_file() for entry in found.entries)
        assert all(".." not in entry.name and entry.name[0] != "" for entry in found.entries)
    written = {name for name in digests(folder) if not name.startswith("unpacked" + os.sep)}
    assert written == set(outside)
    shutil.rmtree(folder)
