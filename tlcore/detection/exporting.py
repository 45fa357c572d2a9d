"""Exports a detector with its boxes decoded: every file is proven by a process that knows nothing but the file.

A SavedModel and an ONNX file have suppression inside (`tlcore.exporting.suppression`); whoever runs one of the others
does what `tlcore.detection.suppression` does.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tlcore.detection.detector import Detector
from tlcore.detection.finding import PICTURES_AT_ONCE
from tlcore.detection.found import Drawn
from tlcore.detection.network import read_edges, read_scores
from tlcore.detection.places import BINS, list_places
from tlcore.detection.verification import RULE, DetectorReference, judge_answers
from tlcore.detection.views import Window, read_squares
from tlcore.errors import RunError
from tlcore.exporting.bench import Bench, Verdict, prove
from tlcore.exporting.converters import read_signature, write_saved_models
from tlcore.exporting.formats import DETECTOR_FORMATS, Format, Signature, choose_formats, find_format
from tlcore.exporting.model import write_keras
from tlcore.exporting.model_files import ModelFile
from tlcore.files import scratch_folder
from tlcore.models.backend import keras
from tlcore.models.preprocessing import normalise
from tlcore.progress import CheckStop, Progress, Stage, ignore_progress, never_stop

MOST_HELD_BYTES = 200_000_000
"""What a detector says of the pictures that prove its files is held in memory."""


def count_judged(image_size: int, kinds: int) -> int:
    """Return on how many pictures a detector's files can be proven."""
    places = len(list_places(image_size)[1])
    return max(1, MOST_HELD_BYTES // (places * (4 + kinds) * np.dtype(np.float32).itemsize))


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


def write_squares(
    files: Sequence[str | Path], image_size: int, path: Path, progress: Callable[[int, int], None]
) -> list[Window]:
    """Write pictures as a detector sees them, uint8 (n, image_size, image_size, 3), as .npy to `path`; return how each
    lies in its square. `progress` is called with how many are done, and of how many."""
    shape = (len(files), image_size, image_size, 3)
    pixels, windows = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape), list[Window]()
    for place, file in enumerate(files):
        progress(place, len(files))
        with Image.open(file, formats=("PNG", "JPEG")) as picture:
            squares, (window,) = read_squares([picture], image_size)
        pixels[place] = squares[0]
        windows.append(window)
    pixels.flush()
    return windows


def make_detector_files(
    detector: Detector,
    formats: Sequence[Format],
    windows: Sequence[Window],
    drawn: Mapping[str, Sequence[Drawn]],
    bench: Bench,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
) -> tuple[Signature, list[ModelFile]]:
    """Write a detector in `formats` into `bench.folder`; return the signature and the record of each file.

    Every file must answer for the pictures at `bench.pixels`, which lie in their squares as `windows` say, as the
    detector does when it computes them in float32. `drawn` is what is on them, by name of a set, one set after another.
    `check_stop` raises to end the work.
    """
    # 1. The model, and the two formats that others are made from.
    progress(Stage.BUILDING_MODEL, 0, 0)
    model = build_exported(detector)
    files = {row.name: bench.folder / row.file for row in formats}
    if "keras" in files:
        write_keras(model, files["keras"])
    check_stop()
    progress(Stage.FREEZING_GRAPH, 0, 0)
    write_saved_models(model, detector.labels, files.get("saved-model"), bench.bare, RULE)
    signature = read_signature(files.get("saved-model", bench.bare))

    # 2. What every file must answer.
    progress(Stage.ANSWERING_AGAIN, 0, 0)
    pixels = np.load(bench.pixels, mmap_mode="r", allow_pickle=False)
    edges, scores = _answer(detector, pixels, check_stop)
    references, start = [], 0
    for side, boxes in drawn.items():
        end = start + len(boxes)
        references.append(DetectorReference(side, edges[start:end], scores[start:end], windows[start:end], boxes))
        start = end

    # 3. The other formats, each verified by a process of its own.
    def judge(row: Format, path: Path) -> Verdict:
        return judge_answers(path, references, detector.labels)

    converting = ["--suppress", *RULE.words]
    made = prove(bench, formats, len(pixels), judge, detector.labels, converting, progress, check_stop)
    return signature, made


def export_detector(
    detector: Detector,
    path: str | Path,
    pixels: np.ndarray,
    format: str | None = None,
    check_stop: CheckStop = never_stop,
) -> ModelFile:
    """Write a detector to one file, or folder, once a process of its own gives the same boxes and scores with it.

    The ending of `path` says the format (`.onnx`, `.tflite`, `.keras`, none for a SavedModel), or `format` names it.
    `pixels`, uint8 (n, image_size, image_size, 3), are the pictures by which it is proven. Raises SettingsError for a
    format of reduced precision, and RunError where the file answers otherwise: then `path` stays as it is.
    """
    path = Path(path).absolute()
    (row,) = choose_formats([find_format(path, format).name], DETECTOR_FORMATS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder("export", path.parent) as scratch:
        bench = Bench(scratch / "files", scratch / "work")
        bench.folder.mkdir()
        bench.work.mkdir()
        np.save(bench.pixels, pixels)
        windows = [Window(detector.image_size, detector.image_size, detector.image_size)] * len(pixels)
        nothing = Drawn(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
        drawn = {"pictures": [nothing] * len(pixels)}
        _, (made,) = make_detector_files(detector, [row], windows, drawn, bench, check_stop=check_stop)
        if not made.offered:
            raise RunError(
                f"Expected a file in {row.title} that finds what the detector finds. Received: one that was refused, "
                f"since {made.reason}. Export another format."
            )
        if path.is_dir():
            shutil.rmtree(path)
        (bench.folder / row.file).replace(path)
    return made


def _answer(detector: Detector, pixels: np.ndarray, check_stop: CheckStop) -> tuple[np.ndarray, np.ndarray]:
    """Return edges and scores of all pictures."""
    parts = []
    for start in range(0, len(pixels), PICTURES_AT_ONCE):
        check_stop()
        parts.append(detector.answer(np.ascontiguousarray(pixels[start : start + PICTURES_AT_ONCE])))
    edges, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
    return edges, scores
