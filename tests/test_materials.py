"""What a phase starts from: the split that the run recorded, and the weights that it was trained with."""

import json

import pytest

from tlcore.backbones import find_backbone
from tlcore.errors import WeightsError
from tlcore.materials import fetch_weights, read_split
from tlcore.reporter import Reporter
from tlcore.settings import HeadSettings
from tlcore.splits import split
from tlcore.weights import fingerprint
from tlcore.workspace import LABELS_FILE, SPLIT_FILE

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
    folder.mkdir(parents=True)
    (folder / LABELS_FILE).write_text(json.dumps(parts.labels))
    recorded = {"training": [i.id for i in parts.training], "validation": [i.id for i in parts.validation]}
    (folder / SPLIT_FILE).write_text(json.dumps(recorded))
    assert read_split(store, store.run(run_id)) == parts


def test_weights_other_than_those_of_phase_1_are_refused(store, reporter, run_id):
    path, sha256 = fetch_weights(reporter, store.run(run_id), ROW)
    assert sha256 == fingerprint(path)
    store.add_facts(run_id, {"weights_sha256": sha256})
    assert fetch_weights(reporter, store.run(run_id), ROW) == (path, sha256)
    store.add_facts(run_id, {"weights_sha256": "0" * 64})
    with pytest.raises(WeightsError, match="Received: another file"):
        fetch_weights(reporter, store.run(run_id), ROW)
