"""Which processor TensorFlow will use on this machine, and if not a GPU, why not.

TensorFlow is imported only in the probe's own process (`python -m thaw.backbones.device_report --workspace DIR`); the
server reads what the probe wrote.
"""

import argparse
import importlib.metadata
import json
import platform
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from thaw.jobs.children import start_unheard
from thaw.jobs.devices import gpu_name, processor_name
from thaw.storage.workspace import Workspace, open_workspace
from tlcore.files import write_atomically

# How nice the probe is to other processes, from 0 to 19 (man 2 nice).
GIVING_WAY = 19
NVIDIA_PROGRAM = "nvidia-smi"


@dataclass(frozen=True)
class DeviceReport:
    """`device` is "GPU", "CPU" or "unknown" and `name` its model; `reason` and `remedy` say why no GPU is used and what
    to do about it."""

    device: str
    name: str
    reason: str
    remedy: str
    tensorflow_version: str
    probed_at: float


def probe() -> DeviceReport:
    """Ask TensorFlow what it sees; takes some seconds."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return DeviceReport("GPU", gpu_name(gpus[0]), "", "", tf.__version__, time.time())
    reason, remedy = explain_no_gpu(platform.system(), _has_nvidia_gpu(), tf.test.is_built_with_cuda())
    return DeviceReport("CPU", processor_name(), reason, remedy, tf.__version__, time.time())


def explain_no_gpu(system: str, nvidia_gpu: bool, built_with_cuda: bool) -> tuple[str, str]:
    """Return (reason, remedy) for a machine on which TensorFlow sees no GPU."""
    if system == "Windows":
        return (
            "TensorFlow has had no GPU support on Windows itself since version 2.10.",
            "To use an NVIDIA GPU, run Thaw inside WSL2 and install gpu.lock there, as README says.",
        )
    if system == "Darwin":
        return (
            "TensorFlow's own build for macOS runs on the CPU.",
            "Nothing needs doing: the backbones marked as quick run well on it.",
        )
    if not nvidia_gpu:
        return (
            "No NVIDIA GPU was found in this machine (nvidia-smi is missing or lists none).",
            "Nothing needs doing: training from cached features is quick on a CPU too. If there is an NVIDIA GPU, "
            "install its driver and check that nvidia-smi lists it.",
        )
    if not built_with_cuda:
        return (
            "There is an NVIDIA GPU, but this build of TensorFlow was made without CUDA.",
            "In Thaw's folder run: pip install --require-hashes -r gpu.lock, and start Thaw again.",
        )
    return (
        "There is an NVIDIA GPU, but TensorFlow could not load the CUDA libraries.",
        "In Thaw's folder run: pip install --require-hashes -r gpu.lock, and start Thaw again; the driver must be 525 "
        "or newer.",
    )


def start_probe(workspace: Workspace) -> None:
    """Start the probe in a process of its own; `read_report` finds its answer some seconds later."""
    start_unheard("thaw.backbones.device_report", "--workspace", str(workspace.root))


def look_again_if_due(workspace: Workspace) -> None:
    """Start the probe, unless what the last one found cannot be otherwise: the same processor and TensorFlow, and still
    no NVIDIA driver. It takes some seconds of a processor, which a server that has just started has other use for."""
    report = read_report(workspace)
    if (
        report is None
        or report.device != "CPU"
        or report.name != processor_name()
        or report.tensorflow_version != importlib.metadata.version("tensorflow")
        or shutil.which(NVIDIA_PROGRAM)
    ):
        start_probe(workspace)


def read_report(workspace: Workspace) -> DeviceReport | None:
    """Return what the last probe found, or None before the first."""
    path = _report_path(workspace)
    return DeviceReport(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def keep_report(workspace: Workspace, report: DeviceReport) -> None:
    """Write what a probe found into the workspace."""
    write_atomically(_report_path(workspace), json.dumps(asdict(report)).encode())


def _give_way() -> None:
    """Take a processor only while nobody else wants it: importing TensorFlow takes some seconds of one."""
    psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if platform.system() == "Windows" else GIVING_WAY)


def _report_path(workspace: Workspace) -> Path:
    return workspace.root / "device.json"


def _has_nvidia_gpu() -> bool:
    program = shutil.which(NVIDIA_PROGRAM)
    if program is None:
        return False
    listing = subprocess.run(
        [program, "-L"], capture_output=True, encoding="utf-8", errors="replace", timeout=20, check=False
    )
    return listing.returncode == 0 and "GPU" in listing.stdout


def main() -> None:
    """Probe and write the report into the workspace."""
    parser = argparse.ArgumentParser(description="Find out which device TensorFlow will use.")
    parser.add_argument("--workspace")
    workspace = open_workspace(parser.parse_args().workspace)
    _give_way()
    try:
        report = probe()
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as problem:
        report = DeviceReport(
            "unknown",
            processor_name(),
            f"TensorFlow could not be asked: {problem}",
            "Run `python -c 'import tensorflow'` in the same environment; what it prints says what is missing.",
            "",
            time.time(),
        )
    keep_report(workspace, report)


if __name__ == "__main__":
    main()
