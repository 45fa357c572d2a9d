"""Trees seen from the air, with the boxes that come inside the Python package deepforest 2.1.0 (MIT): tiles of one site
to learn from, those of others to judge."""

import hashlib
import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from tlcore.boxes import Box, BoxedPhotos
from tlcore.photos import Photo

# Two forests of Yellowstone, 13 km apart by the coordinates in their names (574 and 279 boxes), a plot of
# Ordway-Swisher in Florida (61) and one of Soaproot Saddle in California (37, many of them dead trees). The package has
# no more boxes.
MEADOWS, ROADSIDE = "2019_YELL_2_528000_4978000_image_crop2", "2019_YELL_2_541000_4977000_image_crop"
FLORIDA, CALIFORNIA = "OSBS_029", "SOAP_061"
# What is learnt from, and what judges.
FOLDS = (
    ("from Yellowstone to other states", (MEADOWS, ROADSIDE), (FLORIDA, CALIFORNIA)),
    ("from one forest of Yellowstone to another", (MEADOWS,), (ROADSIDE,)),
    ("to Florida from all others", (MEADOWS, ROADSIDE, CALIFORNIA), (FLORIDA,)),
    ("to California from all others", (MEADOWS, ROADSIDE, FLORIDA), (CALIFORNIA,)),
)
TILE_PX, LEAST_PX = 400, 200
# A tree that a tile cuts is its own where so much of it is left.
LEAST_LEFT = 0.5


def write_tiles(folder: Path, wheel: Path, scenes: tuple[str, ...]) -> BoxedPhotos:
    """Write the tiles of scenes that have trees, as PNG; return them with boxes."""
    folder.mkdir(parents=True, exist_ok=True)
    photos, boxes = [], {}
    with zipfile.ZipFile(wheel) as archive:
        for scene in scenes:
            content = archive.read(f"deepforest/data/{scene}.png")
            with Image.open(io.BytesIO(content)) as opened:
                picture = opened.convert("RGB")
            trees = _read_voc(archive.read(f"deepforest/data/{scene}.xml"))
            for left in _starts(picture.width):
                for top in _starts(picture.height):
                    width, height = min(TILE_PX, picture.width - left), min(TILE_PX, picture.height - top)
                    placed = _cut_boxes(trees, left, top, width, height)
                    if not placed:
                        continue
                    file = folder / f"{scene}_{left}_{top}.png"
                    picture.crop((left, top, left + width, top + height)).save(file)
                    known = hashlib.sha256(file.read_bytes()).hexdigest()
                    photos.append(Photo(file.stem, "", file.name, known, width, height, file=str(file)))
                    boxes[file.stem] = placed
    return BoxedPhotos(photos, boxes)


def _starts(side: int) -> list[int]:
    """Return where tiles begin that share no pixels; what is left at the end is one too, unless it is narrow."""
    return [*range(0, side - LEAST_PX + 1, TILE_PX)]


def _read_voc(text: bytes) -> np.ndarray:
    """Return the edges of the boxes in pixels, (n, 4)."""
    found = ElementTree.fromstring(text).iter("bndbox")
    return np.array([[float(each.findtext(edge) or 0) for edge in ("xmin", "ymin", "xmax", "ymax")] for each in found])


def _cut_boxes(trees: np.ndarray, left: int, top: int, width: int, height: int) -> list[Box]:
    moved = trees - [left, top, left, top]
    clipped = moved.clip(0, [width, height, width, height])
    area = (moved[:, 2:] - moved[:, :2]).prod(axis=1)
    kept = (clipped[:, 2:] - clipped[:, :2]).prod(axis=1) >= LEAST_LEFT * np.maximum(area, 1)
    shares = clipped[kept] / [width, height, width, height]
    return [Box("tree", *map(float, (x0, y0, x1 - x0, y1 - y0))) for x0, y0, x1, y1 in shares]
