"""What the server loads and reads while it starts, and that a page which comes after finds it held."""

import subprocess
import sys
from pathlib import Path

import pytest

from pages.ui import warm_up
from pages.ui.data import browse, findings, split_choice
from pages.ui.mistakes import map_points
from pages.ui.page import image_cache, prediction_cache, shell
from tests.support.judged_runs import DATASET, add, run_of
from tests.support.judged_runs import store as store
from tests.support.maps import make_map
from thaw.runs import results
from thaw.runs.results import predictions_file
from thaw.storage.store import Store
from tlcore.models.backbones import BACKBONES
from tlcore.settings import HeadSettings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run_id(store):
    add(store)
    return run_of(store, HeadSettings(validation_split=0.5), {"validation": 3})


def test_what_the_pages_hold_is_not_read_again(store, run_id, monkeypatch):
    make_map(store, run_id)
    warm_up.start(store).join()
    dataset, run = store.dataset(DATASET), store.run(run_id)

    def refuse(*_, **__):
        raise AssertionError("read again")

    monkeypatch.setattr(Store, "images", refuse)
    monkeypatch.setattr(results, "read_predictions", refuse)
    monkeypatch.setattr(map_points, "read_split", refuse)
    monkeypatch.setattr(split_choice, "choose_split", refuse)
    monkeypatch.setattr(findings, "examine", refuse)
    assert len(image_cache.images(store, dataset)) == 40
    browse.prepare(store, dataset)
    assert split_choice.count_sides(store, dataset)["rose"].training == 16
    assert split_choice.image_size(store, dataset, BACKBONES["efficientnet-lite0"])
    assert split_choice.count_dated(store, dataset) == 0
    assert findings.count(store, dataset) >= 0
    assert prediction_cache.accuracy(store, run).value == pytest.approx(
        prediction_cache.predictions(store, run).accuracy
    )
    assert len(map_points.read_points(store, run).images) == 40


def test_points_of_a_map_are_the_images_that_are_held_already(store, run_id):
    make_map(store, run_id)
    held = {id(image) for image in image_cache.images(store, store.dataset(DATASET))}
    assert {id(image) for image in map_points.read_points(store, store.run(run_id)).images} <= held


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no archive at all"])
def test_a_run_that_cannot_be_read_is_left_to_its_page(store, run_id, content):
    whole = run_of(store, HeadSettings(validation_split=0.5), {"validation": 2})
    (store.workspace.run(run_id) / predictions_file(1, "validation")).write_bytes(content)
    warm_up.read(store)
    assert prediction_cache.predictions(store, store.run(whole)).accuracy < 1


def test_an_empty_workspace_is_no_trouble(store):
    warm_up.read(store)


def test_every_module_of_the_pages_is_loaded_and_none_is_run_as_a_page():
    program = (
        "import sys, pathlib; from pages.ui import warm_up; warm_up.load();"
        "names = ['.'.join(p.with_suffix('').parts) for p in pathlib.Path('pages/ui').rglob('*.py')];"
        "names = [name.removesuffix('.__init__') for name in names];"
        "assert len(names) > 50;"
        "print(sorted(name for name in names if name not in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['pages.ui.navigation']"


def test_streamlit_has_every_widget_that_is_loaded_ahead():
    found = shell.find_modules()
    assert [Path(url).name.partition(".")[0] for url in found] == list(shell.WIDGETS)
    assert all(url.startswith("/static/js/") and url.endswith(".js") for url in found)
