"""Which images take part in a depth probe, and how they are divided."""

from collections import Counter

import pytest

from thaw.jobs import starts
from thaw.jobs.reporter import Reporter
from thaw.storage.records import Image
from thaw.training.materials import gather
from thaw.tuning.depth_probe import prepare_trial
from thaw.tuning.probe_record import ProbeSettings
from tlcore.settings import HeadSettings
from tlcore.splits.splits import choose_images


def test_the_folds_hold_training_photos_alone_and_keep_groups_together(store, tiny_dataset):
    run_id = starts.add_head_job(store, tiny_dataset, HeadSettings(image_size=48, validation_split=0.25))
    reporter = Reporter(store, store.latest_job(run_id).id)
    materials = gather(reporter, run_id)
    trial = prepare_trial(materials, ProbeSettings(depths=3, folds=2))
    assert trial.plan.tops[0] == 0
    assert trial.plan.learning_rate == pytest.approx(1e-4), "the images are smaller than the backbone's own"
    unseen = {image.id for image in materials.split.validation}
    assert not unseen & {image.id for image in trial.images}
    for training, testing in trial.folds:
        assert not set(trial.groups[training]) & set(trial.groups[testing])
        assert len(training) + len(testing) == len(trial.images)
    store.fail_job(reporter.job_id, "ended by the test")


def images(**classes: int) -> list[Image]:
    return [
        Image(f"{label}-{n}", label, f"{label}/{n}.png", f"{label}{n}", 8, 8, suffix=".png")
        for label, count in classes.items()
        for n in range(count)
    ]


def test_a_large_set_is_sampled_by_class_and_the_same_for_a_seed():
    many = images(rose=600, tulip=300, fern=4)
    chosen = choose_images(many, list(range(len(many))), 90, seed=0)
    assert Counter(many[place].label for place in chosen) == {"rose": 59, "tulip": 29, "fern": 3}
    assert chosen == choose_images(many, list(range(len(many))), 90, seed=0)
    assert chosen != choose_images(many, list(range(len(many))), 90, seed=1)
    assert choose_images(many[:50], list(range(50)), 90, seed=0) == list(range(50))


def test_copies_are_sampled_last():
    many = images(rose=100)
    groups = [place // 2 for place in range(100)]
    chosen = choose_images(many, groups, 50, seed=0)
    assert len({groups[place] for place in chosen}) == 50
