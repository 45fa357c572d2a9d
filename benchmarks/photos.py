"""Makes the photos that the benchmarks use: crops of real photographs, offline, in class folders."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

SIDE_PX = 320
CLASSES = 10
NOISE_SIGMA = 8
GREY_LEVEL = 128


def write_photos(folder: Path, images: int, seed: int = 0, side: int = SIDE_PX) -> Path:
    """Write `images` JPEGs of `side` pixels in ten class folders under `folder`; return `folder`.

    The pictures are random crops of the two photographs that scikit-learn ships (a Chinese palace, a flower), two
    sources times five tints, blended with noise of the sort that a camera makes, so that a head has something to
    learn, can be wrong, and every file is a real JPEG of ordinary size.
    """
    sources = _scenes()
    chance = np.random.default_rng(seed)
    tints = np.array([(1, 1, 1), (1.3, 1, 0.75), (0.75, 1, 1.3), (1.1, 1.25, 0.75), (0.55, 0.55, 0.55)])
    for number in range(images):
        label = number % CLASSES
        source, tint = sources[label % 2], tints[label // 2]
        extent = int(chance.integers(160, 400))
        left, top = chance.integers(0, source.width - extent), chance.integers(0, source.height - extent)
        box = (left, top, left + extent, top + extent)
        crop = np.asarray(source.resize((side, side), Image.Resampling.BICUBIC, box=box), np.float32)
        noisy = crop * tint * chance.uniform(0.9, 1.1) + chance.normal(0, NOISE_SIGMA, crop.shape)
        target = folder / f"class {label}"
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(target / f"{number:05d}.jpg", quality=90)
    return folder


def write_snapshots(folder: Path, images: int, size: tuple[int, int], file_bytes: int, seed: int = 0) -> Path:
    """Write JPEGs of `size` (width, height) pixels and about `file_bytes` each in ten class folders; return `folder`.

    Crops as in `write_photos`, each its own, with a camera's noise and chroma subsampling; one quality for all is
    chosen on the first ones.
    """
    chance = np.random.default_rng(seed)
    sources, noise = _scenes(), _noise(chance, size)
    quality = _quality_for([_snapshot(source, noise, size, chance) for source in sources], file_bytes)
    for number in range(images):
        target = folder / f"class {number % CLASSES}"
        target.mkdir(parents=True, exist_ok=True)
        picture = _snapshot(sources[number % 2], noise, size, chance)
        picture.save(target / f"{number:05d}.jpg", quality=quality)
    return folder


def lay_on_plain(
    cut_out: Image.Image,
    colour: tuple[int, int, int],
    chance: np.random.Generator,
    size: tuple[int, int],
    share: tuple[float, float] = (0.45, 0.9),
) -> Image.Image:
    """Return a photo of `size` pixels of an object, RGBA, before a background of one colour, as a camera would take it.

    The object lies anywhere and takes a part within `share` of the picture's sides; the light is up to a tenth brighter
    or darker and falls off to one side by up to 8%; there is noise in every pixel.
    """
    extent = chance.uniform(*share) * min(size[0] / cut_out.width, size[1] / cut_out.height)
    small = cut_out.resize(
        (max(1, round(cut_out.width * extent)), max(1, round(cut_out.height * extent))), Image.Resampling.BICUBIC
    )
    picture = Image.new("RGB", size, colour)
    where = int(chance.integers(0, size[0] - small.width + 1)), int(chance.integers(0, size[1] - small.height + 1))
    picture.paste(small, where, small)
    angle, fall = chance.uniform(0, 2 * np.pi), chance.uniform(0, 0.08)
    across, down = np.linspace(-1, 1, size[0], dtype=np.float32), np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
    light = np.float32(chance.uniform(0.9, 1.1)) * (1 + fall * (np.cos(angle) * across + np.sin(angle) * down))
    noise = chance.standard_normal((size[1], size[0], 3), dtype=np.float32) * (NOISE_SIGMA / 2)
    lit = np.asarray(picture, np.float32) * light[..., None].astype(np.float32) + noise
    return Image.fromarray(lit.clip(0, 255).astype(np.uint8))


def _scenes() -> list[Image.Image]:
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(picture) for picture in load_sample_images().images]


def _noise(chance: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Make a field of noise larger than a picture, for each to take its own part of."""
    values = chance.normal(GREY_LEVEL, NOISE_SIGMA / 2, (size[1] + 256, size[0] + 256, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _snapshot(
    source: Image.Image, noise: Image.Image, size: tuple[int, int], chance: np.random.Generator
) -> Image.Image:
    width = int(chance.integers(source.width * 2 // 3, source.width))
    height = min(source.height, width * size[1] // size[0])
    left, top = chance.integers(0, source.width - width + 1), chance.integers(0, source.height - height + 1)
    crop = source.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    x, y = (int(start) for start in chance.integers(0, 256, 2))
    return ImageChops.add(crop, noise.crop((x, y, x + size[0], y + size[1])), offset=-GREY_LEVEL)


def _quality_for(pictures: list[Image.Image], file_bytes: int) -> int:
    """Return the JPEG quality that brings the pictures nearest to `file_bytes` on average."""

    def distance(quality: int) -> float:
        return abs(sum(_jpeg_bytes(picture, quality) for picture in pictures) / len(pictures) - file_bytes)

    return min(range(60, 99, 2), key=distance)


def _jpeg_bytes(picture: Image.Image, quality: int) -> int:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.tell()
