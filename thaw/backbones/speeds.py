"""How long each backbone takes for an image on this machine, measured when the user asks.

TensorFlow is imported only in the measurement's own process (`python -m thaw.backbones.speeds --workspace DIR ROW...`);
the server reads what that process wrote.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from thaw.jobs.children import start_unheard
from thaw.jobs.devices import configure_device
from thaw.storage.workspace import Workspace, open_workspace
from tlcore.errors import RunError, ThawError
from tlcore.features.frozen import uses_onnx
from tlcore.files import write_atomically
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import find_backbone
from tlcore.models.plan import Forward, pooled_cut
from tlcore.processes import ticking

SILENT_AFTER_S = 180
BATCH = 32
MEASURE_S = 4.0


@dataclass(frozen=True)
class Measuring:
    """How a measurement stands: `done` of `total` rows, `row` at work; `finished` with an `error` where it failed."""

    row: str
    done: int
    total: int
    updated_at: float
    finished: bool = False
    error: str = ""

    @property
    def active(self) -> bool:
        """Whether more is to come: not finished, and heard of within the time that the slowest row may take."""
        return not self.finished and 0 <= ticking() - self.updated_at < SILENT_AFTER_S


def start_measuring(workspace: Workspace, rows: Sequence[str]) -> None:
    """Start the measurement of those rows in a process of its own; `read_measuring` tells how it stands."""
    _write_measuring(workspace, Measuring(rows[0], 0, len(rows), ticking()))
    start_unheard("thaw.backbones.speeds", "--workspace", str(workspace.root), *rows)


def read_measuring(workspace: Workspace) -> Measuring | None:
    """Return how the last measurement stands, or None before the first."""
    path = _measuring_path(workspace)
    return Measuring(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def read_speeds(workspace: Workspace) -> dict[str, dict[str, float]]:
    """Return milliseconds an image by device ("CPU: model") and backbone; the device measured last comes last."""
    path = _speeds_path(workspace)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def measure(row: Backbone) -> float:
    """Return the milliseconds that one image takes through the frozen backbone, by the engine that features are
    computed with, at its native size in batches of 32.

    The median of the batches that fit into `MEASURE_S`, one at least, after one that warms up. The weights are random:
    the arithmetic is the same whatever their values, so that nothing needs to be downloaded.
    """
    from tlcore.models.architectures import build_backbone
    from tlcore.models.backend import freeze
    from tlcore.models.classifier import lower_model

    backbone = build_backbone(row, row.input_size, None)
    cut = pooled_cut(row)
    if uses_onnx():
        from tlcore.engines.from_keras import plan_cut
        from tlcore.engines.runtime import OnnxNetwork
        from tlcore.engines.writer import write_network

        forward: Forward = OnnxNetwork(write_network(plan_cut(row, backbone, cut, row.input_size)))
    else:
        forward = freeze(lower_model(row, backbone, cut, row.input_size))
    size = (BATCH, row.input_size, row.input_size, 3)
    images = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    forward(images)
    batches: list[float] = []
    while sum(batches) < MEASURE_S:
        started = time.perf_counter()
        forward(images)
        batches.append(time.perf_counter() - started)
    return 1000 * statistics.median(batches) / BATCH


def measure_all(workspace: Workspace, names: Sequence[str]) -> None:
    """Measure those rows one after another, keeping each as soon as it is known; raises RunError while a run works."""
    rows = [find_backbone(name) for name in names]
    try:
        with FileLock(workspace.device_lock, timeout=0):
            device = configure_device()
            try:
                for number, row in enumerate(rows):
                    _write_measuring(workspace, Measuring(row.name, number, len(rows), ticking()))
                    _keep(workspace, device, row.name, measure(row))
            finally:
                _write_measuring(workspace, Measuring("", len(rows), len(rows), ticking(), finished=True))
    except Timeout:
        raise RunError(
            "Expected an idle machine. Received: one on which a run is working, which would make every backbone look "
            "slow. Measure when the run has ended."
        ) from None


def _keep(workspace: Workspace, device: str, row: str, milliseconds: float) -> None:
    speeds = read_speeds(workspace)
    speeds[device] = {**speeds.pop(device, {}), row: milliseconds}
    write_atomically(_speeds_path(workspace), json.dumps(speeds).encode())


def _write_measuring(workspace: Workspace, measuring: Measuring) -> None:
    write_atomically(_measuring_path(workspace), json.dumps(asdict(measuring)).encode())


def _measuring_path(workspace: Workspace) -> Path:
    return workspace.root / "measuring.json"


def _speeds_path(workspace: Workspace) -> Path:
    return workspace.root / "speed.json"


def main() -> None:
    """Measure the named rows and write the results into the workspace."""
    parser = argparse.ArgumentParser(description="Measure how long backbones take for an image on this machine.")
    parser.add_argument("--workspace")
    parser.add_argument("rows", nargs="+", metavar="ROW")
    arguments = parser.parse_args()
    workspace, error = open_workspace(arguments.workspace), ""
    try:
        measure_all(workspace, arguments.rows)
    except (ThawError, ImportError, OSError, RuntimeError, MemoryError) as problem:
        error = str(problem) or "The measurement ran out of memory. Close other programs and measure again."
    total = len(arguments.rows)
    _write_measuring(workspace, Measuring("", total, total, ticking(), finished=True, error=error))
    sys.exit(bool(error))


if __name__ == "__main__":
    main()
