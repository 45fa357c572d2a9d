"""Makes the photos that the benchmarks train on: crops of real photographs, offline, in class folders."""

from pathlib import Path

import numpy as np
from PIL import Image

SIDE_PX = 320


def write_photos(folder: Path, images: int, seed: int = 0, side: int = SIDE_PX) -> Path:
    """Write `images` JPEGs of `side` pixels in ten class folders under `folder`; return `folder`.

    The pictures are random crops of the two photographs that scikit-learn ships (a Chinese palace, a flower), two
    sources times five tints, blended with noise of the sort that a camera makes, so that a head has something to
    learn, can be wrong, and every file is a real JPEG of ordinary size.
    """
    from sklearn.datasets import load_sample_images

    sources = [Image.fromarray(picture) for picture in load_sample_images().images]
    chance = np.random.default_rng(seed)
    tints = np.array([(1, 1, 1), (1.3, 1, 0.75), (0.75, 1, 1.3), (1.1, 1.25, 0.75), (0.55, 0.55, 0.55)])
    for number in range(images):
        label = number % 10
        source, tint = sources[label % 2], tints[label // 2]
        extent = int(chance.integers(160, 400))
        left, top = chance.integers(0, source.width - extent), chance.integers(0, source.height - extent)
        box = (left, top, left + extent, top + extent)
        crop = np.asarray(source.resize((side, side), Image.Resampling.BICUBIC, box=box), np.float32)
        noisy = crop * tint * chance.uniform(0.9, 1.1) + chance.normal(0, 8, crop.shape)
        target = folder / f"class {label}"
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(target / f"{number:05d}.jpg", quality=90)
    return folder
