"""The runtime without memory to spare: it says so as Python does, and goes on with less."""

import subprocess
import sys

SIDE, CHANNELS = 1000, 64
# Room for what one picture needs and not for four at once.
PROGRAM = f"""
import resource
import numpy as np
import psutil
from tlcore.engines.runtime import OnnxNetwork
from tlcore.engines.writer import write_network
from tlcore.models.plan import PIXELS, Network, PlainLayer

config = {{"padding": "same", "use_bias": False, "activation": "linear", "strides": (1, 1)}}
kernel = np.ones((3, 3, 3, {CHANNELS}), np.float32)
wide = PlainLayer("wide", "Conv2D", config, (PIXELS,), [kernel])
pooled = PlainLayer("pooled", "GlobalAveragePooling2D", {{}}, ("wide",))
network = OnnxNetwork(write_network(Network({SIDE}, [wide, pooled], ("pooled",))))
pictures = np.zeros((4, {SIDE}, {SIDE}, 3), np.uint8)
network(pictures[:1])
held = psutil.Process().memory_info().vms + 100_000_000
resource.setrlimit(resource.RLIMIT_AS, (held, held))
try:
    network(pictures)
except MemoryError as problem:
    print("told:", problem)
print(network(pictures[:1])[0].shape)
"""


def test_memory_that_runs_out_is_told_as_such_and_leaves_the_network_usable():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert "told: ONNX Runtime:" in done.stdout
    assert done.stdout.endswith("(1, 64)\n")
    assert done.stderr == ""
