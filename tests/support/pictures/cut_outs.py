"""Cut-out things for tests: irregular pieces of real photographs, as a picture editor cuts them."""

import numpy as np
from PIL import Image, ImageDraw

SIDE_PX, CORNERS = 150, 14
STEM_PX, SHORTEST_PX = (30, 40), 8


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


def twigs(count, seed=0):
    """Cut `count` things of thin branches with leaves, RGBA, out of the photographs; much shows through them."""
    chance, tiles = np.random.default_rng(seed), real_tiles()
    return [_cut_twig(tiles[number % len(tiles)], chance) for number in range(count)]


def _cut_twig(tile, chance):
    shape = Image.new("L", (SIDE_PX, SIDE_PX))
    pen = ImageDraw.Draw(shape)
    growing = [(SIDE_PX / 2, SIDE_PX - 1.0, -np.pi / 2, chance.uniform(*STEM_PX), 4.0)]
    while growing:
        x, y, angle, length, width = growing.pop()
        if length < SHORTEST_PX:
            leaf = float(chance.uniform(2, 5))
            pen.ellipse([x - leaf, y - leaf, x + leaf, y + leaf], fill=255)
            continue
        end = float(x + length * np.cos(angle)), float(y + length * np.sin(angle))
        pen.line([(x, y), end], fill=255, width=max(2, round(width)))
        for _ in range(int(chance.integers(2, 4))):
            turned, shorter = angle + chance.uniform(-0.8, 0.8), length * chance.uniform(0.6, 0.85)
            growing.append((*end, turned, shorter, 0.7 * width))
    thing = tile.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
    thing.putalpha(shape)
    return thing.crop(shape.getbbox())


def skies(count, size, seed=0):
    """Return `count` pictures of empty sky, RGB: each of another blue that gets lighter downwards, with noise."""
    chance, made = np.random.default_rng(seed), []
    down = np.linspace(-1, 1, size[1])[:, None, None]
    for lightness in np.linspace(-40, 40, count):
        blue = np.array((90, 140, 205)) + lightness + chance.uniform(-8, 8, 3)
        sky = blue + chance.uniform(5, 25) * down * (1, 0.8, 0.5) + chance.normal(0, 3, (size[1], size[0], 3))
        made.append(Image.fromarray(sky.clip(0, 255).astype(np.uint8)))
    return made
