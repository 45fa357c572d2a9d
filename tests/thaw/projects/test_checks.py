"""Rows of a project, checked before any is written."""

import json

import pytest

from tests.support.boxes.annotations import write_coco
from thaw.datasets.ingest import ingest
from thaw.projects.checks import check_rows
from thaw.sources.sources import Source
from thaw.storage.boxes import BOXES, REJECTED_BOXES
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import RunError


@pytest.mark.usefixtures("warm_decoder")
def test_boxes_go_out_with_a_project_and_come_in_again(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    folder = write_coco(tmp_path / "orchard")
    (folder / "b.jpg").unlink()
    dataset_id = ingest(store, Source("folder", folder, "here"), "Orchard")
    (image,) = [image for image in store.every_image(dataset_id) if image.name == "a.jpg"]
    store.set_boxes(dataset_id, image.id, [], store.boxes_on(dataset_id, image.id))
    dumped = store.dump_dataset(dataset_id)
    assert {row["field"] for row in dumped["marks"]} == {BOXES, REJECTED_BOXES}
    for table in ("marks", "changes", "edits"):
        check_rows(table, json.loads(json.dumps(dumped[table])))


@pytest.mark.parametrize("field", [BOXES, REJECTED_BOXES])
@pytest.mark.parametrize("text", ["x", "7", '[["apple", 0, 0, 2, 1]]', "[" * 100_000])
def test_boxes_that_no_photo_can_have_are_refused(field, text):
    with pytest.raises(RunError, match="boxes that no photo can have"):
        check_rows("marks", [{"field": field, "subject": "img-1", "value": text}])
    for before, after in ((None, text), (text, None)):
        change = {"edit": 1, "field": field, "subject": "img-1", "before": before, "after": after}
        with pytest.raises(RunError, match="boxes that no photo can have"):
            check_rows("changes", [change])
