"""The rates that a field offers, with one among them that was advised or found."""

import math
from collections.abc import Sequence


def rates_with(usual: Sequence[float], rate: float) -> tuple[list[float], float]:
    """Return the usual rates, with `rate` put among them where none is equal to it, and the one that stands for it."""
    near = [each for each in usual if math.isclose(each, rate)]
    return (list(usual), near[0]) if near else (sorted([*usual, rate]), rate)
