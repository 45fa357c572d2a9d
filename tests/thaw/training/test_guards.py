"""The rules about a training that runs or has ended: where each draws its line, and that its words hold the numbers."""

from dataclasses import replace

import pytest

from thaw.training.guards import (
    at_chance,
    find_faults,
    judge_batch,
    judge_chance,
    judge_course,
    judge_first_epoch,
    judge_gap,
    judge_memory,
    judge_rate,
    judge_settled,
    judge_statistics,
)
from tlcore.training.history import Epoch, FirstBatch, HeadChecks, LayerDrift, MemoryIncident, Retry

BATCH = FirstBatch(32, -0.99, 1.0, 0.1, (-0.992, 1.0))
SOUND = HeadChecks(0, BATCH, {"ant": 60, "wasp": 60}, {"ant": 50, "wasp": 50})


def epoch(accuracy, val_accuracy, phase=1):
    return Epoch(7, phase, 0.1, accuracy, 0.1, val_accuracy, 1.0)


def test_the_head_is_settled_or_the_reason_is_told():
    def losses(*values):
        return [Epoch(number, 1, value, 0.5, value, 0.5, 1.0) for number, value in enumerate(values, 1)]

    settled = judge_settled(losses(1.0, 0.5, 0.49, 0.48, 0.485), 5)
    assert (settled.passed, "over 5 epochs" in settled.words, "0.480" in settled.words) == (True, True, True)
    falling = judge_settled(losses(1.0, 0.9, 0.8, 0.6, 0.5), 5)
    assert not falling.passed
    assert "fell by 44%" in falling.words


def test_a_rate_above_a_tenth_is_told():
    assert judge_rate(1e-4, 1e-3).passed
    assert judge_rate(1e-5, 1e-3).words.startswith("Phase 2's learning rate is 1e-05, 0.01 of the head's 0.001;")
    assert not judge_rate(2e-4, 1e-3).passed


def test_a_retry_is_told_with_its_numbers():
    calm = judge_first_epoch(0.9, 0.91, 200, [])
    assert calm.passed
    assert "from 90.0% to 91.0% of 200 images" in calm.words
    retry = Retry(1e-3, 1e-4, 0.9, 0.3)
    told = judge_first_epoch(0.9, 0.88, 200, [retry])
    assert not told.passed
    for words in ("rate 0.001", "had been 90.0%, and it fell to 30.0%", "once more at 0.0001", "not in the curve"):
        assert words in told.words
    assert "the loss was no number" in judge_first_epoch(0.9, 0.88, 200, [replace(retry, accuracy_after=None)]).words


def test_any_drift_at_all_is_told():
    still = [LayerDrift(f"bn{number}", 0.0, 0.0) for number in range(3)]
    assert judge_statistics(still).passed
    assert "0 of 3" in judge_statistics(still).words
    moved = judge_statistics([*still, LayerDrift("bn3", 0.0, 0.031)])
    assert not moved.passed
    assert "1 of 4" in moved.words
    assert "3.10% (0% expected)" in moved.words


@pytest.mark.parametrize(("accuracy", "chance"), [(0.5, True), (0.6, True), (0.601, False), (0.2, True)])
def test_chance_is_the_largest_classs_share_and_two_standard_errors(accuracy, chance):
    assert at_chance(accuracy, 0.5, 100) == chance
    found = judge_chance(accuracy, SOUND)
    assert found.passed != chance
    assert ("give or take 10.0%" in found.words) == chance
    assert ("are in order, so look at the images" in found.words) == chance


def test_a_network_that_learnt_nothing_from_scratch_hears_of_photos_and_backbones():
    found = judge_chance(0.5, SOUND, fresh=True)
    assert found.words.startswith("Training from scratch reached 50.0%")
    assert "Learning from nothing takes many images" in found.words
    assert "frozen flags" not in found.words
    assert judge_chance(0.9, SOUND, fresh=True).passed


