"""Heat maps of a picture: where in it the evidence for a class lies, by which layers of the network."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class HeatMap:
    """Where the evidence for a class lies: float32 (height, width), 0..1 with the strongest place at 1, all 0 where
    nothing in the picture speaks for the class. `layer` made the features, in `block`."""

    values: np.ndarray
    layer: str
    block: str


@dataclass(frozen=True)
class HeatMaps:
    """The heat maps of one picture for the class of number `class_number`.

    `frozen` is by the output of the last block that stayed frozen, None where every layer was fine-tuned; `trained` by
    the output of the last block that was fine-tuned, None where only the head was trained. `picture` is uint8
    (height, width, 3), upright, its longer side at most 640 pixels; a map covers it whole.
    """

    picture: np.ndarray
    class_number: int
    frozen: HeatMap | None
    trained: HeatMap | None


def normalise_map(weighted: np.ndarray) -> np.ndarray:
    """Return what speaks for the class, scaled to 0..1, of a map that speaks for (above 0) and against it (below)."""
    evidence = np.maximum(weighted, 0).astype(np.float32)
    strongest = float(evidence.max())
    return evidence / strongest if strongest > 0 else evidence
