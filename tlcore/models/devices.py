"""Which processor TensorFlow will use on this machine, and if not a GPU, why not.

TensorFlow is imported only inside functions that run in a worker or in the probe's own process
(`python -m tlcore.models.devices --workspace DIR`); the server reads what the probe wrote.
"""

import argparse
import ctypes
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock

from thaw.jobs.queue import take_turn
from thaw.jobs.reporter import Reporter
from thaw.storage.workspace import Workspace, open_workspace
from tlcore.environment import SOURCE_ROOT
from tlcore.files import write_atomically

# From glibc's malloc.h. 32 MB is the most that it takes for the threshold above which memory is mapped and unmapped.
M_TOP_PAD, M_MMAP_THRESHOLD = -2, -3
# "NVIDIA GPUs with compute capability at least 7.0" gain from float16, by TensorFlow's guide "Mixed precision".
HALF_PRECISION_CAPABILITY = (7, 0)
# How nice the probe is to other processes, from 0 to 19 (man 2 nice).
GIVING_WAY = 19


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


@contextmanager
def hold_device(reporter: Reporter) -> Iterator[None]:
    """Hold the workspace's devices while the body runs, waiting first for the job's turn (`thaw.jobs.queue`)."""
    lock = FileLock(reporter.store.workspace.device_lock)
    take_turn(reporter, lock)
    try:
        yield
    finally:
        lock.release()


def configure_device() -> str:
    """Prepare TensorFlow for one worker and return the device's description.

    GPU memory grows as needed rather than all at once, and operations are deterministic, so that the same seed gives
    the same run. Call before anything else touches TensorFlow.
    """
    import tensorflow as tf

    _keep_freed_memory()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_op_determinism()
    return f"GPU: {_gpu_name(gpus[0])}" if gpus else f"CPU: {processor_name()}"


def spread_over_gpus() -> AbstractContextManager[object]:
    """Return a context in which models are mirrored on every GPU there is; where there is one or none, it does nothing.

    Batches are divided among the GPUs, whose gradients are averaged (TensorFlow's guide "Distributed training").
    """
    import tensorflow as tf

    gpus = [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
    return mirror(gpus) if len(gpus) > 1 else nullcontext()


def mirror(devices: Sequence[str]) -> AbstractContextManager[object]:
    """Return a context in which models are mirrored on those logical devices."""
    import tensorflow as tf

    # The default, all devices at once, mixed up the gradients of models as large as these on two logical CPUs.
    return tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice()).scope()


def gains_from_half_precision() -> bool:
    """Say whether the device that training will use computes faster in float16: every GPU of it must; no CPU does."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return bool(gpus) and all(
        (each.get("compute_capability") or (0, 0)) >= HALF_PRECISION_CAPABILITY for each in details
    )


def probe() -> DeviceReport:
    """Ask TensorFlow what it sees; takes some seconds."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return DeviceReport("GPU", _gpu_name(gpus[0]), "", "", tf.__version__, time.time())
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


def processor_name() -> str:
    """Return what the processor of this machine is called."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def start_probe(workspace: Workspace) -> None:
    """Start the probe in a process of its own; `read_report` finds its answer some seconds later."""
    subprocess.Popen(
        [sys.executable, "-m", "tlcore.models.devices", "--workspace", str(workspace.root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=SOURCE_ROOT,
    )


def read_report(workspace: Workspace) -> DeviceReport | None:
    """Return what the last probe found, or None before the first."""
    path = _report_path(workspace)
    return DeviceReport(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _give_way() -> None:
    """Take a processor only while nobody else wants it: importing TensorFlow takes some seconds of one."""
    psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if platform.system() == "Windows" else GIVING_WAY)


def _keep_freed_memory() -> None:
    """Tell glibc to keep what a training step frees for the next one; returning it cost a quarter of the CPU time."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 25)
    libc.mallopt(M_TOP_PAD, 100 << 20)


def _report_path(workspace: Workspace) -> Path:
    return workspace.root / "device.json"


def _gpu_name(gpu: object) -> str:
    import tensorflow as tf

    return str(tf.config.experimental.get_device_details(gpu).get("device_name", "NVIDIA GPU"))


def _has_nvidia_gpu() -> bool:
    program = shutil.which("nvidia-smi")
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
    write_atomically(_report_path(workspace), json.dumps(asdict(report)).encode())


if __name__ == "__main__":
    main()
