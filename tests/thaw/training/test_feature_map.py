"""The map of a run: made in a process of its own, kept with the run, whole or not at all."""

import os
import shutil
import signal
from dataclasses import asdict

import numpy as np
import pytest

from tests.support.garden import LABELS, add_run, image, plain
from tests.support.garden import garden as garden
from thaw.datasets.run_split import write_split
from thaw.jobs import lifecycle, starts
from thaw.storage.workspace import MAP_FILE
from thaw.training import feature_map
from thaw.training.feature_map import borrow_projection, read_projection, start_projection
from thaw.worker import work
from tlcore.errors import RunError
from tlcore.progress import Stage
from tlcore.splits.splits import Split


@pytest.fixture
def run(garden):
    run = add_run(garden, plain(), image(99))
    garden.set_result(run.id, 1)
    return garden.run(run.id)


def add_another(store, run, training, **facts):
    """Record a later run of the same data set, with the same features unless `facts` say otherwise."""
    run_id = store.add_run(run.dataset_id, run.backbone, run.head.to_json())
    store.workspace.run(run_id).mkdir(parents=True, exist_ok=True)
    write_split(store, run_id, Split(training=training, validation=[image(99)], labels=list(LABELS)))
    store.add_facts(run_id, {"feature_cache": asdict(run.facts.feature_cache)} | facts)
    store.set_result(run_id, 1)
    return store.run(run_id)


def make(store, run):
    job_id = starts.add_trial(store, "map", run.id, {})
    work(store, job_id)
    return store.job(job_id)


def test_every_image_of_the_run_has_its_place(garden, run):
    assert read_projection(garden, run) is None
    assert make(garden, run).status == "finished"
    found = read_projection(garden, run)
    assert set(found.image_ids) == {each.id for each in (*plain(), image(99))}
    assert found.places.shape == (8, 2)
    assert found.method == "t-SNE"


def test_of_more_photos_than_a_map_holds_some_of_each_class_have_a_place(garden, run, monkeypatch):
    monkeypatch.setattr(feature_map, "MOST_PLACED", 4)
    make(garden, run)
    found = read_projection(garden, run).image_ids
    assert len(found) < 8
    assert {image.label for image in garden.images_by_id(found).values()} == {
        image.label for image in garden.images(run.dataset_id)
    }


def test_a_map_that_is_there_is_not_made_again(garden, run, monkeypatch):
    make(garden, run)
    monkeypatch.setattr(feature_map, "embed", lambda *_: pytest.fail("made again"))
    assert make(garden, run).status == "finished"


def test_a_run_of_fewer_images_borrows_the_map_of_one_with_the_same_features(garden, run, monkeypatch):
    make(garden, run)
    lent = read_projection(garden, run)
    places = dict(zip(lent.image_ids, lent.places.tolist(), strict=True))
    fewer = add_another(garden, run, plain()[1:])
    assert read_projection(garden, fewer) is None
    assert borrow_projection(garden, fewer)
    borrowed = read_projection(garden, fewer)
    assert set(borrowed.image_ids) == {each.id for each in (*plain()[1:], image(99))}
    assert [places[image_id] for image_id in borrowed.image_ids] == borrowed.places.tolist()
    assert borrowed.method == lent.method
    # The process that makes a map takes what is there as well.
    monkeypatch.setattr(feature_map, "embed", lambda *_: pytest.fail("made again"))
    again = add_another(garden, run, plain())
    assert make(garden, again).status == "finished"
    assert len(read_projection(garden, again).image_ids) == 8


def test_no_map_is_borrowed_of_other_features_or_without_a_place_for_every_image(garden, run):
    assert not borrow_projection(garden, run)
    make(garden, run)
    others = [
        add_another(garden, run, [*plain(), image(98)]),
        add_another(garden, run, plain(), feature_cache={"folder": "elsewhere", "channels": 3}),
        add_another(garden, run, plain(), feature_cache=None),
    ]
    for other in others:
        assert not borrow_projection(garden, other)
        assert read_projection(garden, other) is None


def test_other_features_or_another_version_want_another_map(garden, run, monkeypatch):
    make(garden, run)
    monkeypatch.setattr(feature_map, "VERSION", feature_map.VERSION + 1)
    assert read_projection(garden, run) is None
    monkeypatch.undo()
    garden.add_facts(run.id, {"feature_cache": {"folder": "elsewhere", "channels": 3}})
    assert read_projection(garden, garden.run(run.id)) is None


def test_a_damaged_map_is_made_again(garden, run):
    make(garden, run)
    path = garden.workspace.run(run.id) / MAP_FILE
    path.write_bytes(path.read_bytes()[:100])
    assert read_projection(garden, run) is None
    assert make(garden, run).status == "finished"
    assert len(read_projection(garden, run).image_ids) == 8


def test_a_run_whose_features_are_gone_says_what_to_do(garden, run):
    shutil.rmtree(garden.workspace.features / run.facts.feature_cache.folder)
    job = make(garden, run)
    assert job.status == "failed"
    assert "Expected the cached features of a trained head" in job.error
    assert "Train its head again" in job.error


def test_a_stopped_map_leaves_nothing(garden, run):
    job_id = starts.add_trial(garden, "map", run.id, {})
    garden.ask_to_stop(job_id)
    work(garden, job_id)
    assert garden.job(job_id).status == "stopped"
    assert not list(garden.workspace.run(run.id).glob("*map*"))


def test_a_run_without_a_head_has_no_map(garden):
    run = add_run(garden, plain(), image(99))
    with pytest.raises(RunError, match="head has been trained"):
        start_projection(garden, run.id)


def test_a_map_takes_no_place_in_the_queue_for_the_device(garden, run):
    starts.add_trial(garden, "map", run.id, {})
    assert garden.queue() == []


def test_a_killed_map_leaves_no_part_and_is_made_by_the_next(garden, run, wait_for):
    first = start_projection(garden, run.id)
    with pytest.raises(RunError, match="no other job of this kind works"):
        start_projection(garden, run.id)
    wait_for(lambda: garden.job(first).stage == Stage.ARRANGING_MAP, what="the arrangement")
    os.kill(garden.job(first).pid, signal.SIGKILL)

    def told():
        lifecycle.reconcile(garden)
        return garden.job(first).status == "failed"

    wait_for(told, what="the end of the first")
    assert "make the map again" in garden.job(first).error
    assert not list(garden.workspace.run(run.id).glob("*map*"))
    second = start_projection(garden, run.id)
    wait_for(lambda: not garden.job(second).active, what="the end of the second")
    assert np.isfinite(read_projection(garden, run).places).all()
