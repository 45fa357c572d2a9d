"""Which pretrained weights this workspace uses, and how a file that the user brought is checked.

That is done in a process of its own (`python -m thaw.backbones.known_weights ROW FILE --workspace DIR`), which imports
Keras; the server reads what that process wrote.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from thaw.backbones.weights import adopt
from thaw.jobs.children import start_unheard
from thaw.storage.workspace import Workspace, open_workspace
from tlcore.errors import ThawError, WeightsError
from tlcore.files import write_atomically
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import find_backbone
from tlcore.models.weights import sha256_of
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


def start_adoption(workspace: Workspace, backbone: Backbone, source: Path) -> None:
    """Start `adopt` in a process of its own; `read_adoption` tells how it stands."""
    _write_adoption(workspace, Adoption(backbone.name, str(source), ticking()))
    start_unheard("thaw.backbones.known_weights", backbone.name, str(source), "--workspace", str(workspace.root))


def read_adoption(workspace: Workspace) -> Adoption | None:
    """Return how the last check of a user's file stands, or None before the first."""
    path = _adoption_path(workspace)
    return Adoption(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def recognise(workspace: Workspace, backbone: Backbone, path: Path) -> str:
    """Return the sha256 of a backbone's weights file, in hex; raise WeightsError where this workspace knows another.

    Of most files Keras publishes an md5, and of MobileNetV2's nothing: enough to tell damage, not a forgery. So what
    was used first is noted (trust on first use), and a later change does not pass for it.
    """
    sha256 = sha256_of(path)
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
        note_weights(workspace, backbone, sha256_of(adopt(backbone, arguments.file)))
    except (ThawError, OSError, ImportError) as problem:
        error = str(problem)
    adoption = Adoption(arguments.backbone, str(arguments.file), started, ticking(), error)
    _write_adoption(workspace, adoption)
    sys.exit(bool(error))


if __name__ == "__main__":
    main()
