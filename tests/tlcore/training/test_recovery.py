"""When phase 2's first epoch counts as damage, and not as chance."""

import pytest

from tlcore.training.recovery import smashed, standard_error


def test_the_standard_error_is_the_binomial_one():
    assert standard_error(0.5, 100) == pytest.approx(0.05)
    assert standard_error(0.9, 400) == pytest.approx(0.015)
    assert standard_error(1.0, 10) == 0


@pytest.mark.parametrize(
    ("before", "after", "images", "expected"),
    [
        (0.9, 0.8, 1000, True),
        (0.9, 0.82, 1000, False),
        (0.9, 0.809, 1000, True),
        (0.9, 0.811, 1000, False),
        # A third of six images is what chance explains.
        (1.0, 0.67, 6, False),
        (1.0, 0.17, 6, True),
        (0.9, 0.95, 1000, False),
    ],
)
def test_a_first_epoch_is_smashed_beyond_a_tenth_and_beyond_chance(before, after, images, expected):
    assert smashed(before, after, images, 0.1) == expected


def test_a_loss_that_is_no_number_is_smashed_unless_everything_is_allowed():
    assert smashed(0.5, None, 1000, 0.1)
    assert not smashed(0.5, None, 1000, 1.0)
    assert not smashed(0.9, 0.0, 1000, 1.0)
    assert smashed(0.9, 0.7, 1000, 0.2)
    assert not smashed(0.9, 0.75, 1000, 0.2)
