"""Unpacks a .tar, .tar.gz or .tgz under generated numbers, trusting nothing that it says about itself."""

import gzip
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from thaw.archives.zips import LINK, Budget, Progress, Unpacked, refuse, too_large
from thaw.names import legible
from thaw.storage.disk_space import require_space
from thaw.tables.code_pages import is_utf8
from tlcore.errors import DatasetError
from tlcore.images.pixels import MAX_FILE_BYTES
from tlcore.progress import Stage

SUFFIXES = (".tar", ".tar.gz", ".tgz")
# Twice the files that an import takes, since many programs write a note before each file.
MAX_HEADERS = 400_000
MAX_NOTE_BYTES = 1_000_000
# With it, the names of all files stay within 200 MB of memory, however they are spelled.
MAX_NAMES_BYTES = 40_000_000
_CHUNK_BYTES = 1 << 18
_GZIP_MARK = b"\x1f\x8b"
_OTHER_MARKS = (b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x1f\x9d")
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE)
# The rest of a note would only be kept: a tar may hold hundreds of thousands of them.
_HEEDED = (b"path", b"size")
_NOTE_TYPES = (*_PAX_TYPES, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_PLAIN_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_ODD_TYPES = {
    tarfile.LNKTYPE: "it is a link to another file of the tar; links are never followed",
    tarfile.SYMTYPE: LINK,
    tarfile.CHRTYPE: "it is not a plain file but a device",
    tarfile.BLKTYPE: "it is not a plain file but a device",
    tarfile.FIFOTYPE: "it is not a plain file but a pipe",
}


@dataclass(frozen=True)
class _Entry:
    """A file by its header; `raw` is its name where that is not UTF-8, else b""."""

    name: str
    type: bytes
    size: int
    raw: bytes


def unpack(
    archive: Path, folder: Path, progress: Progress, check_stop: Callable[[], None], earlier: int = 0
) -> Iterator[Unpacked]:
    """Yield the files of a tar one by one, each written to `folder` under a number.

    Every byte that comes out is counted, those of headers and of what is set aside too, from those of `earlier`
    archives of the same import on. Raises DatasetError, which
    refuses the whole tar, if it is cut, damaged, sparse, followed by something else, compressed otherwise than with
    gzip, packed more than `MAX_RATIO` to 1, or beyond the caps on entries and bytes. The caller removes `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed = archive.stat().st_size
    try:
        with archive.open("rb") as file:
            tar = _Reader(_decompressed(file), Budget(packed, "tar", earlier))
            for number, entry in enumerate(tar.entries(check_stop)):
                yield replace(_unpack_entry(tar, entry, folder / str(number)), raw=entry.raw)
                progress(Stage.UNPACKING_TAR, file.tell(), packed)
    except (tarfile.HeaderError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as problem:
        raise DatasetError(
            f"Expected a whole, honest tar. Received: {archive.name!r}, which is cut off or damaged ({problem}). "
            "Copy or pack it again."
        ) from problem


def _decompressed(file: BinaryIO) -> BinaryIO | gzip.GzipFile:
    """Tell the compression by the content: the name is only a claim."""
    mark = file.read(6)
    file.seek(0)
    if mark.startswith(_OTHER_MARKS):
        raise refuse("a compression that is not read", "Pack it as .tar or .tar.gz", "tar")
    return gzip.GzipFile(fileobj=file) if mark.startswith(_GZIP_MARK) else file


def _unpack_entry(tar: "_Reader", entry: _Entry, path: Path) -> Unpacked:
    """Write one file, reading it to its end also where it is not kept."""
    if reason := _ODD_TYPES.get(entry.type):
        return Unpacked(entry.name, None, 0, reason)
    kept = entry.type in _PLAIN_TYPES and entry.size <= MAX_FILE_BYTES
    if not kept:
        for _ in tar.content(entry.size):
            pass
        if entry.type in _PLAIN_TYPES:
            return too_large(entry.name, entry.size)
        return Unpacked(entry.name, None, 0, f"it is of a kind ({entry.type!r}) that is not read")
    require_space(path.parent, entry.size)
    with path.open("wb") as plain:
        for chunk in tar.content(entry.size):
            plain.write(chunk)
    return Unpacked(entry.name, path, entry.size)


class _Reader:
    """Reads a tar from front to back, so that nothing is skipped uncounted.

    `tarfile` itself takes a damaged header for the end, and reads notes on a file (long names, attributes) into memory
    whatever their size, at three times it; here both refuse the tar. Its filters judge names, which are not used here.
    """

    def __init__(self, file: BinaryIO | gzip.GzipFile, budget: Budget) -> None:
        self._file = file
        self._budget = budget

    def entries(self, check_stop: Callable[[], None]) -> Iterator[_Entry]:
        """Yield what is no folder; the content of each is to be read before the next."""
        common: dict[bytes, bytes] = {}
        notes: dict[bytes, bytes] = {}
        count = names_bytes = 0
        while any(block := self._exactly(tarfile.BLOCKSIZE)):
            check_stop()
            count += 1
            if count > MAX_HEADERS:
                raise refuse(f"over {MAX_HEADERS:,} entries", "Import it in parts", "tar")
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            if info.type in _NOTE_TYPES:
                found = self._notes(info)
                (common if info.type == tarfile.XGLTYPE else notes).update(found)
                continue
            entry = _noted(info, common | notes)
            notes = {}
            names_bytes += sys.getsizeof(entry.name)
            if names_bytes > MAX_NAMES_BYTES:
                raise refuse("very many long names", "Shorten the names, or import it in parts", "tar")
            if entry.type != tarfile.DIRTYPE:
                yield entry
        self._finish()

    def content(self, size: int) -> Iterator[bytes]:
        """Yield the `size` bytes of the present entry, and step over what fills its last block."""
        left = size
        while left:
            chunk = self._exactly(min(left, _CHUNK_BYTES))
            left -= len(chunk)
            yield chunk
        self._exactly(-size % tarfile.BLOCKSIZE)

    def _notes(self, info: tarfile.TarInfo) -> dict[bytes, bytes]:
        """Read what stands about the next entry: by the names of the pax format, also where GNU wrote it."""
        if not 0 <= info.size <= MAX_NOTE_BYTES:
            raise tarfile.HeaderError("a note on a file is too long")
        body = b"".join(self.content(info.size))
        if info.type in _PAX_TYPES:
            return {key: value for key, value in _pax_records(body) if key in _HEEDED}
        return {b"path": body.partition(b"\0")[0]} if info.type == tarfile.GNUTYPE_LONGNAME else {}

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        self._budget.spend(len(data))
        if len(data) < count:
            raise EOFError("it ends too early")
        return data

    def _finish(self) -> None:
        """Read on to the end, where gzip has its checksum; whatever stood there would be lost in silence."""
        while data := self._file.read(_CHUNK_BYTES):
            self._budget.spend(len(data))
            if any(data):
                raise refuse("more data behind its end", "Unpack it and add the folder", "tar")


def _noted(info: tarfile.TarInfo, notes: dict[bytes, bytes]) -> _Entry:
    """Return what a header says, as the notes on it correct it."""
    if info.type == tarfile.GNUTYPE_SPARSE:
        raise _sparse()
    size = int(notes.get(b"size", info.size))
    if size < 0:
        raise tarfile.HeaderError("a file's size is below zero")
    name = notes.get(b"path") or info.name.encode("utf-8", "surrogateescape")
    return _Entry(legible(name), info.type, size, b"" if is_utf8([name]) else name)


def _sparse() -> DatasetError:
    return refuse("sparse files", "Pack it without sparse files", "tar")


def _pax_records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a pax header: lines of "LENGTH KEY=VALUE", where LENGTH counts the whole line."""
    at = 0
    while at < len(body):
        blank = body.index(b" ", at, at + 20)
        end = at + int(body[at:blank])
        key, equals, value = body[blank + 1 : end].partition(b"=")
        if end <= blank or end > len(body) or not equals or not value.endswith(b"\n"):
            raise tarfile.HeaderError("a note on a file is damaged")
        if key.startswith(b"GNU.sparse."):
            raise _sparse()
        yield key, value[:-1]
        at = end
