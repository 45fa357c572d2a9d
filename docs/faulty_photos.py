"""Writes a small set of real photos with every fault that the Data page finds: for the guide's pictures and its test.

The photos are crops of the two that come with scikit-learn (a temple in China and a dahlia, both CC BY).
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.datasets import load_sample_images

SIDE_PX = 260
CROPS = 36
SCENES = {"temple": 0, "dahlia": 1}


def write_faulty_photos(folder: Path) -> Path:
    """Write class folders of crops, with copied, blurred, dark, plain and misplaced ones; return `folder`."""
    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for label, number in SCENES.items():
        crops = _crops(pictures[number], CROPS, seed=number)
        for place, crop in enumerate(crops):
            _save(crop, folder / label / f"{label}_{place:02d}.jpg")
    temple, dahlia = (_crops(picture, 8, seed=100 + number) for number, picture in enumerate(pictures))
    for place, quality in enumerate((40, 60, 75, 90)):
        _save(_encoded(temple[1], quality), folder / "temple" / f"burst_{place}.jpg")
    _save(temple[5].filter(ImageFilter.GaussianBlur(6)), folder / "temple" / "shaken_1.jpg")
    _save(temple[2].filter(ImageFilter.GaussianBlur(9)), folder / "temple" / "shaken_2.jpg")
    _save(ImageEnhance.Brightness(dahlia[0]).enhance(0.1), folder / "dahlia" / "night.jpg")
    _save(Image.new("RGB", (SIDE_PX, SIDE_PX), (96, 99, 96)), folder / "dahlia" / "lens_cap.jpg")
    _save(dahlia[1].crop((0, 0, SIDE_PX, 60)), folder / "dahlia" / "strip.jpg")
    _save(temple[3], folder / "temple" / "misplaced.jpg")
    _save(temple[3], folder / "dahlia" / "misplaced.jpg")
    for place, crop in enumerate(dahlia[2:6]):
        _save(crop, folder / "Dahlia" / f"more_{place}.jpg")
    (folder / "dahlia" / "page.jpg").write_bytes(b"<!doctype html><title>not a photo</title>")
    (folder / "temple" / "cut.jpg").write_bytes(_jpeg(temple[4])[:4000])
    return folder


def _crops(picture: Image.Image, count: int, seed: int) -> list[Image.Image]:
    """Cut squares of different size out of different places."""
    chance = np.random.default_rng(seed)
    cut = []
    for _ in range(count):
        side = int(chance.integers(220, 340))
        left, top = (int(chance.integers(0, length - side)) for length in picture.size)
        square = picture.crop((left, top, left + side, top + side)).rotate(int(chance.integers(-20, 20)))
        inner = side // 6
        cut.append(square.crop((inner, inner, side - inner, side - inner)).resize((SIDE_PX, SIDE_PX)))
    return cut


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_jpeg(picture))


def _jpeg(picture: Image.Image, quality: int = 92) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _encoded(picture: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(_jpeg(picture, quality)))
