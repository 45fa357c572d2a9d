"""The job that sorts a pile: from a flat folder to groups, with the real backbone."""

import numpy as np
import pytest

from tests.support.pictures.corpus import jpeg
from thaw.jobs import lifecycle
from thaw.labelling.pile import look_at, read_sorting
from thaw.labelling.sorter import latest_sorting, start_sorting
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.errors import BackboneError

PHOTOS = 14


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    """Return a store that starts no process: the test does the work itself."""
    monkeypatch.setattr(lifecycle, "launch", lambda *_: None)
    return Store(open_workspace(tmp_path / "workspace"))


def bring(store, folder, first=0, **request):
    folder.mkdir()
    for number in range(first, first + PHOTOS):
        (folder / f"IMG_{number}.jpg").write_bytes(jpeg(number))
    job_id = store.add_job("import", {"kind": "folder", "path": str(folder), "name": "Pile"} | request)
    work(store, job_id)
    return store.job(job_id).dataset_id


def test_a_flat_folder_is_sorted_and_what_is_added_later_too(own_store, tmp_path):
    store = own_store
    dataset_id = bring(store, tmp_path / "flat")
    assert (store.dataset(dataset_id).pile, store.dataset(dataset_id).classes) == (PHOTOS, {})
    assert latest_sorting(store, dataset_id) is None
    job_id = start_sorting(store, dataset_id, "efficientnet-lite0")
    assert start_sorting(store, dataset_id, "efficientnet-lite0") == job_id, "one goes on already"
    work(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error
    found = read_sorting(store, dataset_id)
    assert (found.key, len(found.ids)) == (job_id, PHOTOS)
    assert np.linalg.norm(found.directions, axis=1) == pytest.approx(1, abs=1e-5)
    assert look_at(store, dataset_id, found).unseen == 0
    bring(store, tmp_path / "more", first=500, dataset=dataset_id)
    assert look_at(store, dataset_id, found).unseen == PHOTOS
    again = start_sorting(store, dataset_id, "efficientnet-lite0")
    work(store, again)
    assert look_at(store, dataset_id, read_sorting(store, dataset_id)).unseen == 0
    assert latest_sorting(store, dataset_id).id == again


def test_what_cannot_be_sorted_is_told(own_store, tiny_photos):
    store = own_store
    job_id = store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": "Sorted"})
    work(store, job_id)
    dataset_id = store.job(job_id).dataset_id
    with pytest.raises(BackboneError, match="nothing"):
        start_sorting(store, dataset_id, "nothing")
    work(store, start_sorting(store, dataset_id, "efficientnet-lite0"))
    job = latest_sorting(store, dataset_id)
    assert job.status == "failed"
    assert "Received: none, all have one." in job.error
