import numpy as np
import pytest

from pages.ui.figures import probe_figures
from pages.ui.figures.basics import UNFROZEN
from thaw.tuning.probe_record import Depth, recommend
from thaw.tuning.rate_curve import RateCurve

DEPTHS = [Depth(0, [0.8, 0.9], 85, 100, 100, 1.0), Depth(7, [0.88, 0.9], 89, 100, 25, 1.0)]


def test_every_depth_has_its_accuracy_and_one_standard_error():
    drawn = probe_figures.accuracy_by_depth(DEPTHS, 10, recommend(DEPTHS))
    trace = drawn.data[0]
    assert list(trace.x) == [0, 7]
    assert list(trace.y) == [0.85, 0.89]
    np.testing.assert_allclose(trace.error_y.array, [depth.standard_error for depth in DEPTHS])
    assert [colour == UNFROZEN for colour in trace.marker.color] == [depth == recommend(DEPTHS) for depth in DEPTHS]
    assert drawn.layout.xaxis.range[0] < 0
    assert drawn.layout.xaxis.range[1] > 10


def test_the_band_reaches_one_standard_error_below_the_best():
    drawn = probe_figures.accuracy_by_depth(DEPTHS, 10, recommend(DEPTHS))
    (band,) = drawn.layout.shapes
    assert (band.y0, band.y1) == (pytest.approx(0.89 - DEPTHS[1].standard_error), 0.89)
    assert not probe_figures.accuracy_by_depth(DEPTHS[:1], 10, None).layout.shapes


def test_a_curve_of_rates_is_drawn_on_a_logarithmic_axis_with_its_suggestion():
    rates, losses = np.geomspace(1e-7, 1e-3, 30).tolist(), np.linspace(2, 1, 30).tolist()
    curve = RateCurve(2, 9, 8, rates, losses, 1e-4, 3e-5, 0.0)
    drawn = probe_figures.loss_by_rate(curve)
    assert drawn.layout.xaxis.type == "log"
    assert list(drawn.data[0].y) == losses
    assert np.ptp(drawn.data[1].y) < np.ptp(losses)
    assert {shape.x0 for shape in drawn.layout.shapes} == {3e-5, 1e-4}
    plain = RateCurve(1, None, 8, rates, losses, None, None, 0.0)
    assert not probe_figures.loss_by_rate(plain).layout.shapes
