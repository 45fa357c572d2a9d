"""Why a phase 2 did not help, one curve for each reason, and what is advised for it."""

from dataclasses import replace

import pytest

from thaw.training.shortfall import Reason, explain, find_shallower
from tlcore.settings import FineTuneSettings
from tlcore.training.history import Epoch

HEAD_RATE = 1e-3
HEAD = Epoch(9, 1, 0.5, 0.8, 0.5, 0.8, 0.1)
ASKED = FineTuneSettings(layers=12, epochs=4, learning_rate=1e-5, batch_size=16, insist=True)
LAYERS = [
    {"block": block} for block, size in (("stem", 4), ("a", 6), ("b", 5), ("c", 3), ("top", 2)) for _ in range(size)
]


def curve(losses, val_losses):
    return [
        Epoch(number, 2, loss, 0.8, val_loss, 0.7, 0.1)
        for number, (loss, val_loss) in enumerate(zip(losses, val_losses, strict=True), 10)
    ]


def told(losses, val_losses, head=HEAD, settings=ASKED, **how):
    return explain(head, curve(losses, val_losses), settings, HEAD_RATE, LAYERS, **how)


def test_a_training_loss_that_hardly_moves_asks_for_a_larger_step():
    found = told([0.50, 0.49, 0.48, 0.47], [0.51, 0.51, 0.5, 0.5])
    assert found.reason is Reason.STEP_TOO_SMALL
    assert found.advised == replace(ASKED, learning_rate=3e-5)


def test_no_larger_step_is_advised_than_the_guard_allows():
    found = told([0.5] * 4, [0.5] * 4, settings=replace(ASKED, learning_rate=5e-5))
    assert found.advised.learning_rate == pytest.approx(1e-4)
    found = told([0.5] * 4, [0.5] * 4, settings=replace(ASKED, learning_rate=1e-4))
    assert found.reason is Reason.TOO_FEW_ROUNDS
    assert found.advised == replace(ASKED, learning_rate=1e-4, epochs=8)


def test_losses_that_rise_at_once_ask_for_a_smaller_step():
    found = told([0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.8, 0.7])
    assert found.reason is Reason.STEP_TOO_LARGE
    assert found.advised == replace(ASKED, learning_rate=1e-6)


def test_a_smaller_step_than_a_far_too_large_one_is_one_that_the_guard_allows():
    found = told([0.9], [0.9], settings=replace(ASKED, learning_rate=1e-2))
    assert found.advised.learning_rate == pytest.approx(1e-4)


def test_validation_that_gets_worse_as_training_gets_better_asks_for_fewer_layers():
    found = told([0.4, 0.2, 0.1], [0.5, 0.55, 0.6])
    assert found.reason is Reason.TOO_DEEP
    assert found.advised == replace(ASKED, layers=5)


def test_at_the_last_block_alone_there_are_too_few_photos():
    found = told([0.4, 0.2, 0.1], [0.5, 0.55, 0.6], settings=replace(ASKED, layers=2))
    assert (found.reason, found.advised) == (Reason.TOO_FEW_PHOTOS, None)


def test_a_curve_that_still_gets_better_at_its_last_epoch_asks_for_more():
    found = told([0.45, 0.4, 0.38, 0.36], [0.6, 0.58, 0.56, 0.54])
    assert found.reason is Reason.TOO_FEW_ROUNDS
    assert found.advised == replace(ASKED, epochs=8)


def test_photos_that_have_nothing_more_to_teach_are_too_few():
    found = told([0.3, 0.2, 0.1], [0.51, 0.5, 0.51])
    assert (found.reason, found.advised) == (Reason.TOO_FEW_PHOTOS, None)


def test_a_head_that_had_everything_right_leaves_nothing_to_gain():
    found = told([0.9] * 4, [0.9] * 4, head=replace(HEAD, val_accuracy=1.0))
    assert (found.reason, found.advised) == (Reason.NOTHING_TO_GAIN, None)


def test_a_phase_that_was_paused_was_cut_short():
    found = told([0.5, 0.49], [0.5, 0.5], stopped=True)
    assert (found.reason, found.advised) == (Reason.CUT_SHORT, None)


def test_a_thousand_epochs_are_not_doubled():
    found = told([0.5] * 1000, [0.5] * 1000, settings=replace(ASKED, epochs=1000, learning_rate=1e-4))
    assert (found.reason, found.advised) == (Reason.TOO_FEW_ROUNDS, None)


@pytest.mark.parametrize(("top", "fewer"), [(20, 10), (12, 5), (10, 5), (9, 2), (5, 2), (3, 2), (2, 0), (1, 0), (0, 0)])
def test_fewer_layers_are_whole_blocks(top, fewer):
    assert find_shallower(LAYERS, top) == fewer
