"""Photos with boxes that are drawn: orange discs and blue squares on speckled grounds, each photo's own."""

import hashlib

import numpy as np
from PIL import Image, ImageDraw

from tlcore.boxes import Box, BoxedPhotos
from tlcore.photos import Photo

COLOURS = {"disc": (240, 140, 20), "square": (30, 60, 220)}


def draw_boxed(folder, count, size=(128, 96), seed=0):
    """Write `count` photos of `size` pixels with one to three objects each that lie apart; return them with boxes.

    The last photo is background alone.
    """
    chance = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    photos, boxes = [], {}
    for number in range(count):
        ground = chance.integers(90, 200, 3) + chance.normal(0, 12, (size[1], size[0], 3))
        picture = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
        placed = [] if number == count - 1 else _place(picture, chance)
        file = folder / f"{number}.png"
        picture.save(file)
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        photos.append(Photo(f"photo-{number}", "", file.name, content, *size, file=str(file)))
        boxes[photos[-1].id] = placed
    return BoxedPhotos(photos, boxes)


def _place(picture, chance):
    pen, width, height = ImageDraw.Draw(picture), *picture.size
    columns = chance.permutation(3)[: chance.integers(1, 4)]
    placed = []
    for column in columns:
        # In a third of the photo each, so that none lies over another.
        side = int(chance.integers(height // 4, width // 3 - 2))
        left = int(column * (width // 3) + chance.integers(0, width // 3 - side))
        top = int(chance.integers(0, height - side))
        label = ("disc", "square")[int(chance.integers(0, 2))]
        shape = pen.ellipse if label == "disc" else pen.rectangle
        shape((left, top, left + side - 1, top + side - 1), fill=COLOURS[label])
        placed.append(Box(label, left / width, top / height, side / width, side / height))
    return placed
