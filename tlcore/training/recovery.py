"""What goes wrong in a phase and is mended by itself: when a first epoch is given up, and the record of what happened,
made before the phase goes on, so that a kill loses none of it."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tlcore.features.compute import halve
from tlcore.training.history import MemoryIncident, Retry

if TYPE_CHECKING:
    from tlcore.models.rematerialisation import Rematerialised

RATE_CUT = 0.1
STANDARD_ERRORS = 2


def standard_error(accuracy: float, images: int) -> float:
    """Return the binomial standard error of an accuracy (0..1) that was measured on `images` images."""
    return math.sqrt(accuracy * (1 - accuracy) / images)


def difference_error(one: float, images: int, other: float, other_images: int) -> float:
    """Return the standard error of the difference of two accuracies, taken as independent.

    Two phases are judged by the same images, which makes their difference surer than this: the rule errs on the side
    of chance.
    """
    return math.hypot(standard_error(one, images), standard_error(other, other_images))


def smashed(before: float, after: float | None, images: int, largest_drop: float) -> bool:
    """Say whether phase 2's first epoch damaged the model: validation accuracy on `images` images fell from `before`
    to `after` by more than `largest_drop` of it, and by more than two standard errors. None stands for a loss that was
    no number. A `largest_drop` of 1 allows everything.

    "There's a risk of ... large gradient updates", says Keras's guide "Transfer learning & fine-tuning"; the threshold
    is Thaw's own.
    """
    if largest_drop >= 1:
        return False
    if after is None:
        return True
    chance = STANDARD_ERRORS * difference_error(before, images, after, images)
    return before - after > max(largest_drop * before, chance)


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

    @property
    def rematerialised(self) -> bool:
        """Whether the trained part of the network keeps less of a batch since memory ran out."""
        return any(incident.rematerialised for incident in self.out_of_memory)

    def make_room(self, part: "Rematerialised | None", batch_size: int, epoch: int) -> int:
        """Record that batches of `batch_size` did not fit in epoch number `epoch`; return the size to go on with.

        It is the same if `part`, what trains of the network, can keep less of a batch, and half of it else. Raises
        RunError where a single image was already too much.
        """
        before = part.bytes_per_image if part else None
        rematerialised = part is not None and part.rematerialise()
        after = batch_size if rematerialised else halve(batch_size)
        saved = None if part is None or before is None else before * batch_size - part.bytes_per_image * after
        self.out_of_memory.append(MemoryIncident(epoch, batch_size, after, rematerialised, saved))
        self._keep(self)
        return after
