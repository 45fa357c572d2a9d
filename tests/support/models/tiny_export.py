"""Exports small enough for any test: a real SavedModel that answers by a picture's mean colour, or that finds colours,
and its record."""

import zipfile
from pathlib import Path

from thaw.storage.export_record import Export, write_export
from tlcore.exporting.formats import Signature
from tlcore.exporting.model_files import ModelFile, measure_entry
from tlcore.settings import Task

LABELS = ["red", "grün", "<b>blue</b>"]
SIDE = 48


def write_tiny_export(folder: Path, threshold: float = 0.0) -> Path:
    """Write the export into `folder` with the exporter's own functions; return it. Its model is as sure as colours
    are clear: pure red is red at 0.999."""
    import keras

    from tlcore.exporting.converters import read_signature, write_saved_models

    image = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="image")
    colour = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(8 / 255)(image))
    shares = keras.layers.Softmax(name="probabilities")(colour)
    sure, number = keras.ops.top_k(shares, k=1)
    answer = keras.ops.where(sure >= threshold, number, -1)
    model = keras.Model(image, {"probabilities": shares, "answer": keras.ops.squeeze(answer, axis=-1)})
    write_saved_models(model, LABELS, folder / "saved_model", folder.with_name(f"{folder.name}-bare"))
    record(folder, read_signature(folder / "saved_model"), threshold)
    return folder


def write_tiny_detector(folder: Path, threshold: float = 0.4) -> Path:
    """Write the export of a detector into `folder`; return it. It looks at nine places, each a third of the square
    across and down, and is as sure of a colour there as it is clear."""
    import keras
    import numpy as np

    from tlcore.detection.verification import RULE
    from tlcore.exporting.converters import read_signature, write_saved_models

    third = SIDE // 3
    grid = [(x, y, x + third, y + third) for y in range(0, SIDE, third) for x in range(0, SIDE, third)]
    image = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="image")
    colour = keras.layers.AveragePooling2D(third)(keras.layers.Rescaling(1 / 255)(image))
    clear = keras.ops.relu(1.5 * colour - 0.5 * keras.ops.sum(colour, axis=-1, keepdims=True))
    scores = keras.ops.reshape(clear, (-1, 9, 3))
    boxes = keras.ops.add(0 * scores[..., :1], np.array(grid, np.float32))
    model = keras.Model(image, {"boxes": boxes, "scores": scores})
    bare = folder.with_name(f"{folder.name}-bare")
    write_saved_models(model, LABELS, folder / "saved_model", bare, RULE)
    record(folder, read_signature(folder / "saved_model"), threshold, "detect")
    return folder


def record(folder: Path, signature: Signature, threshold: float, task: Task = "classify") -> None:
    """Write the record of an export whose SavedModel lies in `folder` already."""
    sums, size = measure_entry(folder, "saved_model")
    files = [ModelFile("saved-model", "saved_model", "passed", sha256=sums, bytes=size)]
    write_export(
        folder,
        Export(
            run="run-1",
            phase=1,
            result="mark",
            created_at=0.0,
            image_size=SIDE,
            labels=LABELS,
            temperature=1.0,
            threshold=threshold,
            signature=signature,
            formats=files,
            reference="",
            device="CPU",
            seconds=1.0,
            task=task,
        ),
    )


def pack(folder: Path, archive: Path, prefix: str = "") -> Path:
    """Write the zip of an export; return it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                opened.write(path, prefix + path.relative_to(folder).as_posix())
    return archive
