"""What the server loads and reads while it starts, and that a page which comes after finds it held."""

import subprocess
import sys
from pathlib import Path

import pytest

from pages.ui import contents, findings, judged, load_ahead, map_points, partition, read_ahead
from tests.test_evaluation_sets import DATASET, add, run_of
from tests.test_evaluation_sets import store as store
from tests.test_map_page import make_map
from tlcore import evaluation
from tlcore.backbones import BACKBONES
from tlcore.evaluation import predictions_file
from tlcore.settings import HeadSettings
from tlcore.store import Store

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run_id(store):
    add(store)
    return run_of(store, HeadSettings(validation_split=0.5), {"validation": 3})


def test_what_the_pages_hold_is_not_read_again(store, run_id, monkeypatch):
    make_map(store, run_id)
    read_ahead.start(store).join()
    dataset, run = store.dataset(DATASET), store.run(run_id)

    def refuse(*_, **__):
        raise AssertionError("read again")

    monkeypatch.setattr(Store, "images", refuse)
    monkeypatch.setattr(evaluation, "read_predictions", refuse)
    monkeypatch.setattr(map_points, "read_split", refuse)
    monkeypatch.setattr(partition, "choose_split", refuse)
    monkeypatch.setattr(findings, "examine", refuse)
    assert len(contents.images(store, dataset)) == 40
    assert partition.count_sides(store, dataset)["rose"].training == 16
    assert partition.image_size(store, dataset, BACKBONES["efficientnet-lite0"].input_size)
    assert partition.count_dated(store, dataset) == 0
    assert findings.count(store, dataset) >= 0
    assert judged.accuracy(store, run).value == pytest.approx(judged.predictions(store, run).accuracy)
    assert len(map_points.read_points(store, run).images) == 40


def test_points_of_a_map_are_the_images_that_are_held_already(store, run_id):
    make_map(store, run_id)
    held = {id(image) for image in contents.images(store, store.dataset(DATASET))}
    assert {id(image) for image in map_points.read_points(store, store.run(run_id)).images} <= held


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no archive at all"])
def test_a_run_that_cannot_be_read_is_left_to_its_page(store, run_id, content):
    whole = run_of(store, HeadSettings(validation_split=0.5), {"validation": 2})
    (store.workspace.run(run_id) / predictions_file(1, "validation")).write_bytes(content)
    read_ahead.read(store)
    assert judged.predictions(store, store.run(whole)).accuracy < 1


def test_an_empty_workspace_is_no_trouble(store):
    read_ahead.read(store)


def test_every_module_of_the_pages_is_loaded_and_none_is_run_as_a_page():
    program = (
        "import sys, pathlib; from pages.ui import read_ahead; read_ahead.load();"
        "names = ['.'.join(p.with_suffix('').parts) for p in pathlib.Path('pages/ui').rglob('*.py')];"
        "names = [name.removesuffix('.__init__') for name in names];"
        "assert len(names) > 50;"
        "print(sorted(name for name in names if name not in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['pages.ui.navigation']"


def test_streamlit_has_every_widget_that_is_loaded_ahead():
    found = load_ahead.find_modules()
    assert [Path(url).name.partition(".")[0] for url in found] == list(load_ahead.WIDGETS)
    assert all(url.startswith("/static/js/") and url.endswith(".js") for url in found)
