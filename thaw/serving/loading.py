"""Makes the engine of a service from a run of the workspace or from an export."""

import numpy as np

from thaw.runs.decision import read_decision
from thaw.serving.detector_engine import DetectorEngine, pack, pack_every
from thaw.serving.engine import SIGNATURE, ClassifierEngine, Engine
from thaw.serving.exported import OpenedExport
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.evaluation.calibration import temper
from tlcore.images.pixels import WIDEST


def load_run(store: Store, run: Run) -> Engine:
    """Make an engine of a run's result; raise RunError or WeightsError as `load_network` and `load_finder` do."""
    return _load_detector(store, run) if run.head.task == "detect" else _load_classifier(store, run)


def load_export(export: OpenedExport) -> Engine:
    """Make an engine of an export's SavedModel by TensorFlow's loader alone.

    Raises RunError where its signature or class names are not those of the record.
    """
    import tensorflow as tf

    # What was loaded lives only as long as something holds it, which `network` does (an assert that names it does not
    # under `python -O`).
    loaded = tf.saved_model.load(str(export.saved_model))
    record, signature = export.record, loaded.signatures[SIGNATURE]
    blank = np.zeros((1, record.image_size, record.image_size, 3), np.uint8)
    outputs = signature(image=tf.constant(blank))
    names = [name.decode() for name in outputs["class_names"].numpy()[0]]
    if names != record.labels:
        raise RunError(
            f"Expected a SavedModel of the classes {record.labels}. Received: one of {names}. Export the run again."
        )

    def classify(pixels: np.ndarray, kept: object = loaded) -> np.ndarray:
        return signature(image=tf.constant(pixels))["probabilities"].numpy()

    def find(pixels: np.ndarray, kept: object = loaded) -> np.ndarray:
        said = {name: tensor.numpy() for name, tensor in signature(image=tf.constant(pixels)).items()}
        rows = zip(said["boxes"], said["scores"], said["classes"], said["count"], strict=True)
        return np.stack([pack(boxes[:k], scores[:k], kinds[:k]) for boxes, scores, kinds, k in rows])

    facts = (record.run, record.labels, record.image_size, record.threshold)
    if record.task == "detect":
        return DetectorEngine(*facts, find, record.grey_range)
    return ClassifierEngine(*facts, classify, record.grey_range)


def _load_classifier(store: Store, run: Run) -> ClassifierEngine:
    from thaw.prediction.network import load_network

    loaded, decision = load_network(store, run), read_decision(run)
    temperature, threshold = (decision.temperature, decision.threshold) if decision else (1.0, 0.0)

    def network(pixels: np.ndarray) -> np.ndarray:
        shares = loaded.predict(pixels)
        return shares if temperature == 1 else temper(shares, temperature).astype(np.float32)

    return ClassifierEngine(run.id, loaded.labels, loaded.image_size, threshold, network, loaded.grey_range)


def _load_detector(store: Store, run: Run) -> DetectorEngine:
    from thaw.detection.found import CONFIDENCE
    from thaw.prediction.detector import load_finder

    detector = load_finder(store, run)

    def network(pixels: np.ndarray) -> np.ndarray:
        return pack_every(*detector.answer(pixels))

    grey_range = run.facts.grey_range or WIDEST
    return DetectorEngine(run.id, detector.labels, run.image_size, CONFIDENCE, network, grey_range)
