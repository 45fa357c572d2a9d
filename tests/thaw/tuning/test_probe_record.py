"""What follows from a depth probe: the depths to try, the one-standard-error rule, and the file that keeps them."""

import dataclasses

import pytest

from thaw.tuning.probe_record import (
    Depth,
    Plan,
    Probe,
    ProbeSettings,
    depth_costs,
    list_depths,
    read_probe,
    recommend,
    write_probe,
)
from tlcore.errors import SettingsError

PLAN = Plan([0, 4, 10], 100, 3, 2, 16, 1e-5, 7, 0, "halves")


def depth(top: int, right: int, images: int = 100, groups: int | None = None) -> Depth:
    return Depth(top, [right / images] * 3, right, images, groups or images, 1.5)


def layers(*sizes: int) -> list[dict]:
    """Layers of blocks of these sizes, from the input."""
    numbers = {"flops": 1000, "activation_bytes": 400, "trainable_parameters": 50}
    return [{"block": f"block {place}"} | numbers for place, size in enumerate(sizes) for _ in range(size)]


def test_depths_lie_at_block_boundaries_from_none_to_all():
    assert list_depths(layers(10, 10, 10, 10, 10), 6) == [0, 10, 20, 30, 40, 50]
    boundaries = {0, 7, 8, 31, 45, 60}
    tops = list_depths(layers(15, 14, 23, 1, 7), 4)
    assert set(tops) <= boundaries
    assert (tops[0], tops[-1]) == (0, 60)
    assert tops == sorted(set(tops))


def test_a_network_of_few_blocks_has_few_depths():
    assert list_depths(layers(3, 2), 6) == [0, 2, 5]


def test_the_shallowest_within_one_standard_error_of_the_best_is_recommended():
    # The best is 90 of 100 with a standard error of 3 points, so that 87 is as good and 86 is not.
    assert recommend([depth(0, 86), depth(4, 87), depth(10, 90)]).top == 4
    assert recommend([depth(0, 87), depth(4, 88), depth(10, 90)]).top == 0
    assert recommend([depth(0, 70), depth(4, 75), depth(10, 90)]).top == 10


def test_of_equal_bests_the_shallowest_is_recommended():
    assert recommend([depth(10, 100), depth(4, 100), depth(0, 99)]).top == 4


def test_one_depth_alone_recommends_nothing():
    assert recommend([depth(0, 90)]) is None
    assert recommend([]) is None


def test_the_standard_error_counts_groups():
    assert depth(0, 90).standard_error == pytest.approx(0.03)
    assert depth(0, 90, groups=25).standard_error == pytest.approx(0.06)


def test_a_probe_is_kept_and_read_again(tmp_path):
    assert read_probe(tmp_path) is None
    probe = Probe(PLAN, [depth(0, 80), depth(10, 90)])
    write_probe(tmp_path, probe)
    assert read_probe(tmp_path) == probe
    assert probe.missing == [4]


def test_the_expected_cost_grows_with_depth_and_with_epochs():
    costs = depth_costs(0.01, layers(10, 10), PLAN, [0, 10, 20])
    assert costs[0] == 0
    assert 0 < costs[1] < costs[2]
    doubled = depth_costs(0.01, layers(10, 10), dataclasses.replace(PLAN, epochs=4), [20])
    assert doubled == [pytest.approx(2 * costs[2])]
    assert depth_costs(None, layers(10, 10), PLAN, [0, 10]) is None


@pytest.mark.parametrize(("name", "bad"), [("depths", 1), ("folds", 1), ("epochs", 0), ("learning_rate", 2.0)])
def test_settings_out_of_range_are_refused(name, bad):
    with pytest.raises(SettingsError, match=f"{name}={bad}"):
        ProbeSettings(**{name: bad})
