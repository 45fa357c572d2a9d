"""Finds by their names the tiles that were cut from one large picture, and which of them overlap."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tlcore.photos import Photo

# scene_512_1024, scene_x512_y1024, scene_r3_c7, scene_row-3-col-7, and DOTA's scene__1__512___1024.
_NAMED = re.compile(
    r"(?P<scene>.*?)[-_. ]*(?<![^\W\d_])(?P<one>x|y|r|row|c|col)?[-_]?(?<!\d)(?P<first>\d{1,7})(?:[-_ ]+|(?=[xyrc]))"
    r"(?P<two>(?(one)(?:x|y|r|row|c|col)))(?(two)[-_]?)(?P<second>\d{1,7})",
    re.IGNORECASE | re.DOTALL,
)
_DOWN = ("y", "r", "row")
_STEP_PX = 16
"""Offsets in pixels are multiples of a step; what differs by less is a counter, a date or a time."""
_FILLED = 0.5
"""The least share of a grid of rows and columns that tiles of one picture fill."""
MOST_SHARE = 0.5
"""A picture that more of the photos come from is not kept whole: there would be nothing to judge by."""
_LONGEST_NAME = 255


class Tile(NamedTuple):
    """A tile: the picture it comes from, and its left and upper edge there, in pixels or, if not `px`, counted."""

    scene: str
    x: int
    y: int
    px: bool


def read_tiles(photos: Sequence[Photo]) -> list[Tile | None]:
    """Return of each photo which tile it is, None for one whose name is none of a tile's.

    Two numbers at the end of a name count only where several photos share what is before them, and the numbers are
    offsets of one step or fill a grid.
    """
    scenes: defaultdict[str, dict[int, Tile]] = defaultdict(dict)
    for place, photo in enumerate(photos):
        if tile := _read(photo.name):
            scenes[tile.scene][place] = tile
    tiles: list[Tile | None] = [None] * len(photos)
    for members in scenes.values():
        if len(members) > 1 and (px := _judge([*members.values()])) is not None:
            for place, tile in members.items():
                tiles[place] = tile._replace(px=px)
    return tiles


def pair_tiles(photos: Sequence[Photo], tiles: Sequence[Tile | None]) -> list[tuple[int, int]]:
    """Return the pairs of places of tiles that belong on one side of a split: all of one picture.

    Of a picture that most photos come from only those that share pixels.
    """
    scenes: defaultdict[str, list[int]] = defaultdict(list)
    for place, tile in enumerate(tiles):
        if tile:
            scenes[tile.scene].append(place)
    pairs: list[tuple[int, int]] = []
    for members in scenes.values():
        if len(members) <= MOST_SHARE * len(photos):
            pairs += pairwise(members)
        else:
            pairs += _overlapping(members, photos, tiles)
    return pairs


def overlap(one: Tile | None, other: Tile | None, first: Photo, second: Photo) -> bool:
    """Say whether two tiles of one picture share pixels, which can be told of offsets in pixels alone."""
    if not one or not other or one.scene != other.scene or not one.px:
        return False
    across = one.x < other.x + second.width and other.x < one.x + first.width
    return across and one.y < other.y + second.height and other.y < one.y + first.height


def _overlapping(
    members: Sequence[int], photos: Sequence[Photo], tiles: Sequence[Tile | None]
) -> list[tuple[int, int]]:
    """Return the pairs of tiles that share pixels, looking only as far to the right as a tile reaches."""
    ordered = sorted(members, key=lambda place: _left(tiles[place]))
    pairs: list[tuple[int, int]] = []
    for row, place in enumerate(ordered):
        right = _left(tiles[place]) + photos[place].width
        for other in ordered[row + 1 :]:
            if _left(tiles[other]) >= right:
                break
            if overlap(tiles[place], tiles[other], photos[place], photos[other]):
                pairs.append((place, other))
    return pairs


def _left(tile: Tile | None) -> int:
    return tile.x if tile else 0


def _read(name: str) -> Tile | None:
    folder, _, file = name.rpartition("/")
    stem = file.rpartition(".")[0] or file
    found = _NAMED.fullmatch(stem) if len(stem) <= _LONGEST_NAME else None
    if not found or not found["scene"]:
        return None
    first, second = int(found["first"]), int(found["second"])
    down_first = (found["one"] or "").lower() in _DOWN
    x, y = (second, first) if down_first else (first, second)
    return Tile(f"{folder}/{found['scene']}", x, y, px=bool(found["one"]))


def _judge(tiles: Sequence[Tile]) -> bool | None:
    """Say whether the numbers of tiles are offsets in pixels (True) or places in a grid (False); None for neither."""
    if len({(tile.x, tile.y) for tile in tiles}) < len(tiles):
        return None
    across, down = {tile.x for tile in tiles}, {tile.y for tile in tiles}
    if math.gcd(*_steps(across), *_steps(down)) >= _STEP_PX:
        return True
    spans = [max(each) - min(each) + 1 for each in (across, down)]
    dense = len(tiles) >= _FILLED * spans[0] * spans[1]
    named = all(tile.px for tile in tiles)
    return False if dense and (named or min(len(across), len(down)) > 1) else None


def _steps(offsets: set[int]) -> list[int]:
    return [high - low for low, high in pairwise(sorted(offsets))]
