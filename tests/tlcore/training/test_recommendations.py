"""The rules of the method, over plain numbers."""

import json

import pytest

from thaw.storage.facts import read_facts
from thaw.storage.records import Run
from thaw.training.run_facts import kept_epoch
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch
from tlcore.training.recommendations import (
    better_phase,
    recommend_detector,
    recommend_learning_rate,
    refuse_fine_tune,
    unsettled,
)


def epochs_of(losses, phase=1, first=1):
    return [Epoch(first + index, phase, loss, 0.5, loss, 0.5, 0.1) for index, loss in enumerate(losses)]


SETTLED = epochs_of([1.0, 0.5, 0.5, 0.5, 0.5])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_few_epochs_cannot_show_that_the_head_has_settled(count):
    assert f"trained for {count} epochs, and at least 4" in unsettled(epochs_of([0.1] * count), patience=5)


def test_a_head_that_still_falls_has_not_settled():
    reason = unsettled(epochs_of([2.0, 1.0, 0.9, 0.8, 0.5]), patience=5)
    assert "fell by 50% over the last 3 epochs (from 1.000 to 0.500" in reason


@pytest.mark.parametrize(("last", "settled"), [(0.951, True), (0.949, False)])
def test_under_five_percent_counts_as_settled(last, settled):
    assert (unsettled(epochs_of([1.5, 1.0, 1.0, 1.0, last]), patience=5) is None) == settled


@pytest.mark.parametrize(("last", "settled"), [(0.006, True), (0.0049, False)])
def test_a_fall_that_hardly_changes_a_probability_counts_as_settled(last, settled):
    assert (unsettled(epochs_of([0.5, 0.01, 0.01, 0.01, last]), patience=5) is None) == settled


def test_early_stopping_is_settled_whatever_came_before():
    losses = [9.0, 1.0, 1.1, 1.2]
    assert unsettled(epochs_of(losses), patience=2) is None
    assert unsettled(epochs_of([9.0, 8.0, 7.0, 1.0, 1.2]), patience=2) is not None


def test_only_phase_1_says_whether_the_head_has_settled():
    tuned = epochs_of([0.5] * 6, phase=2, first=3)
    assert "trained for 2 epochs" in unsettled(epochs_of([1.0, 0.9]) + tuned, patience=5)


def test_a_loss_of_zero_is_settled():
    assert unsettled(epochs_of([0.0, 0.0, 0.0, 0.0]), patience=5) is None


@pytest.mark.parametrize(("rate", "refused"), [(1e-4, False), (1.01e-4, True), (1e-5, False), (None, False)])
def test_more_than_a_tenth_of_the_heads_rate_is_refused(rate, refused):
    reason = refuse_fine_tune(SETTLED, HeadSettings(learning_rate=1e-3), FineTuneSettings(learning_rate=rate))
    assert (reason is not None) == refused
    if refused:
        assert "at most 0.0001, a tenth of the head's 0.001. Received: 0.000101" in reason


def test_an_unsettled_head_is_refused_first():
    reason = refuse_fine_tune(SETTLED[:2], HeadSettings(), FineTuneSettings(learning_rate=0.5))
    assert "Train the head longer first" in reason


def test_the_recommended_rate_is_always_one_that_is_not_refused():
    assert recommend_learning_rate(1e-3, 224, 224) == pytest.approx(1e-5)
    assert recommend_learning_rate(1e-3, 96, 224) == pytest.approx(1e-4)
    for image_size in (96, 224, 300):
        rate = recommend_learning_rate(3e-4, image_size, 224)
        settings = FineTuneSettings(learning_rate=rate)
        assert refuse_fine_tune(SETTLED, HeadSettings(learning_rate=3e-4), settings) is None


def test_a_detectors_eye_adapts_down_to_whole_blocks_at_the_largest_rate_that_is_not_refused():
    layers = [{"block": block} for block in ("stem", "a", "b", "c", "d") for _ in range(4)]
    layers, rate = recommend_detector(layers[:-1], 2e-3)
    assert layers == 15, "15 of 19 layers are 79%"
    assert rate == pytest.approx(2e-4)
    settings = FineTuneSettings(layers=layers, learning_rate=rate)
    assert refuse_fine_tune(SETTLED, HeadSettings(learning_rate=2e-3), settings) is None


def test_the_better_phase_goes_by_accuracy_and_then_by_loss():
    def epoch(accuracy, loss):
        return Epoch(1, 1, 0, 0, loss, accuracy, 0)

    head = epoch(0.9, 0.30)
    assert better_phase(head, epoch(0.91, 0.90)) == 2
    assert better_phase(head, epoch(0.89, 0.10)) == 1
    assert better_phase(head, epoch(0.9, 0.29)) == 2
    assert better_phase(head, epoch(0.9, 0.31)) == 1
    assert better_phase(head, head) == 1


def test_the_kept_epoch_is_the_one_whose_weights_were_saved_not_a_later_better_one():
    epochs = epochs_of([0.9, 0.4, 0.2]) + epochs_of([0.3, 0.1], phase=2, first=4)

    def run(facts):
        return Run("run-1", "data-1", "efficientnet-lite0", HeadSettings(), None, 0.0, 1, read_facts(json.dumps(facts)))

    assert kept_epoch(run({"head": {"best_epoch": 2}}), epochs, 1).epoch == 2
    assert kept_epoch(run({"fine_tune": {"best_epoch": 4}}), epochs, 2).epoch == 4
    assert kept_epoch(run({"head": {"best_epoch": 2}}), epochs, 2) is None
    assert kept_epoch(run({}), epochs, 1) is None
