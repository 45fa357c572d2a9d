"""An export small enough for any test: a real SavedModel that answers by a picture's mean colour, and its record."""

import zipfile
from pathlib import Path

from thaw.storage.export_record import Export, write_export
from tlcore.exporting.formats import Signature
from tlcore.exporting.model_files import ModelFile, measure_entry

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


def record(folder: Path, signature: Signature, threshold: float) -> None:
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
        ),
    )


def pack(folder: Path, archive: Path, prefix: str = "") -> Path:
    """Write the zip of an export; return it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                opened.write(path, prefix + path.relative_to(folder).as_posix())
    return archive
