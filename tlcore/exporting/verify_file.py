"""The process that verifies one file, `python -m tlcore.exporting.verify_file FORMAT PATH`: its answers, its times, or
both.

It loads the file alone, as any user would, with its format's own runtime and nothing else: neither Thaw's model nor,
for LiteRT and ONNX, TensorFlow.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tlcore.exporting.formats import FORMATS
from tlcore.exporting.web.runtime import PACKAGE, PAGE_FILE, VERSION

BATCH = 32
TIMED_S, LEAST_TIMES, MOST_TIMES = 1.5, 3, 30
ANSWERED = "answered"
"""What it prints when its answers are written and it waits for a line to measure its times."""

Predict = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From uint8 (n, side, side, 3) to the outputs by name."""


def load_keras(path: Path, threads: int) -> Predict:
    """Load a .keras file in safe mode, which admits no code from the file."""
    from tlcore.models.backend import keras

    model = keras.models.load_model(path, compile=False, safe_mode=True)
    return lambda batch: {name: np.asarray(output) for name, output in model.predict_on_batch(batch).items()}


def load_saved_model(path: Path, threads: int) -> Predict:
    """Load a SavedModel's signature with TensorFlow's own loader."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    # `kept` keeps it alive: the signature alone does not hold its graph.
    def predict(batch: np.ndarray, kept: object = loaded) -> dict[str, np.ndarray]:
        return {name: output.numpy() for name, output in serve(image=tf.constant(batch)).items()}

    return predict


def load_litert(path: Path, threads: int) -> Predict:
    """Load a .tflite file with the LiteRT interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    runner = interpreter.get_signature_runner("serving_default")
    return lambda batch: runner(image=batch)


def load_onnx(path: Path, threads: int) -> Predict:
    """Load an .onnx file with ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda batch: dict(zip(names, session.run(names, {"image": batch}), strict=True))


def load_web(path: Path, threads: int) -> Predict:
    """Open a web page in the browser that is installed here, which takes one thread."""
    from tlcore.exporting.web.browser import open_page

    return open_page(path / PAGE_FILE)


# TensorFlow is told the number of threads before it is imported, by `limit_threads`.
LOADERS: dict[str, Callable[[Path, int], Predict]] = {
    "keras": load_keras,
    "tensorflow": load_saved_model,
    "ai-edge-litert": load_litert,
    "onnxruntime": load_onnx,
    PACKAGE: load_web,
}


def limit_threads(threads: int) -> None:
    """Have TensorFlow, once it is imported, compute with so many threads at most."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)


def describe_runtime(runtime: str) -> str:
    """Return the runtime's name and version."""
    if runtime == PACKAGE:
        return f"{PACKAGE} {VERSION}"
    return f"{runtime} {importlib.metadata.version(runtime)}"


def score(predict: Predict, pixels: np.ndarray, tell: Callable[[int], None]) -> dict[str, np.ndarray]:
    """Return what the file answers for all images, by the names of its outputs; `tell` hears how many are done."""
    parts = []
    for start in range(0, len(pixels), BATCH):
        parts.append(predict(np.ascontiguousarray(pixels[start : start + BATCH])))
        tell(min(start + BATCH, len(pixels)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def time_prediction(predict: Predict, batch: np.ndarray) -> float:
    """Return the median milliseconds of a prediction, the first left out, over 1.5 s but 3 to 30 times."""
    predict(batch)
    taken: list[float] = []
    while len(taken) < LEAST_TIMES or (sum(taken) < TIMED_S and len(taken) < MOST_TIMES):
        started = time.perf_counter()
        predict(batch)
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)


def measure(predict: Predict, pixels: np.ndarray) -> dict[str, float]:
    """Measure one image and a batch; where there are fewer images than that, they are repeated."""
    batch = np.ascontiguousarray(pixels[np.arange(BATCH) % len(pixels)])
    return {
        "latency_ms": time_prediction(predict, batch[:1]),
        "batch_ms": time_prediction(predict, batch),
        "batch": BATCH,
    }


def main() -> None:
    """Load the file; then write its answers to `--answers`, or print its times as JSON where that is not given.

    With `--stay` it does both: once its answers are written it waits for a line before it measures, so that whoever
    started it can see to it that nothing else works meanwhile.
    """
    parser = argparse.ArgumentParser(prog="tlcore.exporting.verify_file", description="Verify one exported file.")
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("path", type=Path)
    parser.add_argument("--pixels", required=True, type=Path, help="uint8 (n, side, side, 3) as .npy")
    parser.add_argument("--answers", type=Path, help="an .npz of the outputs by name")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--stay", action="store_true", help="after the answers, print times once a line comes")
    arguments = parser.parse_args()
    runtime = FORMATS[arguments.format].runtime
    pixels = np.load(arguments.pixels, mmap_mode="r", allow_pickle=False)
    limit_threads(arguments.threads)
    predict = LOADERS[runtime](arguments.path, arguments.threads)
    if arguments.answers:
        write_answers(arguments.answers, score(predict, pixels, lambda done: print_line(str(done))))
    if arguments.stay:
        print_line(ANSWERED)
        sys.stdin.readline()
    if arguments.stay or not arguments.answers:
        print_line(json.dumps(measure(predict, pixels) | {"runtime": describe_runtime(runtime)}))


def write_answers(path: Path, outputs: dict[str, np.ndarray]) -> None:
    """Write outputs by name as .npz, `class_names` as the different rows (n, classes) that there are."""
    if "class_names" in outputs:
        # The same for every image, if all is well: one row.
        outputs["class_names"] = np.array(
            [[name.decode() for name in row] for row in set(map(tuple, outputs["class_names"]))]
        )
    # What was loaded is on record: a file that needs more than its own runtime would not be alone.
    outputs["modules"] = np.array(sorted({name.partition(".")[0] for name in sys.modules}))
    np.savez(path, allow_pickle=False, **outputs)


def print_line(words: str) -> None:
    """Print to the process that waits for it, at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
