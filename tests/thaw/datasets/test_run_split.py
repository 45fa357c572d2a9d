"""The record of what a run saw: it stays as it was, whatever is edited afterwards."""

import dataclasses

import pytest

from thaw.datasets import edits
from thaw.datasets.run_split import read_split, write_split
from thaw.jobs.reporter import Reporter
from tlcore.models.backbones import find_backbone
from tlcore.settings import HeadSettings
from tlcore.splits.splits import split

ROW = find_backbone("efficientnet-lite0")


@pytest.fixture
def run_id(store, tiny_dataset):
    return store.add_run(tiny_dataset, ROW.name, HeadSettings().to_json())


@pytest.fixture
def reporter(store, tiny_dataset, run_id):
    return Reporter(store, store.add_job("head", {}, tiny_dataset, run_id))


def test_a_run_goes_on_with_the_split_it_recorded(store, tiny_dataset, run_id):
    assert read_split(store, store.run(run_id)) is None
    parts = split(store.images(tiny_dataset), 0.25, seed=9)
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_split(store, run_id, parts)
    assert read_split(store, store.run(run_id)) == parts


def test_images_that_are_known_are_not_read_again_and_bear_the_recorded_labels(store, tiny_dataset, run_id):
    images = store.images(tiny_dataset)
    parts = split(images, 0.25, seed=9)
    store.workspace.run(run_id).mkdir(parents=True, exist_ok=True)
    write_split(store, run_id, parts)
    renamed = dataclasses.replace(images[0], label="elsewhere")
    known = {image.id: image for image in [renamed, *images[1:5]]}
    seen = read_split(store, store.run(run_id), known)
    assert seen == parts
    held = {id(image) for image in known.values()}
    assert sum(id(image) in held for side in (seen.training, seen.validation) for image in side) == 4


def test_a_run_keeps_the_labels_that_it_saw(store, tiny_dataset, run_id):
    parts = split(store.images(tiny_dataset), 0.25, seed=9)
    store.workspace.run(run_id).mkdir(parents=True, exist_ok=True)
    write_split(store, run_id, parts)
    moved = parts.training[0]
    edits.move_images(store, tiny_dataset, [moved.id], "elsewhere")
    edits.exclude_images(store, tiny_dataset, [parts.validation[0].id])
    try:
        seen = read_split(store, store.run(run_id))
        assert [(i.id, i.label) for i in seen.training] == [(i.id, i.label) for i in parts.training]
        assert [i.id for i in seen.validation] == [i.id for i in parts.validation]
        assert seen.labels == parts.labels
    finally:
        edits.undo(store, tiny_dataset)
        edits.undo(store, tiny_dataset)
