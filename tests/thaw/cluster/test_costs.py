"""What many photos take on a number of machines: work that is shared out, what joining takes, and a price."""

import os

import pytest

from thaw.cluster.costs import JOIN_S, OVERHEAD, READ_S, estimate
from tlcore.errors import SettingsError


def test_twice_the_machines_take_half_the_time_for_the_same_price():
    one, two = (estimate(1_000_000, 10.0, machines, 4, 0.5) for machines in (1, 2))
    assert two.photos_per_second == pytest.approx(2 * one.photos_per_second)
    assert two.hours - JOIN_S / 3600 == pytest.approx((one.hours - JOIN_S / 3600) / 2)
    assert two.price - one.price == pytest.approx(0.5 * JOIN_S / 3600)
    assert two.machine_hours == pytest.approx(2 * two.hours)


def test_a_photo_takes_what_it_took_here_on_all_processors_and_reading_it():
    cores = os.cpu_count()
    found = estimate(3600, 1000.0, 1, 1, 1.0)
    assert 1 / found.photos_per_second == pytest.approx((cores + READ_S) * (1 + OVERHEAD))
    assert found.hours == pytest.approx((cores + READ_S) * (1 + OVERHEAD) + JOIN_S / 3600)
    assert found.price == pytest.approx(found.hours)


@pytest.mark.parametrize(
    ("photos", "machines", "cpus", "price", "words"),
    [(0, 1, 1, 1, "photos of at least 1"), (1, 0, 1, 1, "machines"), (1, 1, 0, 1, "cpus"), (1, 1, 1, -1, "price")],
)
def test_amounts_below_the_least_are_refused(photos, machines, cpus, price, words):
    with pytest.raises(SettingsError, match=f"Expected {words}"):
        estimate(photos, 10.0, machines, cpus, price)
