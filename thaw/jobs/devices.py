"""The device that TensorFlow trains on: what it is called, how it is prepared and shared among GPUs.

TensorFlow is imported only inside functions, so that a process without it may ask for the processor's name.
"""

import ctypes
import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

# From glibc's malloc.h. 32 MB is the most that it takes for the threshold above which memory is mapped and unmapped.
M_TOP_PAD, M_MMAP_THRESHOLD = -2, -3


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
    return f"GPU: {gpu_name(gpus[0])}" if gpus else f"CPU: {processor_name()}"


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


def processor_name() -> str:
    """Return what the processor of this machine is called."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _keep_freed_memory() -> None:
    """Tell glibc to keep what a training step frees for the next one; returning it cost a quarter of the CPU time."""
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 25)
    libc.mallopt(M_TOP_PAD, 100 << 20)


def gpu_name(gpu: object) -> str:
    """Return what a physical GPU of TensorFlow's is called."""
    import tensorflow as tf

    return str(tf.config.experimental.get_device_details(gpu).get("device_name", "NVIDIA GPU"))
