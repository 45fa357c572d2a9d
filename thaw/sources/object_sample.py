"""The sample to find and count things on: blossoms and towers, cut out of two real photographs and laid before others.

What the exam photos show is never learnt from: blossom and tower are made of one half of the photographed one and its
mirror image, the left half to learn from and the right half for the exam, before other parts of the photographs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from thaw.boxes.coco import write_coco
from tlcore.boxes import Box

Place = tuple[int, int, int, int]
"""Left, upper, right and lower edge in pixels."""

PHOTOS, EXAM_SHARE = 60, 0.2
BLOSSOM, TOWER = "blossom", "tower"
SIZE_PX = 480, 360
CREDIT = "two photographs that come with scikit-learn, of danielbuechele and vultilion (Flickr), CC BY 2.0"
TITLE = "Blossoms and towers"
# Photos without anything to find are one in so many; others show at most so many things.
EMPTY_EACH, MOST_THINGS = 10, 6
LONGER_SIDE_PX, TURN_DEGREES, LIGHT = (40, 160), 40, (0.5, 1.3)
# The share of the smaller of two things that another may hide.
MOST_HIDDEN, TRIES = 0.45, 30
NOISE_SIGMA, JPEG_QUALITY = 4, 92
# Of flower.jpg and china.jpg, which are 640 x 427 pixels.
BLOSSOM_PLACE, BLOSSOM_AXIS, BLOSSOM_REACH, BLOSSOM_ORANGE = (165, 81, 450, 365), 308, 142, 25
TOWER_PLACE, TOWER_AXIS, SMOOTH = (60, 28, 354, 354), 205, 4
# Half a tower's outline each, from its tip down.
LEFT_OUTLINE = (
    *((205, 30), (197, 33), (196, 46), (200, 52), (190, 68), (165, 86), (140, 97), (118, 99), (96, 112), (96, 132)),
    *((119, 138), (120, 160), (85, 168), (85, 188), (98, 192), (98, 232), (94, 235), (94, 247), (64, 260), (62, 276)),
    *((80, 284), (79, 318), (74, 325), (74, 333), (205, 352)),
)
RIGHT_OUTLINE = (
    *((205, 30), (214, 33), (216, 46), (211, 52), (222, 70), (245, 88), (268, 97), (298, 110), (320, 122), (318, 130)),
    *((296, 138), (296, 161), (329, 170), (328, 184), (319, 188), (320, 225), (327, 228), (327, 240), (352, 250)),
    *((352, 260), (341, 268), (341, 300), (348, 306), (348, 318), (205, 352)),
)
LEARNT_PLACES = {"flower": ((455, 0, 640, 427),), "china": ((355, 0, 640, 427),)}
EXAM_PLACES = {"flower": ((0, 0, 160, 427),), "china": ((0, 0, 88, 158), (0, 158, 54, 427), (0, 354, 205, 427))}
NARROWEST_PX, WIDEST_PX = 80, 240


@dataclass(frozen=True)
class Side:
    """What the photos of one side show: things, RGBA, by kind, and parts of photographs that they stand before."""

    things: dict[str, Image.Image]
    grounds: list[Image.Image]


def write_objects(folder: Path, photos: int = PHOTOS, seed: int = 0) -> Path:
    """Write `photos` JPEGs of 480 x 360 pixels with their boxes as COCO JSON, in train/ and valid/; return `folder`.

    A fifth lies in valid/, made of parts of the photographs that no photo of train/ shows. The same numbers give the
    same photos.
    """
    chance = np.random.default_rng(seed)
    exam = round(photos * EXAM_SHARE)
    for name, side, count in zip(("train", "valid"), cut_sides(), (photos - exam, exam), strict=True):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        told = []
        for number in range(count):
            empty = number % EMPTY_EACH == EMPTY_EACH - 1
            picture, boxes = _compose(side, 0 if empty else int(chance.integers(1, MOST_THINGS + 1)), chance)
            file = f"{name}-{number + 1:03d}.jpg"
            picture.save(place / file, quality=JPEG_QUALITY)
            told.append((file, *SIZE_PX, boxes))
        written = write_coco(told, [BLOSSOM, TOWER])
        (place / f"instances_{name}.json").write_text(json.dumps(written), encoding="utf-8")
    return folder


def cut_sides() -> tuple[Side, Side]:
    """Return what is learnt from, and what the exam photos show; no pixel of the photographs is in both."""
    from sklearn.datasets import load_sample_images

    china, flower = (Image.fromarray(pixels) for pixels in load_sample_images().images)
    blossoms = _complete_halves(_cut_blossom(flower), BLOSSOM_AXIS, BLOSSOM_PLACE)
    towers = _complete_halves(_cut_tower(china), TOWER_AXIS, TOWER_PLACE)

    def side(half: int, places: Mapping[str, Sequence[Place]]) -> Side:
        grounds = [*map(flower.crop, places["flower"]), *map(china.crop, places["china"])]
        return Side({BLOSSOM: blossoms[half], TOWER: towers[half]}, grounds)

    return side(0, LEARNT_PLACES), side(1, EXAM_PLACES)


def _cut_blossom(flower: Image.Image) -> Image.Image:
    """Cut out what is orange near the middle of the blossom."""
    pixels = np.asarray(flower, int)
    down, across = np.mgrid[: flower.height, : flower.width]
    left, top, right, bottom = BLOSSOM_PLACE
    near = np.hypot(across - (left + right) / 2, down - (top + bottom) / 2) < BLOSSOM_REACH
    orange = (pixels[..., 0] - pixels[..., 2] > BLOSSOM_ORANGE) & near
    shape = Image.fromarray((orange * 255).astype(np.uint8))
    return _with_shape(flower, shape.filter(ImageFilter.MedianFilter(9)).filter(ImageFilter.GaussianBlur(1)))


def _cut_tower(china: Image.Image) -> Image.Image:
    """Cut the tower out along its outline."""
    shape = Image.new("L", (china.width * SMOOTH, china.height * SMOOTH))
    for outline in (LEFT_OUTLINE, RIGHT_OUTLINE):
        ImageDraw.Draw(shape).polygon([(x * SMOOTH, y * SMOOTH) for x, y in outline], fill=255)
    return _with_shape(china, shape.resize(china.size, Image.Resampling.BOX))


def _with_shape(picture: Image.Image, shape: Image.Image) -> Image.Image:
    cut = picture.copy()
    cut.putalpha(shape)
    return cut


def _complete_halves(cut: Image.Image, axis: int, place: Place) -> list[Image.Image]:
    """Return two things, each of one half of what is cut out, left and right of `axis`, and its mirror image."""
    left, top, right, bottom = place
    made = []
    for half, mirrored_at in ((cut.crop((left, top, axis, bottom)), 1), (cut.crop((axis, top, right, bottom)), 0)):
        whole = Image.new("RGBA", (2 * half.width, half.height))
        whole.paste(half, ((1 - mirrored_at) * half.width, 0))
        whole.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (mirrored_at * half.width, 0))
        made.append(whole.crop(whole.getchannel("A").getbbox()))
    return made


def _compose(side: Side, things: int, chance: np.random.Generator) -> tuple[Image.Image, list[Box]]:
    """Return a photo with up to so many things on it, and their boxes."""
    picture = _lay_ground(side.grounds[int(chance.integers(len(side.grounds)))], chance)
    boxes: list[Box] = []
    taken: list[Place] = []
    for _ in range(things):
        label = (BLOSSOM, TOWER)[int(chance.integers(2))]
        thing = _turn(side.things[label], chance)
        place = _find_place(thing.size, taken, chance)
        if place is None:
            continue
        picture.paste(thing, place[:2], thing)
        taken.append(place)
        edges = [edge / SIZE_PX[axis % 2] for axis, edge in enumerate(place)]
        boxes.append(Box(label, edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1]))
    # A camera's noise lies over all of it.
    pixels = np.asarray(picture, np.float32) + chance.normal(0, NOISE_SIGMA, (SIZE_PX[1], SIZE_PX[0], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), boxes


def _lay_ground(ground: Image.Image, chance: np.random.Generator) -> Image.Image:
    """Return a piece of a part of a photograph, as large as a photo."""
    ratio = SIZE_PX[0] / SIZE_PX[1]
    widest = min(ground.width, int(ground.height * ratio), WIDEST_PX)
    width = int(chance.integers(min(NARROWEST_PX, widest), widest + 1))
    height = int(width / ratio)
    left, top = (int(chance.integers(0, room + 1)) for room in (ground.width - width, ground.height - height))
    piece = ground.resize(SIZE_PX, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    if chance.integers(2):
        piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageEnhance.Brightness(piece).enhance(float(chance.uniform(*LIGHT)))


def _turn(thing: Image.Image, chance: np.random.Generator) -> Image.Image:
    """Return a thing in another size, turned a little, in another light, with nothing around it."""
    turned = thing.rotate(float(chance.uniform(-TURN_DEGREES, TURN_DEGREES)), Image.Resampling.BICUBIC, expand=True)
    turned = turned.crop(turned.getchannel("A").getbbox())
    shrink = float(chance.uniform(*LONGER_SIDE_PX)) / max(turned.size)
    turned = turned.resize((round(turned.width * shrink), round(turned.height * shrink)), Image.Resampling.LANCZOS)
    shape = turned.getchannel("A")
    lit = ImageEnhance.Brightness(turned.convert("RGB")).enhance(float(chance.uniform(*LIGHT)))
    return _with_shape(lit, shape)


def _find_place(size: tuple[int, int], taken: list[Place], chance: np.random.Generator) -> Place | None:
    """Return edges within the photo where a thing hides little of others; None where none was found soon."""
    for _ in range(TRIES):
        left, top = (int(chance.integers(0, whole - part + 1)) for whole, part in zip(SIZE_PX, size, strict=True))
        place = left, top, left + size[0], top + size[1]
        if all(_hidden(place, other) <= MOST_HIDDEN for other in taken):
            return place
    return None


def _hidden(first: Place, second: Place) -> float:
    """Return the share of the smaller of two rectangles that lies in both."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min((each[2] - each[0]) * (each[3] - each[1]) for each in (first, second))
    return max(0, width) * max(0, height) / smaller
