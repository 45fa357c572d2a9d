"""When a model gives its answer and when it says "I don't know": a temperature and a threshold."""

from dataclasses import dataclass

from tlcore.errors import SettingsError


@dataclass(frozen=True)
class Decision:
    """The logits are divided by `temperature`; below `threshold` (0..1) the confidence left is too small to answer.

    `phase` is the model that both were chosen for: those of one phase say nothing of the other's.
    """

    phase: int
    temperature: float = 1.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise SettingsError(f"Expected a temperature above 0. Received: {self.temperature!r}.")
        if not 0 <= self.threshold <= 1:
            raise SettingsError(f"Expected a threshold from 0 to 1. Received: {self.threshold!r}.")
