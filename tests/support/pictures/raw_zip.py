"""Zips whose names are any bytes."""

import io
import zipfile


class RawInfo(zipfile.ZipInfo):
    """Writes the bytes that it is given as its name, without the mark of UTF-8."""

    __slots__ = ("raw",)

    def _encodeFilenameFlags(self):  # noqa: N802
        return self.raw, self.flag_bits & ~0x800


def raw_zip(names, system=0, extra=b""):
    """Make a zip of files under names in bytes, as old packers of Windows do."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for raw, content in names.items():
            info = RawInfo("x")
            info.filename, info.raw, info.create_system, info.extra = raw.decode("latin-1"), raw, system, extra
            packed.writestr(info, content)
    return buffer.getvalue()
