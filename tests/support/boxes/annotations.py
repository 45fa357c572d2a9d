"""Folders of photos with annotation files beside them, in each of the formats that are read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.pictures.corpus import jpeg
from thaw.boxes.annotations import Source

WIDTH, HEIGHT = 96, 72
Drawn = Mapping[str, Sequence[tuple[str, float, float, float, float]]]
"""By the name of a photo what is drawn on it: a class, and x, y, width and height in pixels."""
ORCHARD: Drawn = {
    "a.jpg": [("apple", 10, 10, 20, 20), ("pear", 40, 20, 30, 40)],
    "b.jpg": [("apple", 0, 0, 96, 72)],
    "c.jpg": [],
}


def write_photos(folder: Path, names: Sequence[str], seed: int = 7000) -> Path:
    """Write a distinct photo of 96 x 72 pixels under each name."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(seed + number, WIDTH, HEIGHT))
    return folder


def coco(drawn: Drawn, sizes: bool = True) -> dict[str, list[dict[str, object]]]:
    """Return a COCO file as a value."""
    labels = sorted({label for boxes in drawn.values() for label, *_ in boxes})
    size = {"width": WIDTH, "height": HEIGHT} if sizes else {}
    return {
        "images": [{"id": number, "file_name": name} | size for number, name in enumerate(drawn)],
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels)],
        "annotations": [
            {"id": 1, "image_id": number, "category_id": labels.index(label), "bbox": place}
            for number, boxes in enumerate(drawn.values())
            for label, *place in boxes
        ],
    }


def write_coco(folder: Path, drawn: Drawn = ORCHARD, name: str = "annotations.json") -> Path:
    write_photos(folder, [*drawn])
    (folder / name).write_text(json.dumps(coco(drawn)))
    return folder


def write_create_ml(folder: Path, drawn: Drawn = ORCHARD) -> Path:
    write_photos(folder, [*drawn])
    rows = [
        {
            "image": name,
            "annotations": [
                {"label": label, "coordinates": {"x": x + w / 2, "y": y + h / 2, "width": w, "height": h}}
                for label, x, y, w, h in boxes
            ],
        }
        for name, boxes in drawn.items()
    ]
    (folder / "_annotations.createml.json").write_text(json.dumps(rows))
    return folder


def voc(photo: str, boxes: Sequence[tuple[str, float, float, float, float]], width: int = WIDTH) -> str:
    """Return a Pascal VOC file as a text."""
    objects = "".join(
        f"<object><name>{label}</name><difficult>0</difficult><bndbox><xmin>{x}</xmin><ymin>{y}</ymin>"
        f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
        for label, x, y, w, h in boxes
    )
    size = f"<size><width>{width}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    return f"<annotation><folder>x</folder><filename>{photo}</filename>{size}{objects}</annotation>"


def write_voc(folder: Path, drawn: Drawn = ORCHARD) -> Path:
    """Write the two folders of the VOC challenges."""
    write_photos(folder / "JPEGImages", [*drawn])
    (folder / "Annotations").mkdir()
    for name, boxes in drawn.items():
        (folder / "Annotations" / f"{Path(name).stem}.xml").write_text(voc(name, boxes))
    return folder


def yolo(boxes: Sequence[tuple[str, float, float, float, float]], labels: Sequence[str] = ("apple", "pear")) -> str:
    """Return a YOLO file as a text."""
    return "".join(
        f"{labels.index(label)} {(x + w / 2) / WIDTH} {(y + h / 2) / HEIGHT} {w / WIDTH} {h / HEIGHT}\n"
        for label, x, y, w, h in boxes
    )


def write_yolo(folder: Path, drawn: Drawn = ORCHARD, names: str = "names: [apple, pear]\n") -> Path:
    """Write images/ and labels/ beside a data.yaml, or without one where it would be empty."""
    write_photos(folder / "images", [*drawn])
    for name, boxes in drawn.items():
        path = (folder / "labels" / name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yolo(boxes))
    if names:
        (folder / "data.yaml").write_text(names)
    return folder


WRITERS = {"coco": write_coco, "create-ml": write_create_ml, "voc": write_voc, "yolo": write_yolo}


def sources(folder: Path) -> list[Source]:
    """List a folder as an import does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Source(path.relative_to(folder).parts, path) for path in files]
