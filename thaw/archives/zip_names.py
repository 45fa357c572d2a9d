"""What the files of a zip are called: by UTF-8, by Info-ZIP's field beside the name, or in bytes of some code page."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from thaw.tables.code_pages import is_utf8

_UTF8 = 0x800
_UNICODE_PATH = 0x7075
_FIELD = struct.Struct("<HH")
_PATH_HEAD = struct.Struct("<BL")
# FAT and NTFS, as programs of Windows name the system that made an entry.
_WINDOWS = frozenset({0, 10, 11, 14})


def read_name(info: zipfile.ZipInfo) -> tuple[str, bytes]:
    """Return a name as it stands in the zip, and its bytes where nothing tells how to read them, else b"".

    `zipfile` itself cuts a name at a NUL, repairs its separators and takes all without a mark for code page 437.
    """
    if info.flag_bits & _UTF8:
        return info.orig_filename, b""
    raw = info.orig_filename.encode("cp437")
    if raw.isascii():
        return info.orig_filename, b""
    if told := _unicode_path(info.extra, raw):
        return told, b""
    # Without the mark many programs write UTF-8 all the same.
    return (raw.decode("utf-8") if is_utf8([raw]) else info.orig_filename), raw


def has_backslashes(files: Iterable[zipfile.ZipInfo]) -> bool:
    """Say whether backslashes part the folders in a zip, as .NET and PowerShell 5 wrote it.

    They do where it was made on Windows and none of its names holds a slash; elsewhere a backslash is part of a name.
    """
    found = False
    for info in files:
        if info.create_system not in _WINDOWS or "/" in info.orig_filename:
            return False
        found = found or "\\" in info.orig_filename
    return found


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """Return the name in the field 0x7075 (APPNOTE 4.6.9), or "" where it is missing or belongs to another name."""
    for number, body in _fields(extra):
        if number == _UNICODE_PATH and len(body) > _PATH_HEAD.size:
            version, checksum = _PATH_HEAD.unpack_from(body)
            if version == 1 and checksum == zlib.crc32(raw):
                try:
                    return body[_PATH_HEAD.size :].decode("utf-8")
                except UnicodeDecodeError:
                    return ""
    return ""


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _FIELD.size <= len(extra):
        number, length = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        yield number, extra[at : at + length]
        at += length
