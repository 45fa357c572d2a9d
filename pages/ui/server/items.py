"""Checks the list of files that opens an upload request, against the limits on names, numbers and sizes."""

import json
from typing import Any

from thaw.archives.archives import ZIP_SUFFIXES
from thaw.archives.tars import SUFFIXES as TAR_SUFFIXES
from tlcore.errors import ThawError
from tlcore.images.pixels import MAX_FILE_BYTES

MAX_FILES = 200_000
MAX_IMAGE_BYTES = MAX_FILE_BYTES
MAX_ARCHIVE_BYTES = 2 * 1024**3
ARCHIVE_ENDINGS = (*ZIP_SUFFIXES, *TAR_SUFFIXES)
MAX_NAME_CHARACTERS = 4096
# Number.MAX_SAFE_INTEGER
LARGEST_COUNT = 2**53 - 1
MAX_REASON_CHARACTERS = 300


class UploadRefused(ThawError):
    """An upload request breaks a rule; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse_items(text: bytes) -> list[dict[str, Any]]:
    """Return the checked items of a request's list; raise UploadRefused for anything unexpected."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        raise UploadRefused(400, "Expected a list of files as JSON. Received something else.") from None
    if not isinstance(items, list):
        raise UploadRefused(400, "Expected a list of files as JSON. Received something else.")
    checked = [_checked(item) for item in items]
    if len({item["number"] for item in checked}) < len(checked):
        raise UploadRefused(400, "Expected a number of its own for every file. Received one twice.")
    return checked


def _checked(item: Any) -> dict[str, Any]:
    path = item.get("path") if isinstance(item, dict) else None
    if not isinstance(path, str) or not 0 < len(path) <= MAX_NAME_CHARACTERS:
        raise UploadRefused(400, "Expected every file to have a name. Received one without, or a name too long.")
    number = item.get("number")
    if not _is_count(number):
        raise UploadRefused(400, "Expected every file to have a number. Received: none, or no count. Reload the page.")
    if number >= MAX_FILES:
        raise UploadRefused(413, f"Expected at most {MAX_FILES:,} files. Received: more. Split the folder.")
    if isinstance(item.get("reason"), str):
        return {"number": number, "path": path, "reason": item["reason"][:MAX_REASON_CHARACTERS]}
    size = item.get("size")
    if not _is_count(size):
        raise UploadRefused(400, "Expected every file to have a size in bytes. Received: none, or no count.")
    limit = MAX_ARCHIVE_BYTES if path.lower().endswith(ARCHIVE_ENDINGS) else MAX_IMAGE_BYTES
    if size > limit:
        raise UploadRefused(413, f"Expected files of at most {limit / 1e6:,.0f} MB. Received: {size / 1e6:,.0f} MB.")
    return {"number": number, "path": path, "size": size}


def _is_count(value: Any) -> bool:
    """Say whether a value is a whole number that a browser can count to: JSON itself has no largest one."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT
