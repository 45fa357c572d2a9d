"""Takes an upload apart as it arrives: a frame of many files, written to the staging folder piece by piece."""

import errno
import hashlib
import hmac
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pages.ui.server import sign_in
from pages.ui.server.items import MAX_FILES, UploadRefused, parse_items
from thaw.jobs.sweeper import UPLOAD_ID
from thaw.projects.jobs import start_import
from thaw.storage.database import new_id
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace

MAX_MANIFEST_BYTES = 2 * 1024**2
DISK_RESERVE_BYTES = 200 * 1024**2
LENGTH_BYTES = 4
RECENT_IMPORTS = 500

TOKEN_FILE = "token.sha256"
CLOSED_FILE = "closed"
MANIFEST_FILE = "manifest.jsonl"
COMPLETE = "This upload is complete already; its import is shown on the Data page."


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
    (folder / TOKEN_FILE).write_text(_digest(ticket.token), encoding="utf-8")
    return ticket


def is_open(workspace: Workspace, upload_id: str) -> bool:
    """Say whether an upload can still take files."""
    folder = workspace.staging(upload_id)
    return (folder / TOKEN_FILE).is_file() and not (folder / CLOSED_FILE).exists()


def authorised(workspace: Workspace, upload_id: str, token: str) -> Path:
    """Return the staging folder of an upload; raise UploadRefused unless `token` is the one its page was given."""
    known = workspace.staging(upload_id) / TOKEN_FILE if UPLOAD_ID.fullmatch(upload_id) else None
    if (
        known is None
        or not known.is_file()
        or not hmac.compare_digest(known.read_text(encoding="utf-8"), _digest(token))
    ):
        raise UploadRefused(403, "This upload is not known here. Reload the page and add the photos again.")
    return known.parent


def close(folder: Path) -> None:
    """Take no more files for an upload; raise UploadRefused if it is empty."""
    manifest = folder / MANIFEST_FILE
    if not manifest.is_file() or not manifest.stat().st_size:
        raise UploadRefused(400, "Expected at least one file. Received: none. Add a folder that holds photos.")
    (folder / CLOSED_FILE).touch()
    MANIFESTS.forget(folder)


def find_import(store: Store, upload_id: str, token: str) -> str | None:
    """Return the id of the import that reads an upload, or None where there is none or `token` is not the upload's.

    The job itself says it: the upload's folder goes with a quick import, and what a server remembers with the server.
    """
    for job in store.jobs("import", "open", limit=RECENT_IMPORTS):
        known = job.request.get("upload", "")
        if Path(job.request.get("path", "")).name == upload_id and hmac.compare_digest(known, _digest(token)):
            return job.id
    return None


def begin_import(store: Store, folder: Path, token: str, asked: dict[str, Any]) -> str:
    """Close an upload and start the import that reads it, once, whoever asks again; return the job's id.

    A server that was killed in between left it closed and unread: then the next one starts the import.
    """
    with BEGINNING:
        job_id = find_import(store, folder.name, token)
        if job_id is None:
            close(folder)
            request = {"kind": "staged", "path": str(folder), "ask": True, "upload": _digest(token)} | asked
            job_id = start_import(store, request)
    return job_id


def discard(workspace: Workspace, upload_id: str) -> None:
    """Remove what an upload that was given up has sent; requests still under way are refused from then on.

    One that is closed belongs to its import, which may be reading it: the browser only failed to hear of that.
    """
    folder = workspace.staging(upload_id)
    if (folder / CLOSED_FILE).exists():
        return
    (folder / TOKEN_FILE).unlink(missing_ok=True)
    MANIFESTS.forget(folder)
    shutil.rmtree(folder, ignore_errors=True)


