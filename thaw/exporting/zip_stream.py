"""One zip of an export, or of a part of it, made as it is sent: it is neither kept on the disk nor held in memory."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

CHUNK_BYTES = 1_000_000


class _Outlet(io.RawIOBase):
    """Takes what is written and gives it out once; a zip written to it cannot go back."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what has been written since the last time."""
        taken, self._parts = b"".join(self._parts), []
        return taken


def stream_zip(folder: Path, names: Iterable[str], root: str) -> Iterator[bytes]:
    """Yield the bytes of a zip of the files `names` below `folder`, put below `root` in it.

    Nothing is compressed: weights would shrink by a tenth and take as long as all the rest.
    """
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            entry = zipfile.ZipInfo.from_file(folder / name, f"{root}/{name}")
            with (folder / name).open("rb") as source, archive.open(entry, "w") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    yield outlet.take()
            yield outlet.take()
    yield outlet.take()
