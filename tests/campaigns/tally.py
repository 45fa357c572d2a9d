"""The count of one campaign: how often something was disturbed, how often nothing was lost, and what was lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts the trials of a campaign `of` something, such as "kills of retraining"."""

    of: str
    n: int = 0
    lost: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    @contextmanager
    def trial(self, what: str) -> Iterator[None]:
        """Count one trial; a failed assertion in the body is a loss, told with `what`, and ends this trial alone."""
        self.n += 1
        try:
            yield
        except AssertionError as problem:
            self.lost.append(f"{what}: {problem}")

    def __str__(self) -> str:
        line = f"{self.of}: n={self.n} survived={self.n - len(self.lost)} lost={len(self.lost)}"
        return line + "".join(f" {name}={value}" for name, value in self.facts.items())
