"""Brings one published file whole onto this machine: resumed where it was cut, and checked before it is in place."""

import errno
import http.client
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from thaw.storage.disk_space import SPARE_BYTES
from tlcore.errors import ThawError
from tlcore.files import sync_folder
from tlcore.models.weights import is_whole

Progress = Callable[[int, int], None]

_TIMEOUT_S = 30
_LOCK_POLL_S = 0.5
_CHUNK_BYTES = 1 << 18
_NETWORK_FAILURES = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)
_HTTP_PARTIAL = 206
_HTTP_RANGE_REFUSED = 416


@dataclass(frozen=True)
class Download:
    """A published file of exactly `bytes` bytes; `hash` is its md5 or sha256 in hex, told apart by length, or None.

    `title` names it within a sentence ("the weights of ResNet50"). `otherwise` says what to do without this download,
    and `elsewhere` how to choose another disk; both are ends of sentences, for the messages.
    """

    title: str
    url: str
    bytes: int
    hash: str | None
    otherwise: str
    elsewhere: str

    @property
    def megabytes(self) -> int:
        return round(self.bytes / 1e6)


class _TransferCut(ConnectionError):
    """The server closed the connection before the last byte."""


def download(wanted: Download, path: Path, progress: Progress, refusal: type[ThawError]) -> None:
    """Make `path` the checked file: nothing is asked of the network where it lies there whole.

    `progress` is called with (bytes done, bytes in all), and may raise to end the download. What has arrived stays
    beside it as `.part`, and the next call goes on from there. Raises `refusal`, with the remedy, when the server
    cannot be reached or sends something else, or the disk refuses; an unchecked file is never at `path`.
    """
    if is_whole(path, wanted.bytes, wanted.hash):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.part")
        with _alone(path, lambda: progress(_size(partial), wanted.bytes)):
            # Another process may have finished the same download while this one waited.
            if not is_whole(path, wanted.bytes, wanted.hash):
                _bring(wanted, partial, progress)
                _put_in_place(wanted, partial, path, refusal)
    except _NETWORK_FAILURES as error:
        raise refusal(
            f"{wanted.title[:1].upper()}{wanted.title[1:]} ({wanted.megabytes} MB): not on this machine, and fetching "
            f"{wanted.url} failed: {error}. Connect to the internet once and try again (what has arrived is kept), or "
            f"{wanted.otherwise}"
        ) from error
    except OSError as error:
        raise refusal(
            f"Cannot write {wanted.title} to '{path.parent}': {error.strerror or error}. "
            f"Free {wanted.megabytes} MB there, or {wanted.elsewhere}"
        ) from error


@contextmanager
def _alone(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of `path`; `wait` is called over and over while another process holds it."""
    lock = FileLock(f"{path}.lock")
    while True:
        try:
            lock.acquire(timeout=_LOCK_POLL_S)
            break
        except Timeout:
            wait()
    try:
        yield
    finally:
        lock.release()


def _put_in_place(wanted: Download, partial: Path, path: Path, refusal: type[ThawError]) -> None:
    if not is_whole(partial, wanted.bytes, wanted.hash):
        received = _size(partial)
        partial.unlink()
        raise refusal(
            f"Expected {wanted.bytes} bytes with hash {wanted.hash or '(none published)'} from {wanted.url}. "
            f"Received {received} bytes of something else; they were discarded. "
            f"Try again on another network, or {wanted.otherwise}"
        )
    partial.replace(path)
    sync_folder(path.parent)


def _bring(wanted: Download, partial: Path, progress: Progress) -> None:
    """Bring the partial file to its full length, going on from what is there."""
    done = _size(partial)
    if done >= wanted.bytes:
        # Too long or as long as the real file but never renamed: let the check decide, or begin again.
        if is_whole(partial, wanted.bytes, wanted.hash):
            return
        partial.unlink()
        done = 0
    _require_space(partial.parent, wanted.bytes - done)
    with _open(wanted.url, done) as response:
        if response.status != _HTTP_PARTIAL:
            done = 0
        with partial.open("ab" if done else "wb") as file:
            progress(done, wanted.bytes)
            while chunk := _receive(response):
                file.write(chunk)
                done += len(chunk)
                progress(done, wanted.bytes)
                # A server that never stops sending must not fill the disk.
                if done > wanted.bytes:
                    break
            file.flush()
            os.fsync(file.fileno())
        still_owed = response.length
    if still_owed and done < wanted.bytes:
        raise _TransferCut(f"the connection closed after {done} of {wanted.bytes} bytes")


def _require_space(folder: Path, needed_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        raise OSError(errno.ENOSPC, f"its disk has only {free / 1e6:,.0f} MB free")


def _open(url: str, start: int) -> http.client.HTTPResponse:
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if start and error.code == _HTTP_RANGE_REFUSED:
            return _open(url, 0)
        raise


def _receive(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK_BYTES)
    except OSError as error:
        # Told apart from the disk's own OSError, whose remedy is another.
        raise _TransferCut(f"the connection broke ({error})") from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
