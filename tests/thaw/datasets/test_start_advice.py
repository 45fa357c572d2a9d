"""What to begin with, by the figures of a check: features at chance, pictures unlike photos, few pictures."""

import pytest

from thaw.datasets.start_advice import Start, advise_start
from thaw.storage.facts import Accuracy, CheckFacts
from tlcore.images.looks import PHOTO_DEVIATION, PHOTO_MEAN, Looks

MANY, FEW = {"a": 200, "b": 200}, {"a": 200, "b": 99}
LIKE, UNLIKE = (Looks(9, PHOTO_MEAN, PHOTO_DEVIATION, grey, -1.2) for grey in (0.0, 1.0))


def facts(low, looks=LIKE):
    measured = Accuracy(low + 0.02, low, low + 0.04, 5)
    return CheckFacts(measured, measured, 400, 0, looks=looks)


@pytest.mark.parametrize(
    ("low", "looks", "classes", "start"),
    [
        (0.95, LIKE, MANY, Start.BACKBONE),
        (0.95, UNLIKE, MANY, Start.BOTH),
        (0.95, UNLIKE, FEW, Start.BACKBONE),
        (0.95, None, MANY, Start.BACKBONE),
        (0.70, LIKE, MANY, Start.BOTH),
        (0.76, LIKE, MANY, Start.BACKBONE),
        (0.70, LIKE, FEW, Start.BACKBONE),
        (0.50, LIKE, MANY, Start.SCRATCH),
        (0.45, UNLIKE, FEW, Start.SCRATCH),
    ],
)
def test_the_advice_follows_from_the_figures(low, looks, classes, start):
    found = advise_start(facts(low, looks), classes)
    assert found.start is start
    assert found.better == (start is not Start.SCRATCH)


def test_it_keeps_what_it_rests_on():
    found = advise_start(facts(0.9, UNLIKE), FEW)
    assert (found.chance, found.fewest, found.unlike) == (pytest.approx(200 / 299), 99, ("they have no colour",))
    assert advise_start(facts(0.9, None), FEW).unlike is None
