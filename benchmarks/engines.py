"""Which engine runs the frozen part fastest: one backbone of each family, TensorFlow against ONNX Runtime and OpenVINO.

    python benchmarks/engines.py [--backbones NAME ...] [--rounds 5] [--images 64] [--size 0] [--accuracy SEEDS]

All run the same network up to its pooled features at the backbone's own size (or `--size`), in turns; where the weights
are not on this machine they are random. Printed are the medians of all rounds: images a second, milliseconds of
processor time an image (which tells more on a machine with other work), the seconds to make the file and to load it,
its size, and the largest difference from TensorFlow's features as a share of the largest feature. OpenVINO is measured
if it is installed; it reads the same file. `--accuracy` trains both phases on what TensorFlow and ONNX Runtime make of
photos and prints what is learnt.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

FAMILIES = [
    "efficientnet-lite0",
    "mobilenet-v2",
    "mobilenet-v3-small",
    "inception-v3",
    "resnet50",
    "resnet50-v2",
    "efficientnetv2-b0",
    "xception",
    "densenet121",
    "nasnet-mobile",
    "vgg16",
    "convnext-tiny",
]
TENSORFLOW_BATCH = 32

Forward = Callable[[np.ndarray], np.ndarray]


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """Return what `work` returns, and the seconds of processor time it took."""
    started = time.process_time()
    return work(), time.process_time() - started


def open_openvino(path: Path) -> Forward:
    """Load a file into OpenVINO as it is fastest for many images: a stream for each core, few images at a time."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": os.cpu_count() or 1}
    queue = openvino.AsyncInferQueue(openvino.Core().compile_model(str(path), "CPU", settings))
    found: dict[int, np.ndarray] = {}
    queue.set_callback(lambda request, at: found.__setitem__(at, np.array(request.get_output_tensor(0).data)))

    def forward(pixels: np.ndarray) -> np.ndarray:
        starts = range(0, len(pixels), 4)
        for start in starts:
            queue.start_async(pixels[start : start + 4], start)
        queue.wait_all()
        return np.concatenate([found[start] for start in starts])

    return forward


def measure(name: str, rounds: int, images: int, size: int) -> None:
    """Measure one backbone and print a line for each engine."""
    from tlcore.engines.from_keras import plan_cut
    from tlcore.engines.runtime import OnnxNetwork
    from tlcore.engines.writer import write_network
    from tlcore.models.architectures import build_backbone
    from tlcore.models.backbones import find_backbone
    from tlcore.models.backend import freeze
    from tlcore.models.classifier import lower_model
    from tlcore.models.plan import pooled_cut
    from tlcore.models.weights import fetch, is_local

    row = find_backbone(name)
    side = size or row.input_size
    backbone = build_backbone(row, side, fetch(row) if is_local(row) else None)
    cut = pooled_cut(row)
    pixels = np.random.default_rng(0).integers(0, 256, (images, side, side, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "network.onnx"
        frozen, freezing_s = timed(lambda: freeze(lower_model(row, backbone, cut, side)))
        _, writing_s = timed(lambda: path.write_bytes(write_network(plan_cut(row, backbone, cut, side))))
        network, loading_s = timed(lambda: OnnxNetwork(path))
        engines: dict[str, tuple[Forward, str]] = {
            "TensorFlow": (
                lambda batch: np.concatenate(
                    [frozen(batch[at : at + TENSORFLOW_BATCH])[0] for at in range(0, len(batch), TENSORFLOW_BATCH)]
                ),
                f"made in {freezing_s:4.1f} s",
            ),
            "ONNX Runtime": (
                lambda batch: network(batch)[0],
                f"made in {writing_s:4.1f} s, loaded in {loading_s:4.1f} s, {path.stat().st_size / 1e6:5.1f} MB",
            ),
        }
        try:
            opened, loading_s = timed(lambda: open_openvino(path))
            engines["OpenVINO"] = opened, f"                loaded in {loading_s:4.1f} s"
        except ImportError:
            pass
        expected = engines["TensorFlow"][0](pixels)
        apart = {each: np.abs(run(pixels) - expected).max() for each, (run, _) in engines.items()}
        speeds: dict[str, list[float]] = {each: [] for each in engines}
        costs: dict[str, list[float]] = {each: [] for each in engines}
        for _ in range(rounds):
            for each, (run, _) in engines.items():
                started, spent = time.perf_counter(), time.process_time()
                run(pixels)
                speeds[each].append(images / (time.perf_counter() - started))
                costs[each].append(1000 * (time.process_time() - spent) / images)
    print(f"{row.title} at {side} pixels, {images} images")
    for each, (_, said) in engines.items():
        print(
            f"  {each:12} {statistics.median(speeds[each]):7.1f} images/s {statistics.median(costs[each]):7.1f} ms of "
            f"processor an image, {apart[each] / np.abs(expected).max():.0e} apart; {said}",
            flush=True,
        )


def compare_accuracy(seeds: int, images: int) -> None:
    """Train both phases on each engine, with several seeds for the split and the training; print the accuracies."""
    from benchmarks.photos import write_photos
    from tlcore import api
    from tlcore.features import frozen

    installed = frozen._is_installed
    with tempfile.TemporaryDirectory() as scratch:
        photos = api.read_photos(write_photos(Path(scratch) / "photos", images))
        for seed in range(seeds):
            parts = api.split(photos, validation=0.2, seed=seed)
            for name, there in (("ONNX Runtime", installed), ("TensorFlow", lambda: False)):
                frozen._is_installed = there
                head = api.train_head(parts, epochs=20, seed=seed)
                tuned = api.fine_tune(head, layers=38, epochs=3, insist=True)
                print(f"  seed {seed}, {name:12} head {head.accuracy:.1%}, fine-tuned {tuned.accuracy:.1%}", flush=True)
    frozen._is_installed = installed


def main() -> None:
    """Measure the backbones one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=FAMILIES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--size", type=int, default=0, help="pixels a side; 0 for each backbone's own")
    parser.add_argument("--accuracy", type=int, default=0, metavar="SEEDS", help="instead compare what is learnt")
    chosen = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if chosen.accuracy:
        compare_accuracy(chosen.accuracy, chosen.images)
        return
    for name in chosen.backbones:
        measure(name, chosen.rounds, chosen.images, chosen.size)


if __name__ == "__main__":
    main()
