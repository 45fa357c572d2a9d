"""Unpacks a zip under generated numbers, trusting nothing that the zip says about itself."""

import stat
import struct
import sys
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, BinaryIO

from thaw.archives.entries import Mark
from thaw.archives.zip_names import has_backslashes, read_name
from thaw.storage.disk_space import require_space
from tlcore.errors import DatasetError
from tlcore.images.pixels import MAX_FILE_BYTES
from tlcore.progress import Stage

# With these three, a zip's list of entries and what is made of it stay within 200 MB of memory.
MAX_ENTRIES = 100_000
MAX_DIRECTORY_BYTES = 16_000_000
MAX_NAMES_BYTES = 16_000_000
MAX_TOTAL_BYTES = 20_000_000_000
MAX_RATIO = 100
RATIO_FREE_BYTES = 10_000_000
LINK = "it is a symbolic link; links are never followed"
_CHUNK_BYTES = 1 << 18
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_SEE_LARGE = 0xFFFFFFFF
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 0x1
_SEE_LARGE_DISK = 0xFFFF

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file of an archive: `path` is where its bytes are, or None with the `reason` why they were not kept.

    `raw` is its name in bytes of an unknown code page, or b"" where `name` is sure; `backslashes` says that these part
    the folders in it; `mark` is the file's own where it lies in a folder, in which others may change it.
    """

    name: str
    path: Path | None
    size: int
    reason: str = ""
    raw: bytes = b""
    backslashes: bool = False
    mark: Mark | None = None


def unpack(
    archive: Path,
    folder: Path,
    progress: Progress,
    check_stop: Callable[[], None],
    largest: int = MAX_FILE_BYTES,
    earlier: int = 0,
) -> Iterator[Unpacked]:
    """Yield the files of a zip one by one, each written to `folder` under a number; one over `largest` is set aside.

    Bytes are counted as they come out, on from those of `earlier` archives of the same import. Raises DatasetError,
    which refuses the whole zip, if it is cut, encrypted, nested, overlapping, one part of several, wrong about its
    sizes, packed more than `MAX_RATIO` to 1, or beyond the caps on entries and bytes. The caller removes `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _check_directory(archive)
        with zipfile.ZipFile(archive) as opened:
            files = _take_entries(opened)
            backslashes = has_backslashes(files)
            _check_entries(files, opened.start_dir)
            total = len(files)
            require_space(folder, sum(min(info.file_size, largest) for info in files))
            budget = Budget(archive.stat().st_size, "zip", earlier)
            for number in range(total):
                check_stop()
                info = files.popleft()
                if not (backslashes and info.file_size == 0 and info.orig_filename.endswith("\\")):
                    file = _unpack_file(opened, info, folder / str(number), budget, largest)
                    yield replace(file, backslashes=True) if backslashes else file
                progress(Stage.UNPACKING_ZIP, number + 1, total)
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, UnicodeDecodeError, ValueError) as problem:
        raise DatasetError(
            f"Expected a whole, honest zip. Received: {archive.name!r}, which is cut off or damaged ({problem}). "
            "Copy or pack it again."
        ) from problem
    except NotImplementedError as problem:
        raise refuse("a compression method that is not read", "Pack it as an ordinary zip") from problem


class Budget:
    """Counts real bytes over a whole archive, a `kind` "zip" or "tar" of `packed` bytes, and ends what is too much.

    The limit on all bytes holds for all archives of an import together: `earlier` counts those that came out before.
    """

    def __init__(self, packed: int, kind: str, earlier: int = 0) -> None:
        self.packed = packed
        self.kind = kind
        self.earlier = earlier
        self.real = 0

    def spend(self, count: int, file_bytes: int = 0, file_packed: int = 0) -> None:
        """Count bytes that came out; with them, those of the present file so far and what it is packed into."""
        self.real += count
        if self.earlier + self.real > MAX_TOTAL_BYTES:
            raise refuse(f"more than {MAX_TOTAL_BYTES / 1e9:g} GB of files", "Import it in parts", self.kind)
        for real, packed in ((self.real, self.packed), (file_bytes, file_packed)):
            if real > RATIO_FREE_BYTES and real > MAX_RATIO * packed:
                raise refuse(
                    f"data that unpacks to over {MAX_RATIO} times its size (a {self.kind} bomb)",
                    "Photos never pack that well",
                    self.kind,
                )


def refuse(received: str, advice: str, kind: str = "zip") -> DatasetError:
    """Word the refusal of a whole archive."""
    return DatasetError(f"Expected a plain {kind} of photos. Received: one with {received}. {advice}.")


def too_large(name: str, size: int, largest: int = MAX_FILE_BYTES) -> Unpacked:
    """Set aside a file that is over the limit of one file."""
    reason = f"the file has {size / 1e6:,.0f} MB; the limit is {largest / 1e6:,.0f} MB"
    return Unpacked(name, None, size, reason)


def _check_directory(archive: Path) -> None:
    """Refuse a zip of too many entries before its list of entries is in memory."""
    with archive.open("rb") as file:
        size = file.seek(0, 2)
        start = max(0, size - 65_557 - _LOCATOR.size)
        file.seek(start)
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _END.size:
            raise zipfile.BadZipFile("its end is missing")
        if _END.unpack_from(tail, at)[1] not in (0, _SEE_LARGE_DISK):
            raise refuse("one part of an archive in parts", "Unpack it beside its other parts and add the folder")
        entries, directory_bytes = _claims(file, size, tail, at)
        if entries > MAX_ENTRIES:
            raise refuse(f"{entries:,} entries", f"The limit is {MAX_ENTRIES:,}; import it in parts")
        if directory_bytes > MAX_DIRECTORY_BYTES:
            raise refuse(
                f"a list of entries of {directory_bytes / 1e6:,.0f} MB",
                f"The limit is {MAX_DIRECTORY_BYTES / 1e6:g} MB; import it in parts",
            )
        file.seek(max(0, start + at - directory_bytes - _END64.size - _LOCATOR.size))
        # The count is only a claim; the entries' own marks are not.
        if file.read(directory_bytes + _END64.size + _LOCATOR.size).count(b"PK\x01\x02") > MAX_ENTRIES:
            raise refuse(f"over {MAX_ENTRIES:,} entries", "Import it in parts")


def _claims(file: BinaryIO, size: int, tail: bytes, at: int) -> tuple[int, int]:
    """Return the most entries, and bytes of their list, that the end of a zip claims; it stands at `at` in `tail`."""
    _, _, _, _, *plain, _, _ = _END.unpack_from(tail, at)
    large: list[tuple[int, int]] = []
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size :].startswith(b"PK\x06\x07"):
        _, _, told, _ = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)
        # Readers differ in which of these two records of a large zip they believe.
        for place in (told, size - len(tail) + at - _LOCATOR.size - _END64.size):
            file.seek(max(0, min(place, size)))
            record = file.read(_END64.size)
            if len(record) == _END64.size and record.startswith(b"PK\x06\x06"):
                large.append(_END64.unpack(record)[7:9])
    if not large or plain[1] != _SEE_LARGE:
        large.append((plain[0], plain[1]))
    return max(entries for entries, _ in large), max(length for _, length in large)


def _take_entries(opened: zipfile.ZipFile) -> deque[zipfile.ZipInfo]:
    """Take the list of files out of an opened zip, so that each entry's memory is free once it is unpacked."""
    files = deque(info for info in opened.infolist() if not info.orig_filename.endswith("/"))
    opened.filelist.clear()
    opened.NameToInfo.clear()
    return files


def _check_entries(files: deque[zipfile.ZipInfo], directory_start: int) -> None:
    for info in files:
        if info.flag_bits & _ENCRYPTED:
            raise refuse("encrypted files", "Unpack it with its password and add the folder")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refuse("a compression method that is not read", "Pack it as an ordinary zip")
        if info.orig_filename.lower().endswith(".zip"):
            raise refuse(f"another zip inside it ({info.orig_filename!r})", "Unpack it and add the folder")
    # One wide character makes every letter of its name take four bytes.
    if sum(sys.getsizeof(info.orig_filename) for info in files) > MAX_NAMES_BYTES:
        raise refuse("very many long names", "Shorten the names, or import it in parts")
    ordered = sorted(files, key=lambda info: info.header_offset)
    if ordered and ordered[0].header_offset < 0:
        raise zipfile.BadZipFile("an entry starts before the file")
    ends = [info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size for info in ordered]
    starts = [info.header_offset for info in ordered[1:]] + [directory_start]
    if any(end > start for end, start in zip(ends, starts, strict=True)):
        raise refuse("entries that overlap (a zip bomb)", "Pack the folder again")


def _open_file(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    try:
        return opened.open(info)
    except zipfile.BadZipFile as problem:
        # Python shows the name in the list and that in the header as raw bytes where they differ.
        raise zipfile.BadZipFile("the header of a file is not the one that the list tells of") from problem


def _unpack_file(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, budget: Budget, largest: int) -> Unpacked:
    name, raw = read_name(info)
    if stat.S_ISLNK(info.external_attr >> 16):
        return Unpacked(name, None, 0, LINK, raw)
    size = 0
    with _open_file(opened, info) as packed, path.open("wb") as plain:
        while chunk := packed.read(_CHUNK_BYTES):
            size += len(chunk)
            budget.spend(len(chunk), size, info.compress_size)
            if size <= largest:
                plain.write(chunk)
    if size != info.file_size:
        raise zipfile.BadZipFile("a file's size is not what the zip says")
    if size > largest:
        path.unlink()
        return replace(too_large(name, size, largest), raw=raw)
    return Unpacked(name, path, size, raw=raw)
