"""Cut-out things for tests: irregular pieces of real photographs, as a picture editor cuts them."""

import numpy as np
from PIL import Image, ImageDraw

SIDE_PX, CORNERS = 150, 14


def real_tiles():
    """Return pieces of 160 x 140 pixels of the photographs that scikit-learn ships, none of plain sky."""
    from sklearn.datasets import load_sample_images

    wholes = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    corners = [(x, y) for x in (0, 160, 320, 480) for y in (0, 140, 280)]
    tiles = [whole.crop((x, y, x + 160, y + 140)) for whole in wholes for x, y in corners]
    return [tile for tile in tiles if np.asarray(tile.convert("L"), float).std() > 30]


def cut_outs(count, seed=0):
    """Cut `count` things, RGBA, out of the photographs, each of another place and shape, in another tint."""
    chance, tiles, made = np.random.default_rng(seed), real_tiles(), []
    for number in range(count):
        picture = tiles[number % len(tiles)].resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
        tint = Image.new("RGB", picture.size, tuple(int(part) for part in chance.integers(0, 256, 3)))
        thing = Image.blend(picture, tint, 0.3 if number >= len(tiles) else 0)
        angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
        reach = SIDE_PX / 2 * chance.uniform(0.45, 1, CORNERS)
        middle = SIDE_PX / 2
        outline = zip(middle + reach * np.cos(angles), middle + reach * np.sin(angles), strict=True)
        shape = Image.new("L", picture.size)
        ImageDraw.Draw(shape).polygon([(float(x), float(y)) for x, y in outline], fill=255)
        thing.putalpha(shape)
        made.append(thing.crop(shape.getbbox()))
    return made
