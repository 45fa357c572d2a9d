"""A detector as a service answers with it: boxes in pixels of the upright picture."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from thaw.serving.engine import Engine, Look, Shapes
from tlcore.detection.suppression import MOST, suppress
from tlcore.detection.views import Window, read_squares
from tlcore.exporting.suppression import NOTHING

EDGES, SCORE, KIND = slice(0, 4), 4, 5


def pack(edges: np.ndarray, scores: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Return a row of the network for one picture, float32 (`MOST`, 6): the edges of its boxes (k, 4), scores (k,) and
    kinds (k,), the surest first, and nothing behind them."""
    row = np.zeros((MOST, 6), np.float32)
    row[:, KIND] = NOTHING
    row[: len(scores)] = np.concatenate([edges, scores[:, None], kinds[:, None]], axis=1)
    return row


def pack_every(edges: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the rows of the network for what a detector says of n pictures at every place: edges (n, places, 4) in
    pixels of the square and scores (n, places, kinds)."""
    return np.stack([pack(*suppress(*each)) for each in zip(edges, scores, strict=True)])


class DetectorEngine(Engine):
    """A detector, whose rows, float32 (n, 300, 6), are boxes: edges in pixels of the square, score, and kind."""

    @property
    def purpose(self) -> str:
        return f"Finds objects of {len(self.labels)} kinds on pictures."

    def explain_answer(self) -> str:
        """Say what its answer is."""
        return (
            f"A picture goes in, a box around each object that it is at least {self.threshold:.0%} sure of comes out: "
            "<code>x, y, width, height</code> in pixels of the upright picture."
        )

    @property
    def outputs(self) -> Shapes:
        return {
            "boxes": ("DT_FLOAT", (-1, MOST, 4)),
            "class_names": ("DT_STRING", (-1, len(self.labels))),
            "classes": ("DT_INT32", (-1, MOST)),
            "count": ("DT_INT32", (-1,)),
            "scores": ("DT_FLOAT", (-1, MOST)),
        }

    def look(self, copy: Path, width: int, height: int) -> Look:
        """Return a picture fitted into the square, and how it lies there."""
        with Image.open(copy, formats=("PNG", "JPEG")) as picture:
            (square,), (window,) = read_squares([picture], self.image_size)
        return Look(square, width, height, window)

    def look_at_pixels(self, pixels: np.ndarray) -> Look:
        """Return pixels as a picture that is square itself."""
        side = self.image_size
        return Look(pixels, side, side, Window(side, side, side))

    def name_answer(self, row: np.ndarray) -> str:
        """Return "objects", or "nothing"."""
        return "objects" if len(self._find(row)) else "nothing"

    def describe(self, row: np.ndarray, look: Look) -> dict[str, Any]:
        """Return the size of the upright picture and its `boxes` from the threshold on, the surest first: `box` is x,
        y, width and height in its pixels."""
        found = self._find(row)
        edges = look.window.back(found[:, EDGES]).clip(0, 1) * [look.width, look.height, look.width, look.height]
        sides = np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1).tolist()
        boxes = [
            {"label": self.labels[int(each[KIND])], "confidence": float(each[SCORE]), "box": box}
            for each, box in zip(found, sides, strict=True)
        ]
        return {"width": look.width, "height": look.height, "boxes": boxes}

    def give_outputs(self, row: np.ndarray) -> dict[str, Any]:
        """Return what the SavedModel of an export gives, all boxes in pixels of the square."""
        classes = row[:, KIND].astype(int).tolist()
        return {
            "boxes": row[:, EDGES].tolist(),
            "class_names": list(self.labels),
            "classes": classes,
            "count": sum(kind != NOTHING for kind in classes),
            "scores": row[:, SCORE].tolist(),
        }

    def _find(self, row: np.ndarray) -> np.ndarray:
        return row[(row[:, KIND] != NOTHING) & (row[:, SCORE] >= self.threshold)]
