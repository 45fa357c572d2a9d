"""Exports a detector with its boxes decoded: every file is proven by a process that knows nothing but the file.

What comes out is not suppressed yet: whoever runs a file does what `tlcore.detection.suppression` does.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlcore.detection.detector import Detector
from tlcore.detection.network import BINS, list_places, read_edges, read_scores
from tlcore.errors import RunError, SettingsError
from tlcore.exporting.converters import write_saved_models
from tlcore.exporting.formats import CONVERTED, FLOAT_TOLERANCE, FORMATS, Format, find_format
from tlcore.exporting.model import write_keras
from tlcore.exporting.model_files import measure_entry
from tlcore.exporting.subprocesses import Subprocesses
from tlcore.exporting.verification import CONVERTERS, NEVER_CONVERTED, Bench
from tlcore.files import scratch_folder
from tlcore.models.backend import keras
from tlcore.models.preprocessing import normalise
from tlcore.progress import CheckStop, never_stop

LARGEST_SHIFT_PX = 0.5
"""How far an edge may lie from the detector's own in a float32 file."""
# A place that sees next to nothing may put its edges anywhere.
LEAST_SCORE = 0.01
DETECTOR_FORMATS = tuple(name for name, row in FORMATS.items() if row.tolerance is None)


@dataclass(frozen=True)
class DetectorFile:
    """A file that was proven: how far its edges (in pixels of the square) and its scores (0 to 1) lie from the
    detector's at most, on `pictures` of them; its sha256 and bytes are as of `tlcore.exporting.model_files`."""

    format: str
    file: str
    pictures: int
    largest_shift_px: float
    largest_difference: float
    sha256: str
    bytes: int


def build_exported(detector: Detector) -> keras.Model:
    """Build the model that is exported, of Keras's own layers alone; it shares the detector's.

    Takes `image`, uint8 (n, side, side, 3). Gives `boxes`, float32 (n, places, 4): left, upper, right and lower edges
    in pixels of that square, and `scores`, float32 (n, places, kinds), 0 to 1.
    """
    size = detector.image_size
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    said = detector.head(detector.tapped(normalise(detector.row, image), training=False), training=False)
    middles, strides = list_places(size)
    boxes = read_edges(said[..., : 4 * BINS], middles, strides)
    return keras.Model(image, {"boxes": boxes, "scores": read_scores(said[..., 4 * BINS :])}, name="detector")


def export_detector(
    detector: Detector,
    path: str | Path,
    pixels: np.ndarray,
    format: str | None = None,
    check_stop: CheckStop = never_stop,
) -> DetectorFile:
    """Write a detector to one file, or folder, once a process of its own gives the same boxes and scores with it.

    The ending of `path` says the format (`.onnx`, `.tflite`, `.keras`, none for a SavedModel), or `format` names it.
    `pixels`, uint8 (n, image_size, image_size, 3), are the pictures by which it is proven. Raises SettingsError for a
    format of reduced precision, and RunError where the file answers otherwise: then `path` stays as it is.
    """
    path = Path(path).absolute()
    row = find_format(path, format)
    if row.name not in DETECTOR_FORMATS:
        raise SettingsError(
            f"Expected one of {', '.join(DETECTOR_FORMATS)} for a detector. Received: {row.name}. In fewer bits than "
            "float32 edges would lie elsewhere; choose another."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder("export", path.parent) as scratch:
        bench = Bench(scratch / "files", scratch / "work")
        bench.folder.mkdir()
        bench.work.mkdir()
        np.save(bench.pixels, pixels)
        expected = detector.answer(pixels)
        model, target = build_exported(detector), bench.folder / row.file
        if row.name == "keras":
            write_keras(model, target)
        else:
            write_saved_models(model, detector.labels, target if row.name == "saved-model" else None, bench.bare)
        shift, difference = _prove(bench, row, expected, check_stop)
        if path.is_dir():
            shutil.rmtree(path)
        sha256, size = measure_entry(bench.folder, row.file)
        target.replace(path)
    return DetectorFile(row.name, path.name, len(pixels), shift, difference, sha256, size)


def _prove(
    bench: Bench, row: Format, expected: tuple[np.ndarray, np.ndarray], check_stop: CheckStop
) -> tuple[float, float]:
    """Have the file converted, if it is, and answer; return how far edges and scores are apart at most."""
    with Subprocesses(bench.work, check_stop) as processes:

        def run() -> str | None:
            lines: list[str] = []
            target = str(bench.folder / row.file)
            if row.name not in NEVER_CONVERTED:
                words = [str(bench.bare), f"{row.name}={target}"]
                failure = processes.run(CONVERTERS, words, lines.append)
                told = [line.split(" ", 2) for line in lines if line.startswith(f"{CONVERTED} {row.name}")]
                # Its name, and why it failed, if it did.
                failure = failure or ("nothing was written" if not told else " ".join(told[0][2:]).strip())
                if failure:
                    return failure
            words = [row.name, target, "--pixels", str(bench.pixels), "--answers", str(bench.answers(row))]
            return processes.run("tlcore.exporting.verify_file", words, lines.append)

        (failure,) = processes.side_by_side([run], 1)
    if failure:
        raise _refused(row, f"one that could not be made or run: {failure}")
    with np.load(bench.answers(row), allow_pickle=False) as answers:
        boxes, scores = answers["boxes"], answers["scores"]
    shift, difference = compare(expected, (boxes, scores))
    if shift > LARGEST_SHIFT_PX or difference > FLOAT_TOLERANCE:
        raise _refused(row, f"one whose edges are up to {shift:.2g} px and scores up to {difference:.2g} off")
    return shift, difference


def compare(expected: Sequence[np.ndarray], answers: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return how far edges (n, places, 4), where anything is seen, and scores (n, places, kinds) are apart at most.

    What has another shape or is no number is infinitely far away.
    """
    if any(one.shape != other.shape for one, other in zip(expected, answers, strict=True)):
        return np.inf, np.inf
    seen = expected[1].max(axis=-1) >= LEAST_SCORE
    far = [np.abs(one - other) for one, other in zip(expected, answers, strict=True)]
    shift, difference = (float(each.max(initial=0.0)) for each in (far[0][seen], far[1]))
    finite = all(np.isfinite(each).all() for each in answers)
    return (shift, difference) if finite else (np.inf, np.inf)


def _refused(row: Format, received: str) -> RunError:
    return RunError(
        f"Expected a file in {row.title} that finds what the detector finds, within {LARGEST_SHIFT_PX} px and "
        f"{FLOAT_TOLERANCE:g}. Received: {received}. Export another format."
    )
