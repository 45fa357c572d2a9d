"""The suggestion of a learning rate on curves of known form, and the file that keeps a curve."""

import numpy as np
import pytest

from thaw.tuning.rate_curve import LEAST_BATCHES, RateCurve, read_curve, smooth, suggest, write_curve

RATES = np.geomspace(1e-7, 1.0, 100)
DECADES = np.log10(RATES)


def fall(middle: float, width: float = 0.5) -> np.ndarray:
    """A loss that falls from 2 to 1 around the rate 10**middle, where it is steepest."""
    return 2 - 1 / (1 + np.exp(-(DECADES - middle) / width))


def noise(size: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, len(RATES))


def test_a_valley_is_read_on_its_way_down():
    losses = fall(-4) + 5 * np.clip(DECADES + 1.5, 0, None)
    assert suggest(RATES, losses) == pytest.approx(1e-4, rel=0.6)
    v_shape = 1 + np.abs(DECADES + 3)
    assert 1e-7 < suggest(RATES, v_shape) <= 1e-3


def test_what_runs_away_in_the_end_does_not_hide_the_fall():
    losses = fall(-4) + np.where(DECADES > -1, 40.0, 0.0) * (DECADES + 1)
    assert suggest(RATES, losses) == pytest.approx(1e-4, rel=0.3)


@pytest.mark.parametrize("middle", [-5, -4, -3, -2])
def test_a_curve_that_only_falls_is_read_where_it_is_steepest(middle):
    assert suggest(RATES, fall(middle)) == pytest.approx(10.0**middle, rel=0.3)


@pytest.mark.parametrize("seed", range(20))
def test_noise_moves_the_suggestion_by_less_than_a_decade(seed):
    assert suggest(RATES, fall(-3) + noise(0.1, seed)) == pytest.approx(1e-3, rel=9)
    assert suggest(RATES, fall(-3) + noise(0.1, seed)) > 1e-4


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("size", [0.01, 0.2, 1.0])
def test_noise_alone_suggests_nothing(seed, size):
    assert suggest(RATES, 2 + noise(size, seed)) is None


def test_a_loss_that_only_rises_suggests_nothing():
    assert suggest(RATES, 1 + np.exp(DECADES)) is None
    assert suggest(RATES, np.full(100, 1.5)) is None


def test_a_curve_too_short_to_read_suggests_nothing():
    falling = fall(-6.5)[: LEAST_BATCHES - 1]
    assert suggest(RATES[: len(falling)], falling) is None
    assert suggest([], []) is None


def test_no_suggestion_is_above_the_cap():
    assert suggest(RATES, fall(-2), cap=1e-4) == 1e-4
    assert suggest(RATES, fall(-5), cap=1e-4) == suggest(RATES, fall(-5)) < 1e-4


def test_smoothing_keeps_the_place_of_a_straight_line():
    line = np.linspace(3, 1, 50)
    np.testing.assert_allclose(smooth(line)[5:-5], line[5:-5])
    assert len(smooth(line)) == 50


def test_each_phase_keeps_a_curve_of_its_own(tmp_path):
    first = RateCurve(1, None, 32, [1e-7, 1e-6], [2.0, 1.9], None, 1e-3, 5.0)
    second = RateCurve(2, 38, 32, [1e-7], [0.2], 1e-4, None, 6.0)
    write_curve(tmp_path, first)
    assert read_curve(tmp_path, 2) is None
    write_curve(tmp_path, second)
    assert (read_curve(tmp_path, 1), read_curve(tmp_path, 2)) == (first, second)
