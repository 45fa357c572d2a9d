"""Bytes on the disk: each counted once, asked again only after a change, and free of what is in the trash."""

import pytest

from tests.support.keepings import add_dataset, furnish
from thaw.disk import trash
from thaw.disk import usage as disk_usage
from thaw.disk.holdings import find_holding, list_holdings
from thaw.disk.usage import freed_bytes, is_measured, measure_usage, own_bytes

LARGE = 300_000


@pytest.fixture
def furnished(tmp_path):
    return furnish(tmp_path / "workspace")


def test_sizes_are_told_apart_and_each_byte_is_counted_once(furnished):
    store, dataset_id, runs = furnished
    (store.workspace.run(runs[0]) / "tuned.npz").write_bytes(b"w" * LARGE)
    (store.workspace.run(runs[0]) / "export" / "model.onnx").write_bytes(b"e" * 2 * LARGE)
    store.workspace.project(dataset_id).write_bytes(b"p" * 4 * LARGE)
    sizes = {each.id: own_bytes(store.workspace, each) for each in list_holdings(store)}
    assert LARGE <= sizes[runs[0]] < 1.2 * LARGE
    assert 2 * LARGE <= sizes[f"{runs[0]}/export"] < 2.2 * LARGE
    assert 4 * LARGE <= sizes[f"projects/{dataset_id}.zip"] < 4.1 * LARGE
    assert 0 < sizes[dataset_id] < LARGE
    usage = measure_usage(store.workspace, [(each, sizes[each.id]) for each in list_holdings(store)])
    assert usage.thaw == sum(sizes.values()) + usage.by_kind["records"]
    assert usage.by_kind["run"] == sizes[runs[0]] + sizes[runs[1]]
    assert 0 < usage.free < usage.total
    freed = freed_bytes(store.workspace, find_holding(store, dataset_id))
    of_it = (dataset_id, *runs, *(f"{run}/export" for run in runs))
    assert freed == sum(sizes[each] for each in (*of_it, f"projects/{dataset_id}.zip", f"projects/{runs[0]}.zip"))


def test_what_is_in_the_trash_counts_there(furnished):
    store, dataset_id, _ = furnished
    freed = freed_bytes(store.workspace, find_holding(store, dataset_id))
    trash.delete(store, dataset_id)
    usage = measure_usage(store.workspace, [(each, own_bytes(store.workspace, each)) for each in list_holdings(store)])
    assert usage.by_kind["trash"] == freed
    assert not {"dataset", "run", "export", "project"} & set(usage.by_kind)


def test_photos_in_a_shared_folder_are_counted_for_their_own_data_set(furnished):
    store, dataset_id, _ = furnished
    alone = own_bytes(store.workspace, find_holding(store, dataset_id))
    second = add_dataset(store, "Second", folder=dataset_id, seed=50)
    sizes = [own_bytes(store.workspace, find_holding(store, each)) for each in (dataset_id, second)]
    assert sizes[0] == pytest.approx(alone, rel=0.2)
    assert all(sizes)


def test_a_large_folder_is_asked_again_only_after_a_change(furnished, monkeypatch):
    store, dataset_id, _ = furnished
    holding = find_holding(store, dataset_id)
    assert not is_measured(store.workspace, holding)
    first = own_bytes(store.workspace, holding)
    assert is_measured(store.workspace, holding)
    asked = []
    monkeypatch.setattr(disk_usage.os, "scandir", lambda path: asked.append(path) or pytest.fail("asked again"))
    assert own_bytes(store.workspace, holding) == first
    monkeypatch.undo()
    (store.workspace.dataset(dataset_id) / "images" / "new.jpg").write_bytes(b"x" * LARGE)
    assert not is_measured(store.workspace, holding)
    assert own_bytes(store.workspace, holding) >= first + LARGE
