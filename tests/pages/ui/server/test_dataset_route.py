"""The route that hands a data set on, and the panel that leads to it: who may ask, what comes, and how large."""

import csv
import io
import zipfile

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.server.dataset_route import TABLE, ZIP, Wish, dataset_url
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from tests.support.keepings import add_dataset, add_run
from tests.support.pages import BOLD, TAG, toggles, unfold_panel, visit, words
from tests.support.pages import add_dataset as add_hostile
from tests.support.pages import store as store
from thaw.datasets import edits
from thaw.datasets.division import SplitChoice
from thaw.disk import trash

PLAIN = Wish(ZIP, SplitChoice(), with_excluded=False)


@pytest.fixture
def client(store):
    return TestClient(Starlette(routes=ROUTES, exception_handlers={UploadRefused: refuse}))


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_the_zip_comes_with_its_size_and_is_kept_nowhere(store, client):
    dataset_id = add_dataset(store, "Häuser/../x")
    before = sorted(store.workspace.root.rglob("*"))
    answer = client.get(dataset_url(dataset_id, PLAIN))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "no-store" in answer.headers["cache-control"]
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''H%C3%A4user_.._x.zip")
    assert len(names(answer.content)) == 8
    assert [path for path in sorted(store.workspace.root.rglob("*")) if path not in before] == []


def test_the_labels_come_alone_where_they_are_asked_for(store, client):
    dataset_id = add_dataset(store)
    edits.exclude_images(store, dataset_id, [store.images(dataset_id)[0].id])
    for with_excluded, count in ((False, 5), (True, 6)):
        answer = client.get(dataset_url(dataset_id, Wish(TABLE, SplitChoice(), with_excluded)))
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert len(rows) == count
        assert rows[-1]["path"] == "dog/5.jpg"


def test_the_split_asked_for_is_the_split_that_comes(store, client):
    dataset_id = add_dataset(store)
    run_id = add_run(store, dataset_id)
    for division in (SplitChoice(run_id), SplitChoice(share=0.34, seed=3)):
        found = names(client.get(dataset_url(dataset_id, Wish(ZIP, division, False))).content)
        assert {name.split("/")[0] for name in found} == {"README.txt", "labels.csv", "train", "validation"}


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        (("token=", "token=x"), {}, 403),
        (("token=", "t="), {}, 403),
        (("", ""), {"sec-fetch-site": "cross-site"}, 403),
        (("", ""), {"sec-fetch-site": "same-site"}, 403),
        (("", ""), {"sec-fetch-site": "same-origin"}, 200),
        (("as=zip", "as=exe"), {}, 404),
        (("dataset/data-", "dataset/xata-"), {}, 404),
        (("as=zip", "as=zip&split=run-0123456789ab"), {}, 409),
        (("as=zip", "as=zip&split=2"), {}, 409),
        (("seed=", "seed=99999999999999999999999&x="), {}, 200),
        (("seed=", "later=x&seed=-1&x="), {}, 200),
    ],
)
def test_only_the_pages_own_wishes_are_heard(store, client, change, headers, status):
    dataset_id = add_dataset(store)
    answer = client.get(dataset_url(dataset_id, PLAIN).replace(*change, 1), headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]


def test_a_data_set_that_was_deleted_is_not_sent(store, client):
    dataset_id = add_dataset(store)
    trash.delete(store, dataset_id)
    answer = client.get(dataset_url(dataset_id, PLAIN))
    assert answer.status_code == 409
    assert "id of a data set" in answer.json()["error"]


def test_the_panel_tells_the_size_that_comes_and_follows_the_choices(store, client):
    dataset_id = add_hostile(store)[0].folder
    edits.exclude_images(store, dataset_id, [store.images(dataset_id)[0].id])
    page = unfold_panel(visit("data"), f"taking {dataset_id}")
    assert not page.exception
    (link,) = page.get("link_button")
    assert link.proto.label == "Download 19 pictures (under 1 MB)"
    assert len(names(client.get(link.proto.url).content)) == 21
    toggles(page)[0].set_value(True).run()
    page.selectbox(key=f"division of {dataset_id} 0").select("anew").run()
    (link,) = page.get("link_button")
    assert link.proto.label == "Download 20 pictures (under 1 MB)"
    found = names(client.get(link.proto.url).content)
    assert {name.split("/")[0] for name in found} == {"README.txt", "labels.csv", "train", "validation", "excluded"}
    assert not {TAG, BOLD} & {part for name in found for part in name.split("/")}


def test_what_cannot_be_divided_is_told_on_the_panel(store):
    dataset_id = add_dataset(store)
    for image in store.images(dataset_id, "cat"):
        edits.exclude_images(store, dataset_id, [image.id])
    page = unfold_panel(visit("data"), f"taking {dataset_id}")
    page.selectbox(key=f"division of {dataset_id} 0").select("anew").run()
    assert "Expected" in page.warning[-1].value
    assert not page.get("link_button")
    assert "Traceback" not in words(page)
