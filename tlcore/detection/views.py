"""Fits photos with boxes into the square that a detector sees, and draws other views of them; NumPy and Pillow only.

A square keeps the photo's proportions, grey beside it, so that a wide photo's objects are as wide as they were; a place
in the square goes back to the photo exactly.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

# The grey of YOLOX's letterbox (Ge et al. 2021, arXiv 2107.08430), nearly the middle of what a normalisation makes.
GREY = (114, 114, 114)
# An object of which less is in a view is not one to be found there.
LEAST_LEFT = 1 / 3
# The sides of a crop, as a share of the photo's.
CROP_SHARES = (0.5, 0.9)
LIGHT = 0.25


@dataclass(frozen=True)
class Window:
    """The part of a photo that a square of `side` pixels shows, and how.

    `left`, `top`, `right` and `bottom` are shares of the upright photo, `scale` pixels of the square for one of the
    photo, of whose `width` x `height` pixels the shares are; the part begins at `across` and `down` pixels, mirrored or
    not.
    """

    side: int
    width: int
    height: int
    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0
    mirrored: bool = False

    @property
    def scale(self) -> float:
        return self.side / max((self.right - self.left) * self.width, (self.bottom - self.top) * self.height)

    @property
    def drawn(self) -> tuple[int, int, int, int]:
        """Return where the part lies in the square, in whole pixels: left, top, width and height."""
        width = max(1, round((self.right - self.left) * self.width * self.scale))
        height = max(1, round((self.bottom - self.top) * self.height * self.scale))
        return (self.side - width) // 2, (self.side - height) // 2, width, height

    def place(self, edges: np.ndarray) -> np.ndarray:
        """Return float32 (n, 4) edges in pixels of the square for edges as shares of the photo, however far outside."""
        left, top, width, height = self.drawn
        low, size = (self.left, self.top), (self.right - self.left, self.bottom - self.top)
        shares = (edges - [*low, *low]) / [*size, *size]
        if self.mirrored:
            shares = np.stack([1 - shares[:, 2], shares[:, 1], 1 - shares[:, 0], shares[:, 3]], axis=-1)
        return (shares * [width, height, width, height] + [left, top, left, top]).astype(np.float32)

    def back(self, edges: np.ndarray) -> np.ndarray:
        """Return float64 (n, 4) edges as shares of the photo for edges in pixels of the square: what `place` undoes."""
        left, top, width, height = self.drawn
        shares = (np.asarray(edges, np.float64) - [left, top, left, top]) / [width, height, width, height]
        if self.mirrored:
            shares = np.stack([1 - shares[:, 2], shares[:, 1], 1 - shares[:, 0], shares[:, 3]], axis=-1)
        low, size = (self.left, self.top), (self.right - self.left, self.bottom - self.top)
        return shares * [*size, *size] + [*low, *low]

    def draw(self, picture: Image.Image) -> np.ndarray:
        """Return the square, uint8 (side, side, 3), of a photo in any size; antialiased bilinear."""
        left, top, width, height = self.drawn
        part = (
            self.left * picture.width,
            self.top * picture.height,
            self.right * picture.width,
            self.bottom * picture.height,
        )
        small = picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, box=part, reducing_gap=3.0)
        if self.mirrored:
            small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        square = Image.new("RGB", (self.side, self.side), GREY)
        square.paste(small, (left, top))
        return np.asarray(square)


def choose_window(width: int, height: int, side: int, content: str, view: int, seed: int) -> Window:
    """Return the window of view number `view` of a photo: 0 is all of it, 1 its mirror image, further ones are crops.

    The same content, view and seed give the same window; crops are mirrored half of the time.
    """
    if view <= 1:
        return Window(side, width, height, mirrored=view == 1)
    chance = _chance(content, view, seed)
    across, down = chance.uniform(*CROP_SHARES, 2)
    left, top = chance.uniform(0, 1 - across), chance.uniform(0, 1 - down)
    return Window(side, width, height, left, top, left + across, top + down, mirrored=chance.random() < 0.5)


def draw_window(file: Path | str, window: Window, content: str, view: int, seed: int) -> np.ndarray:
    """Read a normalised copy as uint8 (side, side, 3), RGB: what `window` shows of it, lit otherwise in a crop."""
    with Image.open(file, formats=("PNG", "JPEG")) as picture:
        if view > 1:
            chance = _chance(f"light {content}", view, seed)
            light, contrast = chance.uniform(1 - LIGHT, 1 + LIGHT, 2)
            lit = ImageEnhance.Brightness(picture.convert("RGB")).enhance(light)
            return window.draw(ImageEnhance.Contrast(lit).enhance(contrast))
        return window.draw(picture)


def clip_boxes(window: Window, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what of boxes lies in a window, float32 (m, 4) in pixels of the square, and bool (n,): which they are.

    `edges` float (n, 4) are shares of the photo. A box of which less than a third is left is dropped.
    """
    whole = window.place(edges)
    left, top, width, height = window.drawn
    clipped = whole.clip([left, top, left, top], [left + width, top + height, left + width, top + height])
    area = (whole[:, 2:] - whole[:, :2]).prod(axis=-1)
    seen = (clipped[:, 2:] - clipped[:, :2]).prod(axis=-1) >= area * LEAST_LEFT
    seen &= (clipped[:, 2:] > clipped[:, :2]).all(axis=-1)
    return clipped[seen].astype(np.float32), seen


def read_squares(pictures: Sequence[Image.Image], side: int) -> tuple[np.ndarray, list[Window]]:
    """Return whole pictures as uint8 (n, side, side, 3), and the windows that lead from the squares back to them."""
    windows = [Window(side, picture.width, picture.height) for picture in pictures]
    return np.stack([window.draw(picture) for window, picture in zip(windows, pictures, strict=True)]), windows


def _chance(content: str, view: int, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}:{content}:{view}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8]))
