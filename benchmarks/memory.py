"""What computing a part of the network twice saves of memory in phase 2, and what it costs of time.

    python benchmarks/memory.py [--backbone resnet50] [--batch 32] [--image-size 224] [--layers N] [--steps 2]

The top `--layers` of the backbone train (all, if left out), on random pixels and random weights, which decide nothing
here. Each way is measured in a process of its own: the most memory that it ever had, what of that its steps brought,
the processor's seconds of a step, and the losses, which are to be the same.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

WAYS = ("all kept", "rematerialised", "half the batch")


def take_steps(way: str, name: str, batch: int, side: int, layers: int, steps: int) -> dict[str, Any]:
    """Train in this process; return its peak memory in bytes, before the steps and after, seconds a step and losses."""
    from thaw.jobs.devices import configure_device
    from tlcore.models import classifier as models
    from tlcore.models.architectures import build_backbone
    from tlcore.models.backbones import find_backbone
    from tlcore.models.backend import keras
    from tlcore.models.rematerialisation import find_rematerialised
    from tlcore.settings import HeadSettings
    from tlcore.training.phases import compile_model

    configure_device()
    keras.utils.set_random_seed(0)
    row = find_backbone(name)
    backbone = build_backbone(row, side, None)
    models.freeze_below_top(backbone, min(layers or len(backbone.layers), len(backbone.layers)))
    cut = models.find_cut(row, backbone, side)
    model = models.upper_model(row, backbone, cut, models.build_head(row.features, 5, HeadSettings(dropout=0.0)))
    part = find_rematerialised(model)
    assert part is not None, "at least one layer of the backbone trains"
    if way == "rematerialised":
        assert part.rematerialise(), "there is something to save"
    compile_model(model, "softmax", 1e-5)
    size = batch // 2 if way == "half the batch" else batch
    chance, before = np.random.default_rng(0), _peak_bytes()
    tensors = zip(cut.shapes, cut.dtypes, strict=True)
    inputs = [chance.integers(0, 256, (size, *shape)).astype(dtype) for shape, dtype in tensors]
    losses, seconds = [], []
    for _ in range(steps):
        started = time.process_time()
        losses.append(float(model.train_on_batch(inputs, chance.integers(0, 5, size))[0]))
        seconds.append(time.process_time() - started)
    return {"before": before, "peak": _peak_bytes(), "step_s": min(seconds), "losses": losses}


def measure(way: str, *settings: str) -> dict[str, Any]:
    """Have a process of its own take the steps of one way, and return what it measured."""
    command = [sys.executable, __file__, "--way", way, *settings]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # What `getrusage` tells on Linux begins with the peak of the process that started this one.
        line = next(each for each in status.read_text(encoding="utf-8").splitlines() if each.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure each way in turn and print a line of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--layers", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        found = take_steps(asked.way, asked.backbone, asked.batch, asked.image_size, asked.layers, asked.steps)
        print(json.dumps(found))
        return
    for way in WAYS:
        found = measure(way, *sys.argv[1:])
        print(
            f"{way:15} peak {found['peak'] / 1e6:6,.0f} MB, of it by the steps "
            f"{(found['peak'] - found['before']) / 1e6:6,.0f} MB; {found['step_s']:.1f} s of processor time a step; "
            f"losses {', '.join(f'{each:.6f}' for each in found['losses'])}",
            flush=True,
        )


if __name__ == "__main__":
    main()
