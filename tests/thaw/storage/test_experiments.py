"""The view of all runs, as Thaw reads it and as any SQLite tool does."""

import json
import sqlite3

import pytest

from thaw.storage.datasets import Arrival
from thaw.storage.experiments import COLUMNS, flatten
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch

VERSIONS = {"keras": "3", "scikit-learn": "1.9"}
COUNTS = {"training": {"a'\"b": 12, "rose": 8}, "validation": {"a'\"b": 4, "rose": 2}}
HEAD_FACTS = {"best_epoch": 1, "accuracies": {"validation": 0.75, "holdout": 0.5}, "frozen_layers": 141}
RETRIES = [{"rate": 1e-3, "next_rate": 1e-4}, {"rate": 1e-4, "next_rate": 1e-5}]
TUNED_FACTS = {
    "best_epoch": 3,
    "accuracies": {"validation": 0.9, "later": 0.8},
    "frozen_layers": 103,
    "unfrozen_from_layer": "block11_expand",
    "retries": RETRIES,
}
FACTS = {
    "weights_file": "lite0.pth",
    "weights_sha256": "ab" * 32,
    "dataset_version": 3,
    "dataset_sha256": "cd" * 32,
    "class_counts": COUNTS,
    "versions": VERSIONS,
    "device": "CPU",
    "image_size": 224,
}


@pytest.fixture
def store(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    store.add_dataset("data-1", "=Photos <b>", "here", Arrival([]))
    return store


def add_run(store, facts, fine_tune=None, phases=(1, 1)):
    run_id = store.add_run("data-1", "efficientnet-lite0", HeadSettings(seed=7).to_json())
    if fine_tune:
        store.set_fine_tune(run_id, fine_tune.to_json())
    for number, phase in enumerate(phases, 1):
        store.add_epochs(run_id, [Epoch(number, phase, 0.5, 0.8, 0.6, 0.5 + number / 10, 1.5)])
    store.set_result(run_id, phases[-1])
    store.add_facts(run_id, facts)
    return run_id


def test_a_run_of_two_phases_tells_all_its_lineage(store):
    tuned = FineTuneSettings(layers=38, learning_rate=1e-3)
    run_id = add_run(store, FACTS | {"head": HEAD_FACTS, "fine_tune": TUNED_FACTS}, tuned, (1, 1, 2, 2))
    (row,) = store.experiments()
    assert (row.model_id, row.base_architecture, row.dataset_id) == (run_id, "efficientnet-lite0", "data-1")
    assert (row.pretrained_weights, row.pretrained_weights_sha256) == ("lite0.pth", "ab" * 32)
    assert (row.frozen_layers_count, row.unfrozen_from_layer, row.unfrozen_layers_count) == (103, "block11_expand", 38)
    # The guard lowered the rate twice; the one that was asked for trained nothing.
    assert (row.learning_rate_phase1, row.learning_rate_phase2) == (1e-3, 1e-5)
    assert (row.fine_tuning_start_epoch, row.epochs, row.split_seed) == (3, 4, 7)
    assert (row.class_counts, row.package_versions) == (COUNTS, VERSIONS)
    accuracies = row.final_accuracy_validation, row.final_accuracy_later, row.final_accuracy_holdout
    assert accuracies == (0.9, 0.8, None)
    assert (row.dataset_name, row.dataset_version, row.device) == ("=Photos <b>", 3, "CPU")


def test_the_accuracies_are_those_of_the_phase_that_is_the_result(store):
    tuned = FineTuneSettings(layers=38, learning_rate=1e-5)
    run_id = add_run(store, FACTS | {"head": HEAD_FACTS, "fine_tune": TUNED_FACTS}, tuned, (1, 1, 2, 2))
    store.set_result(run_id, 1)
    (row,) = store.experiments()
    assert (row.final_accuracy_validation, row.final_accuracy_holdout, row.final_accuracy_later) == (0.75, 0.5, None)


def test_a_run_that_has_not_begun_is_listed(store):
    store.add_run("data-1", "resnet50", HeadSettings().to_json())
    (row,) = store.experiments()
    assert (row.result_phase, row.epochs, row.final_accuracy_validation, row.class_counts) == (None, 0, None, None)
    assert (row.learning_rate_phase2, row.fine_tuning_start_epoch, row.frozen_layers_count) == (None, None, None)
    assert (row.pretrained_weights, row.package_versions, row.unfrozen_layers_count) == (None, None, 0)


def test_the_newest_run_comes_first(store):
    ids = [add_run(store, {}) for _ in range(3)]
    with store._transaction() as connection:
        connection.executemany("UPDATE runs SET created_at = ? WHERE id = ?", enumerate(ids))
    assert [row.model_id for row in store.experiments()] == ids[::-1]
    assert store.experiments()[0].created_at == "1970-01-01T00:00:02.000Z"


def test_any_sqlite_tool_reads_the_view(store):
    run_id = add_run(store, FACTS | {"head": HEAD_FACTS})
    connection = sqlite3.connect(f"file:{store.workspace.database}?mode=ro", uri=True)
    cursor = connection.execute("SELECT * FROM experiments WHERE final_accuracy_holdout = 0.5")
    names = [column[0] for column in cursor.description]
    (values,) = cursor.fetchall()
    connection.close()
    assert [*names, "task"] == list(COLUMNS)
    row = dict(zip(names, values, strict=True))
    assert (row["model_id"], json.loads(row["class_counts"])) == (run_id, COUNTS)


def test_a_flat_row_has_parts_as_json(store):
    add_run(store, FACTS)
    (row,) = map(flatten, store.experiments())
    assert json.loads(row["class_counts"]) == COUNTS
    assert list(row) == list(COLUMNS)


def test_a_figure_that_is_no_number_hides_no_other_run(store):
    add_run(store, {"loss": float("nan")})
    whole = add_run(store, FACTS)
    rows = {row.model_id: row.device for row in store.experiments()}
    assert rows.pop(whole) == "CPU"
    assert list(rows.values()) == [None]
