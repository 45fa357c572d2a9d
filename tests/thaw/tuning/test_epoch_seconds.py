import pytest

from thaw.tuning.epoch_seconds import expected_epoch_seconds


def test_the_expected_time_grows_with_depth_and_images_and_needs_a_measurement():
    layers = [{"flops": 100, "activation_bytes": 8, "trainable_parameters": 2}] * 10
    seconds = [expected_epoch_seconds(0.01, layers, top, 64) for top in range(11)]
    assert seconds[0] == 0
    assert seconds == sorted(set(seconds))
    # Three to four forward passes for everything unfrozen, and 20 parameters updated in each of two steps.
    assert seconds[10] == pytest.approx(64 * 0.01 * 3.46 + 2 * 757 * 20 * 0.01 / 1000)
    assert expected_epoch_seconds(0.01, layers, 4, 128) == pytest.approx(2 * seconds[4])
    assert expected_epoch_seconds(0.01, layers, 4, 64, batch_size=8) > seconds[4]
    assert expected_epoch_seconds(None, layers, 4, 50) is None
    assert expected_epoch_seconds(0.01, [], 0, 50) is None
