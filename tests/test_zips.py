import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from tests.corpus import UNSAFE_NAMES, jpeg, many_entries_zip, overlapping_zip, zip_of
from tlcore.errors import DatasetError, ImageRejected
from tlcore.names import check_name
from tlcore.zips import unpack


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
        assert "200,000 entries" in refusal(tmp_path, content)
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


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