class Unpacker:
    """Writes one framed request to disk as its bytes come in; memory holds one piece and the list of names.

    The frame is a 4-byte big-endian length, a JSON list of that many bytes and then the files, end to end. An item
    is {"number", "path", "size"} for a file that follows, or {"number", "path", "reason"} for one the browser could
    not read; a file keeps its number when it is sent again. The lines go into `manifest.jsonl` together, in `finish`:
    a request that breaks leaves nothing, so that the browser may send all of it again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = str(folder / "files")
        self._head = bytearray()
        self._items: list[dict[str, Any]] | None = None
        self._position = 0
        self._missing = 0
        self._file: IO[bytes] | None = None
        self._name = ""
        self._lines: list[dict[str, Any]] = []
        self._unlisted: set[str] = set()

    def __enter__(self) -> "Unpacker":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        for name in self._unlisted:
            (self._folder / "files" / name).unlink(missing_ok=True)

    def feed(self, pieces: Iterable[bytes]) -> None:
        """Take the next bytes of the request; raise UploadRefused where they break the frame or a cap."""
        for piece in pieces:
            self._take(self._read_head(piece) if self._items is None else piece)

    def _take(self, piece: bytes) -> None:
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
        """List the files in the manifest and return how many came; raise UploadRefused if the request was cut short."""
        if self._items is None or self._file is not None:
            raise UploadRefused(400, "The request ended before its last file did. Send it again.")
        listed = MANIFESTS.append(self._folder, self._lines)
        self._unlisted -= {line["file"] for line in listed if "file" in line}
        return sum("file" in line for line in self._lines)

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
        self._items = parse_items(bytes(self._head[LENGTH_BYTES:end]))
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
            if self._position == len(self._items or ()):
                return
            item = self._current()
            if "reason" in item:
                self._note({"name": item["path"], "reason": item["reason"]})
                continue
            self._name = secrets.token_hex(8)
            self._unlisted.add(self._name)
            self._file = open(f"{self._files}/{self._name}", "wb")  # noqa: PTH123, SIM115
            self._missing = item["size"]

    def _current(self) -> dict[str, Any]:
        assert self._items is not None
        return self._items[self._position]

    def _note(self, line: dict[str, Any]) -> None:
        self._lines.append({"number": self._current()["number"]} | line)
        self._position += 1


class Manifests:
    """Writes the manifests of uploads, one line a number: a file that comes twice is listed once."""

    def __init__(self) -> None:
        self._listed: dict[Path, bytearray] = {}
        self._lock = threading.Lock()

    def append(self, folder: Path, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add the lines whose number is new, all or none; return those. Raise UploadRefused once closed."""
        with self._lock:
            if (folder / CLOSED_FILE).exists():
                raise UploadRefused(409, COMPLETE)
            with (folder / MANIFEST_FILE).open("ab+", buffering=0) as manifest:
                listed = self._listed.get(folder)
                if listed is None:
                    listed = self._listed[folder] = _read_numbers(manifest)
                fresh = [line for line in lines if not listed[line["number"]]]
                _append_whole(manifest, b"".join(json.dumps(line).encode() + b"\n" for line in fresh))
            for line in fresh:
                listed[line["number"]] = True
            return fresh

    def forget(self, folder: Path) -> None:
        """Drop what is remembered of an upload that is closed or given up."""
        with self._lock:
            self._listed.pop(folder, None)


MANIFESTS = Manifests()
BEGINNING = threading.Lock()


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


def _read_numbers(manifest: IO[bytes]) -> bytearray:
    """Return a flag for each number, set where a manifest lists it; cut off a line that a killed server left torn."""
    manifest.seek(0)
    text = manifest.read()
    whole = text[: text.rfind(b"\n") + 1]
    manifest.truncate(len(whole))
    listed = bytearray(MAX_FILES)
    for line in whole.splitlines():
        listed[json.loads(line)["number"]] = True
    return listed


def _append_whole(manifest: IO[bytes], text: bytes) -> None:
    """Write `text` at the end, all of it or, where the disk is full, nothing.

    It outlives a kill of the server. It need not outlive a power loss, as the page that sends the rest does not: to
    flush every file to the disk here made an upload wait for the disk, up to twice its time.
    """
    size = manifest.seek(0, os.SEEK_END)
    try:
        if manifest.write(text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        manifest.truncate(size)
        raise


def _digest(token: str) -> str:
    """Return the hash of a token and of whose it is: another's sign-in does not make the same of it."""
    return hashlib.sha256(f"{token}{sign_in.owner()}".encode("utf-8", "surrogatepass")).hexdigest()
