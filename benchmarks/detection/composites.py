"""Photos with boxes that nobody has to draw: real cut-outs laid on real backgrounds, objects and backgrounds kept apart
between what is learnt from and what judges.

The cut-outs are the photographed stamps of Tux Paint, the backgrounds the photos of GCompris (`benchmarks/leaks.py`
says where they come from).
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.leaks import AGAIN, COLOURS, DRAWN, LARGE_PX, choose_photos, count_colours, read_bundles
from tlcore.boxes import Box, BoxedPhotos
from tlcore.photos import Photo

KINDS = {
    "animal": ("animals/",),
    "flower": ("plants/flowers",),
    "food": ("food/",),
    "thing": ("household", "hobbies", "sports", "clothes"),
}
ARTIFICIAL = ("toys", "plastic")
LEAST_PX = 60
LEARNT_SHARE = 0.7
SIZE_PX = (640, 480)
MOST_OBJECTS = 5
# The longer side of an object as a share of the photo's shorter one, and how much of one may lie under another.
EXTENTS, MOST_COVERED = (0.15, 0.6), 0.25

Objects = list[tuple[str, Image.Image]]


def read_material(stamps: Path, bundles: Path) -> dict[str, tuple[Objects, list[Image.Image]]]:
    """Return the objects, by their kinds, and the backgrounds that are "learnt" from and those that are "unseen".

    Raises SystemExit where the packages bring none.
    """
    chance = np.random.default_rng(0)
    objects = read_cut_outs(stamps)
    backgrounds = [each.convert("RGB") for each in choose_photos(read_bundles(bundles)) if min(each.size) >= LARGE_PX]
    if not objects or not backgrounds:
        raise SystemExit(
            f"Expected cut-outs below {stamps} and photos in {bundles}. Received: {len(objects)} and "
            f"{len(backgrounds)}. Install tuxpaint-stamps-default and gcompris-qt-data, or name their folders."
        )
    sides: dict[str, tuple[Objects, list[Image.Image]]] = {"learnt": ([], []), "unseen": ([], [])}
    for kind in KINDS:
        mine = [each for each in objects if each[0] == kind]
        _deal(mine, chance, sides["learnt"][0], sides["unseen"][0])
    _deal(backgrounds, chance, sides["learnt"][1], sides["unseen"][1])
    return sides


def read_cut_outs(folder: Path) -> Objects:
    """Return the photographed stamps with their kinds, RGBA, cropped to what is to be seen."""
    found = []
    for file in sorted(folder.rglob("*.png")):
        name = file.relative_to(folder).as_posix()
        kind = next((kind for kind, starts in KINDS.items() if name.startswith(starts)), None)
        if not kind or any(word in name for word in (*DRAWN, *ARTIFICIAL)):
            continue
        if file.stem.endswith(("_mirror", "_flip", AGAIN)):
            continue
        picture = Image.open(file).convert("RGBA")
        box = picture.getchannel("A").point(lambda value: 255 * (value > 16)).getbbox()
        if box and min(box[2] - box[0], box[3] - box[1]) >= LEAST_PX and count_colours(picture) >= COLOURS:
            found.append((kind, picture.crop(box)))
    return found


def write_composites(
    folder: Path, count: int, objects: Objects, backgrounds: Sequence[Image.Image], seed: int
) -> BoxedPhotos:
    """Write `count` JPEGs with one to five objects each, every kind as often as another; return them with boxes."""
    chance = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    photos, boxes = [], {}
    for number in range(count):
        size = SIZE_PX if chance.random() < 0.7 else SIZE_PX[::-1]
        picture = _lay_ground(backgrounds[chance.integers(len(backgrounds))], size, chance)
        placed = _lay_objects(picture, objects, chance)
        file = folder / f"{number:04d}.jpg"
        picture.save(file, quality=92)
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        photos.append(Photo(f"{seed}-{number}", "", file.name, content, *size, file=str(file)))
        boxes[photos[-1].id] = placed
    return BoxedPhotos(photos, boxes)


def _deal(things: list, chance: np.random.Generator, learnt: list, unseen: list) -> None:
    order = chance.permutation(len(things))
    cut = round(LEARNT_SHARE * len(things))
    learnt += [things[place] for place in order[:cut]]
    unseen += [things[place] for place in order[cut:]]


def _lay_ground(ground: Image.Image, size: tuple[int, int], chance: np.random.Generator) -> Image.Image:
    scale = max(size[0] / ground.width, size[1] / ground.height) * chance.uniform(1, 1.4)
    sides = (max(size[0], round(ground.width * scale)), max(size[1], round(ground.height * scale)))
    left, top = (int(chance.integers(0, side - part + 1)) for side, part in zip(sides, size, strict=True))
    part = ground.resize(sides, Image.Resampling.BICUBIC).crop((left, top, left + size[0], top + size[1]))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if chance.random() < 0.5 else part


def _lay_objects(picture: Image.Image, objects: Objects, chance: np.random.Generator) -> list[Box]:
    kinds, placed = sorted({kind for kind, _ in objects}), list[Box]()
    for _ in range(int(chance.integers(1, MOST_OBJECTS + 1))):
        kind = kinds[chance.integers(len(kinds))]
        mine = [each for label, each in objects if label == kind]
        thing = mine[chance.integers(len(mine))]
        if chance.random() < 0.5:
            thing = thing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        scale = chance.uniform(*EXTENTS) * min(picture.size) / max(thing.size)
        thing = thing.resize(
            (max(8, round(thing.width * scale)), max(8, round(thing.height * scale))), Image.Resampling.BICUBIC
        )
        for _ in range(20):
            left, top = (
                int(chance.integers(0, room - side)) for room, side in zip(picture.size, thing.size, strict=True)
            )
            box = Box(
                kind,
                left / picture.width,
                top / picture.height,
                thing.width / picture.width,
                thing.height / picture.height,
            )
            if all(_covered(box, other) < MOST_COVERED for other in placed):
                picture.paste(thing, (left, top), thing)
                placed.append(box)
                break
    return placed


def _covered(one: Box, other: Box) -> float:
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, across) * max(0.0, down) / min(one.width * one.height, other.width * other.height)
