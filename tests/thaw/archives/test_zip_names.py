import io
import struct
import zipfile
import zlib

import pytest

from tests.support.pictures.raw_zip import raw_zip
from thaw.archives.zip_names import has_backslashes, read_name


def unicode_field(raw, name, version=1, checksum=None):
    body = struct.pack("<BL", version, zlib.crc32(raw) if checksum is None else checksum) + name
    return struct.pack("<HH", 0x7075, len(body)) + body


def entries(content):
    return zipfile.ZipFile(io.BytesIO(content)).infolist()


def named(content):
    (info,) = entries(content)
    return read_name(info)


RUSSIAN = "кошка/1.jpg".encode("cp866")


def test_a_name_in_ascii_is_sure():
    assert named(raw_zip({b"cat/1.jpg": b""})) == ("cat/1.jpg", b"")


def test_a_marked_name_is_sure():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("кошка/1.jpg", b"")
    assert named(buffer.getvalue()) == ("кошка/1.jpg", b"")


def test_the_unicode_field_tells_the_name():
    other = struct.pack("<HH", 0x5455, 5) + b"\1\2\3\4\5"
    content = raw_zip({RUSSIAN: b""}, extra=other + unicode_field(RUSSIAN, "кошка/1.jpg".encode()))
    assert named(content) == ("кошка/1.jpg", b"")


@pytest.mark.parametrize(
    "extra",
    [
        b"",
        unicode_field(RUSSIAN, "собака/1.jpg".encode(), checksum=7),
        unicode_field(RUSSIAN, "собака/1.jpg".encode(), version=2),
        unicode_field(RUSSIAN, b"\xff\xfe"),
        unicode_field(RUSSIAN, b""),
        b"\x75\x70",
    ],
)
def test_without_a_field_that_fits_the_bytes_are_kept(extra):
    name, raw = named(raw_zip({RUSSIAN: b""}, extra=extra))
    assert raw == RUSSIAN
    assert name.endswith("/1.jpg")


@pytest.mark.parametrize(
    ("names", "system", "found"),
    [
        ([b"a\\b.jpg", b"c.jpg"], 0, True),
        ([b"a\\b.jpg"], 10, True),
        ([b"a\\b.jpg"], 3, False),
        ([b"a\\b.jpg", b"a/c.jpg"], 0, False),
        ([b"c.jpg"], 0, False),
    ],
)
def test_backslashes_part_folders_only_in_zips_of_windows_without_a_slash(names, system, found):
    assert has_backslashes(entries(raw_zip(dict.fromkeys(names, b""), system))) is found
