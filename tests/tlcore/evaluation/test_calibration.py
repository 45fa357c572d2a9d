"""Calibration on logits whose temperature is known."""

import numpy as np
import pytest

from tlcore.evaluation.calibration import calibration_error, choose_temperature, fit_temperature, list_bins, temper


def drawn(temperature: float, images: int = 20_000, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Draw classes from honest probabilities, and return probabilities whose logits are `temperature` times theirs."""
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (images, classes))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    true = (honest.cumsum(axis=1) < chance.random((images, 1))).sum(axis=1)
    told = np.exp(temperature * logits)
    return told / told.sum(axis=1, keepdims=True), true


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_the_known_temperature_is_found_and_mends_the_calibration(temperature):
    probabilities, true = drawn(temperature)
    found = fit_temperature(probabilities.astype(np.float32), true)
    assert found == pytest.approx(temperature, rel=0.05)
    mended = temper(probabilities, found)
    assert mended.sum(axis=1) == pytest.approx(1.0)
    assert (mended.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert calibration_error(list_bins(mended, true)) < 0.015
    if temperature != 1.0:
        assert calibration_error(list_bins(probabilities, true)) > 0.05


def test_bins_hold_every_image_once_and_say_what_they_hold():
    probabilities = np.array([[0.95, 0.05], [0.9, 0.1], [0.45, 0.55], [1.0, 0.0]])
    bins = list_bins(probabilities, np.array([0, 1, 1, 1]))
    assert [(each.low, each.images) for each in bins] == [(0.5, 1), (0.8, 1), (0.9, 2)]
    assert (bins[2].confidence, bins[2].accuracy) == (pytest.approx(0.975), 0.5)
    assert calibration_error(bins) == pytest.approx((0.45 + 0.9 + 2 * 0.475) / 4)


def test_a_model_that_is_always_right_is_trusted_more_and_stays_finite():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    found = fit_temperature(probabilities, np.array([0, 0, 1]))
    assert 0.05 <= found < 1
    assert np.isfinite(temper(np.array([[1.0, 0.0]]), found)).all()


@pytest.mark.parametrize(("limit", "most"), [("MOST_SHARES", 8000), ("MOST_FITTED", 1000)])
def test_of_very_many_a_sample_is_fitted_and_all_are_mended(monkeypatch, limit, most):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 8)) * 3
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    true = np.array([rng.choice(8, p=row) for row in shares])
    sure = shares**2 / (shares**2).sum(axis=1, keepdims=True)
    whole, mended = fit_temperature(sure, true), temper(sure, 2.0)
    monkeypatch.setattr(f"tlcore.evaluation.calibration.{limit}", most)
    assert fit_temperature(sure, true) == pytest.approx(fit_temperature(sure[::4], true[::4]))
    assert 0 < abs(fit_temperature(sure, true) - whole) < 0.3
    np.testing.assert_allclose(temper(sure, 2.0), mended, atol=1e-6)


def test_a_temperature_that_does_not_help_on_held_out_images_is_left_out():
    probabilities, true = drawn(2.0, 2000)
    assert choose_temperature(probabilities, true) == fit_temperature(probabilities, true)
    honest, of_honest = drawn(1.0, 60)
    found = choose_temperature(honest, of_honest)
    after = calibration_error(list_bins(temper(honest, found), of_honest))
    assert after <= calibration_error(list_bins(honest, of_honest))
    sure = np.tile([[0.9, 0.1]], (40, 1))
    assert choose_temperature(sure, (np.arange(40) % 10 == 0).astype(int)) == 1.0
    assert choose_temperature(sure[:3], np.zeros(3, dtype=int)) == 1.0
