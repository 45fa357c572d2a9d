"""Loads an exported file with its format's own runtime and nothing else: neither Thaw's model nor, for LiteRT and ONNX,
TensorFlow."""

import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

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


# TensorFlow is told the number of threads before it is imported, by `limit_threads`.
LOADERS: dict[str, Callable[[Path, int], Predict]] = {
    "keras": load_keras,
    "tensorflow": load_saved_model,
    "ai-edge-litert": load_litert,
    "onnxruntime": load_onnx,
}


def limit_threads(threads: int) -> None:
    """Have TensorFlow, once it is imported, compute with so many threads at most."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)


def describe_runtime(runtime: str) -> str:
    """Return the runtime's name and version."""
    return f"{runtime} {importlib.metadata.version(runtime)}"
