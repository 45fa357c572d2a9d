"""Whether to start from a backbone that has learnt from photos or from nothing, by what a check has measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from thaw.storage.facts import Accuracy, CheckFacts
from tlcore.images.looks import tell_unlike

# Of what lies between chance and always right: below it a head on frozen features is far from good. Thaw's own.
GOOD_SHARE = 0.5
# Fewer pictures of a kind than this are few for a network that begins with nothing; Thaw's own. The sample digits, of
# which it gets more right than a frozen backbone does, have 174 of the rarest kind.
ENOUGH = 100


class Start(StrEnum):
    """What to begin with."""

    BACKBONE = "backbone"
    BOTH = "both"
    SCRATCH = "scratch"


@dataclass(frozen=True)
class StartAdvice:
    """What to begin with, and why: `chance` is the share of the largest class (0..1), `right` what a head on frozen
    features gets right by cross-validation, `unlike` in what the pictures look unlike photos (None: nobody looked),
    `fewest` the number of images of the smallest class."""

    start: Start
    chance: float
    right: Accuracy
    unlike: tuple[str, ...] | None
    fewest: int

    @property
    def better(self) -> bool:
        """Say whether the frozen features tell more than chance does, by the lower end of the 95% interval."""
        return self.right.low > self.chance


def advise_start(facts: CheckFacts, classes: Mapping[str, int]) -> StartAdvice:
    """Return what to begin with, by a check of a data set and the number of images of each of its `classes`.

    Features that are no better than chance are no use. Pictures unlike photos are worth a try from nothing as well
    where there are enough of them, and so is any set that the features tell little of.
    """
    chance, fewest = max(classes.values()) / sum(classes.values()), min(classes.values())
    right = facts.grouped
    unlike = None if facts.looks is None else tuple(tell_unlike(facts.looks))
    good = right.low - chance >= GOOD_SHARE * (1 - chance)
    if right.low <= chance:
        start = Start.SCRATCH
    elif fewest >= ENOUGH and (unlike or not good):
        start = Start.BOTH
    else:
        start = Start.BACKBONE
    return StartAdvice(start, chance, right, unlike, fewest)
