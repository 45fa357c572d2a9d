"""What went wrong in a phase and was mended by itself, on record before the phase goes on: a kill loses none of it."""

from collections.abc import Callable, Sequence

from tlcore.models.memory import halve
from tlcore.training.guards import RATE_CUT
from tlcore.training.history import MemoryIncident, Retry


class Incidents:
    """The incidents of one phase, from which a resumed phase goes on.

    `retries` are first epochs that lost too much of phase 1's accuracy; they are not among the phase's epochs, and what
    they measured is kept here. `out_of_memory` are batches that did not fit. `keep` is called with these incidents
    after each new one, and makes them durable.
    """

    def __init__(
        self,
        retries: Sequence[Retry] = (),
        out_of_memory: Sequence[MemoryIncident] = (),
        keep: Callable[["Incidents"], None] = lambda incidents: None,
    ) -> None:
        self.retries, self.out_of_memory, self._keep = list(retries), list(out_of_memory), keep

    def learning_rate(self, asked: float) -> float:
        """Return the learning rate to train at: the one asked for, or what a retry lowered it to."""
        return self.retries[-1].next_rate if self.retries else asked

    def batch_size(self, asked: int) -> int:
        """Return how many images a batch holds: as many as asked for, or as many as fitted."""
        return self.out_of_memory[-1].next_batch_size if self.out_of_memory else asked

    def lower_rate(self, rate: float, before: float, after: float | None) -> float:
        """Record a first epoch at `rate` that took validation accuracy from `before` to `after` (None: the loss was no
        number); return the tenfold smaller rate to try once more."""
        self.retries.append(Retry(rate, rate * RATE_CUT, before, after))
        self._keep(self)
        return rate * RATE_CUT

    def shrink_batch(self, batch_size: int, epoch: int) -> int:
        """Record that batches of `batch_size` did not fit in epoch number `epoch`; return the size to go on with.

        Raises RunError where a single image was already too much.
        """
        smaller = halve(batch_size)
        self.out_of_memory.append(MemoryIncident(epoch, batch_size, smaller))
        self._keep(self)
        return smaller