def test_a_course_is_steady_where_the_loss_falls_and_stays_a_number():
    falling = [replace(epoch(0.9, 0.9), epoch=number, loss=loss) for number, loss in enumerate((2.0, 0.5, 0.6), 1)]
    steady = judge_course(falling, [])
    assert (steady.passed, steady.rule) == (True, "Steady course")
    assert "from 2.000 to 0.600" in steady.words
    assert judge_course(falling[:1], []).passed
    rising = judge_course(falling[::-1], [])
    assert not rising.passed
    assert "choose a smaller learning rate" in rising.words
    again = judge_course(falling, [Retry(0.1, 0.01, 0.5, None), Retry(0.01, 0.001, 0.5, None)])
    assert not again.passed
    assert "up to 0.1, so Thaw went back to the last finished epoch and on at 0.001" in again.words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"backbone_training": 4}, "4 of the backbone's weights were training in phase 1; 0 expected"),
        ({"batch": replace(BATCH, high=255.0)}, "lie outside -0.99 to 1.00"),
        ({"batch": replace(BATCH, low=-3.0)}, "lie outside"),
        ({"batch": replace(BATCH, low=0.1, high=0.2)}, "the images are nearly blank"),
        ({"training": {"ant": 60, "wasp": 0}}, "1 of 2 classes have no training images"),
        ({"validation": {"ant": 0, "wasp": 9}}, "1 of 2 classes have no validation images"),
    ],
)
def test_each_fault_behind_chance_is_found(change, words):
    assert find_faults(SOUND) == []
    (found,) = find_faults(replace(SOUND, **change))
    assert words in found
    if change.keys() != {"validation"}:
        assert words in judge_chance(0.5, replace(SOUND, **change)).words


def test_a_range_without_an_expectation_is_no_fault():
    assert find_faults(replace(SOUND, batch=replace(BATCH, expected=None, high=900.0))) == []


def test_a_gap_counts_beyond_five_points_and_beyond_chance():
    assert judge_gap(epoch(0.98, 0.94), 10_000, 10_000).passed
    found = judge_gap(epoch(0.99, 0.90), 1000, 1000)
    assert not found.passed
    assert "a gap of 9.0 points, with a standard error of 1.0" in found.words
    assert "more dropout" in found.words
    assert "fewer unfrozen layers" not in found.words
    assert "fewer unfrozen layers" in judge_gap(epoch(0.99, 0.90, phase=2), 1000, 1000).words
    assert judge_gap(epoch(0.99, 0.90), 1000, 20).passed


@pytest.mark.parametrize(("size", "classes", "passed"), [(8, 3, True), (7, 3, False), (16, 17, False), (17, 17, True)])
def test_a_batch_holds_at_least_eight_and_one_a_class(size, classes, passed):
    found = judge_batch(size, classes)
    assert found.passed == passed
    assert f"holds {size} images for {classes} classes" in found.words


def test_memory_that_ran_out_is_told():
    assert judge_memory([], None).passed
    found = judge_memory([MemoryIncident(3, 32, 16), MemoryIncident(3, 16, 8)], 4)
    assert not found.passed
    assert "computed 4 at a time" in found.words
    assert "at 32 images a batch in epoch 3" in found.words
    assert "on with 8 images a batch." in found.words


def test_what_was_done_first_where_memory_ran_out_is_told_with_what_it_saved():
    kept_less, smaller = MemoryIncident(3, 32, 32, True, 1_234_000_000), MemoryIncident(4, 32, 16, False, 310_000_000)
    assert "rematerialisation" not in judge_memory([smaller], None).words
    words = judge_memory([kept_less, smaller], None).words
    first, second = words.split("Memory ran out at")[1:]
    assert "32 images a batch in epoch 3" in first
    assert "(rematerialisation), which takes longer and saves about 1,234 MB." in first
    assert "32 images a batch in epoch 4" in second
    assert "on with 16 images a batch and saves about 310 MB." in second
