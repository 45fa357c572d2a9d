"""Takes an upload apart as it arrives: a frame of many files, written to the staging folder piece by piece."""

import errno
import hashlib
import hmac
import json
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tlcore.database import new_id
from tlcore.errors import ThawError
from tlcore.images import MAX_FILE_BYTES
from tlcore.store import Store
from tlcore.workspace import Workspace

MAX_FILES = 200_000
MAX_IMAGE_BYTES = MAX_FILE_BYTES
MAX_ZIP_BYTES = 2 * 1024**3
MAX_MANIFEST_BYTES = 2 * 1024**2
MAX_NAME_CHARACTERS = 4096
MAX_REASON_CHARACTERS = 300
DISK_RESERVE_BYTES = 200 * 1024**2
LENGTH_BYTES = 4
STALE_AFTER_S = 24 * 3600
UPLOAD_ID = re.compile(r"upload-[0-9a-f]{12}")

TOKEN_FILE = "token.sha256"
CLOSED_FILE = "closed"


class UploadRefused(ThawError):
    """An upload request breaks a rule; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Ticket:
    """What a page needs to send an upload: its id, and the token that only this page knows."""

    upload_id: str
    token: str


def open_upload(workspace: Workspace) -> Ticket:
    """Make a staging folder that keeps the hash of a fresh token; return the ticket."""
    ticket = Ticket(new_id("upload"), secrets.token_urlsafe(32))
    folder = workspace.staging(ticket.upload_id)
    (folder / "files").mkdir(parents=True)
    (folder / TOKEN_FILE).write_text(_digest(ticket.token))
    return ticket


def is_open(workspace: Workspace, upload_id: str) -> bool:
    """Say whether an upload can still take files."""
    folder = workspace.staging(upload_id)
    return (folder / TOKEN_FILE).is_file() and not (folder / CLOSED_FILE).exists()


def authorised(workspace: Workspace, upload_id: str, token: str) -> Path:
    """Return the staging folder of an upload; raise UploadRefused unless `token` is the one its page was given."""
    known = workspace.staging(upload_id) / TOKEN_FILE if UPLOAD_ID.fullmatch(upload_id) else None
    if known is None or not known.is_file() or not hmac.compare_digest(known.read_text(), _digest(token)):
        raise UploadRefused(403, "This upload is not known here. Reload the page and add the photos again.")
    return known.parent


def close(folder: Path) -> None:
    """Take no more files for an upload; raise UploadRefused if it is closed or empty."""
    if not (folder / "manifest.jsonl").is_file():
        raise UploadRefused(400, "Expected at least one file. Received: none. Add a folder that holds photos.")
    try:
        (folder / CLOSED_FILE).touch(exist_ok=False)
    except FileExistsError:
        raise UploadRefused(409, "This upload is complete already; its import is shown on the Data page.") from None


def discard(workspace: Workspace, upload_id: str) -> None:
    """Remove what an upload that was given up has sent; requests still under way are refused from then on."""
    folder = workspace.staging(upload_id)
    (folder / TOKEN_FILE).unlink(missing_ok=True)
    COUNTS.forget(folder)
    shutil.rmtree(folder, ignore_errors=True)


def sweep(store: Store) -> None:
    """Remove staging folders that nobody has touched for a day and that no import is reading."""
    in_use = {Path(job.request["path"]).name for job in store.unfinished_jobs() if job.request.get("path")}
    for folder in (store.workspace.root / "staging").iterdir():
        stale = time.time() - folder.stat().st_mtime > STALE_AFTER_S
        if stale and UPLOAD_ID.fullmatch(folder.name) and folder.name not in in_use:
            shutil.rmtree(folder, ignore_errors=True)


class Unpacker:
    """Writes one framed request to disk as its bytes come in; memory holds one piece and the list of names.

    The frame is a 4-byte big-endian length, a JSON list of that many bytes and then the files, end to end. An item
    is {"path", "size"} for a file that follows, or {"path", "reason"} for one the browser could not read. A line
    goes into `manifest.jsonl` only after its file is whole, so a broken request leaves whole files or nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._head = bytearray()
        self._items: list[dict[str, Any]] | None = None
        self._position = 0
        self._missing = 0
        self._file: IO[bytes] | None = None
        self._name = ""
        self.accepted = 0

    def __enter__(self) -> "Unpacker":
        self._manifest = (self._folder / "manifest.jsonl").open("ab", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._manifest.close()
        if self._file is not None:
            self._file.close()
            (self._folder / "files" / self._name).unlink(missing_ok=True)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the request; raise UploadRefused where they break the frame or a cap."""
        if self._items is None:
            piece = self._read_head(piece)
        view = memoryview(piece)
        while len(view):
            if self._file is None:
                raise UploadRefused(400, "Expected the request to end with its last file. Received: more bytes.")
            part = view[: self._missing]
            self._file.write(part)
            self._missing -= len(part)
            view = view[len(part) :]
            self._next_whole()

    def finish(self) -> int:
        """Return how many files were written; raise UploadRefused if the request ended too early."""
        if self._items is None or self._file is not None:
            raise UploadRefused(400, "The request ended before its last file did. Send it again.")
        return self.accepted

    def _read_head(self, piece: bytes) -> bytes:
        self._head += piece
        if len(self._head) < LENGTH_BYTES:
            return b""
        length = int.from_bytes(self._head[:LENGTH_BYTES], "big")
        if not 2 <= length <= MAX_MANIFEST_BYTES:
            raise UploadRefused(
                400, f"Expected a list of files of 2 to {MAX_MANIFEST_BYTES:,} bytes. Received: {length:,} bytes."
            )
        end = LENGTH_BYTES + length
        if len(self._head) < end:
            return b""
        self._items = parse_manifest(bytes(self._head[LENGTH_BYTES:end]))
        COUNTS.take(self._folder, len(self._items))
        require_space(self._folder, sum(item.get("size", 0) for item in self._items))
        rest = bytes(self._head[end:])
        self._head.clear()
        self._next_whole()
        return rest

    def _next_whole(self) -> None:
        """Close the file that is whole, note those that need no bytes, and open the next that does."""
        while self._missing == 0:
            if self._file is not None:
                self._file.close()
                self._file = None
                item = self._current()
                self._note({"file": self._name, "name": item["path"], "size": item["size"]})
                self.accepted += 1
                self._position += 1
            if self._position == len(self._items or ()):
                return
            item = self._current()
            if "reason" in item:
                self._note({"name": item["path"], "reason": item["reason"]})
                self._position += 1
                continue
            self._name = secrets.token_hex(8)
            self._file = (self._folder / "files" / self._name).open("wb")
            self._missing = item["size"]

    def _current(self) -> dict[str, Any]:
        assert self._items is not None
        return self._items[self._position]

    def _note(self, line: dict[str, Any]) -> None:
        self._manifest.write(json.dumps(line).encode() + b"\n")


class Counts:
    """How many files each upload has announced, so that the cap holds across its requests."""

    def __init__(self) -> None:
        self._announced: dict[Path, int] = {}
        self._lock = threading.Lock()

    def take(self, folder: Path, files: int) -> None:
        """Count `files` more; raise UploadRefused beyond the cap. A restarted server counts the lines on disk."""
        with self._lock:
            total = self._announced.get(folder)
            if total is None:
                total = sum(1 for _ in (folder / "manifest.jsonl").open("rb"))
            if total + files > MAX_FILES:
                raise UploadRefused(413, f"Expected at most {MAX_FILES:,} files. Received: more. Split the folder.")
            self._announced[folder] = total + files

    def forget(self, folder: Path) -> None:
        """Drop the count of an upload that is closed."""
        with self._lock:
            self._announced.pop(folder, None)


COUNTS = Counts()


def parse_manifest(text: bytes) -> list[dict[str, Any]]:
    """Return the checked items of a request's list; raise UploadRefused for anything unexpected."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        raise UploadRefused(400, "Expected a list of files as JSON. Received something else.") from None
    if not isinstance(items, list):
        raise UploadRefused(400, "Expected a list of files as JSON. Received something else.")
    return [_checked(item) for item in items]


def require_space(folder: Path, size: int) -> None:
    """Raise UploadRefused unless `size` more bytes fit on the disk and leave a reserve."""
    free = shutil.disk_usage(folder).free
    if size + DISK_RESERVE_BYTES > free:
        raise UploadRefused(
            507,
            f"The disk is too full: {(size + DISK_RESERVE_BYTES) / 1e6:,.0f} MB are needed and "
            f"{free / 1e6:,.0f} MB are free. Free some space, then try again.",
        )


def explain_disk(problem: OSError) -> UploadRefused:
    """Turn an error of the disk into the refusal that tells it."""
    if problem.errno == errno.ENOSPC:
        return UploadRefused(507, "The disk is full. Free some space, then try again.")
    return UploadRefused(500, "The photos could not be written to the disk. Check the workspace folder.")


def _checked(item: Any) -> dict[str, Any]:
    path = item.get("path") if isinstance(item, dict) else None
    if not isinstance(path, str) or not 0 < len(path) <= MAX_NAME_CHARACTERS:
        raise UploadRefused(400, "Expected every file to have a name. Received one without, or a name too long.")
    if isinstance(item.get("reason"), str):
        return {"path": path, "reason": item["reason"][:MAX_REASON_CHARACTERS]}
    size = item.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise UploadRefused(400, "Expected every file to have a size in bytes. Received one without.")
    limit = MAX_ZIP_BYTES if path.lower().endswith(".zip") else MAX_IMAGE_BYTES
    if size > limit:
        raise UploadRefused(413, f"Expected files of at most {limit / 1e6:,.0f} MB. Received: {size / 1e6:,.0f} MB.")
    return {"path": path, "size": size}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
