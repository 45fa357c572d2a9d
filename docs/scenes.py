"""Writes a set of real photos of six kinds for the guide's pictures: crops of the two photos that come with
scikit-learn (a temple in China and a dahlia, both CC BY). The kinds run into one another, so that some are mistaken."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from sklearn.datasets import load_sample_images

SIDE_PX = 224
EACH = 42
# Of each kind the photo, 0 or 1, and the box that its crops are centred in: left, top, right, bottom.
SCENES = {
    "temple": (0, (110, 90, 310, 330)),
    "lake": (0, (330, 170, 540, 280)),
    "sky": (0, (330, 40, 600, 120)),
    "trees": (0, (380, 250, 620, 400)),
    "dahlia": (1, (180, 110, 430, 340)),
    "leaves": (1, (60, 60, 150, 380)),
}


def write_scenes(folder: Path) -> Path:
    """Write a folder of crops for each kind; return `folder`."""
    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for label, (number, (left, top, right, bottom)) in SCENES.items():
        chance = np.random.default_rng(list(label.encode()))
        (folder / label).mkdir(parents=True, exist_ok=True)
        for place in range(EACH):
            half = int(chance.integers(40, 90))
            x, y = int(chance.integers(left, right)), int(chance.integers(top, bottom))
            width, height = pictures[number].size
            x, y = min(max(x, half), width - half), min(max(y, half), height - half)
            crop = pictures[number].crop((x - half, y - half, x + half, y + half)).resize((SIDE_PX, SIDE_PX))
            crop = ImageEnhance.Brightness(crop).enhance(float(chance.uniform(0.6, 1.3)))
            ImageEnhance.Color(crop).enhance(float(chance.uniform(0.3, 1.4))).save(folder / label / f"{place:02d}.jpg")
    return folder
