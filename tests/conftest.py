"""What many tests share: one workspace and one tiny data set in it, made by the real import."""

import functools
import gc
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.campaigns.tally import Tally
from tests.support.pictures.corpus import photo
from tests.support.server import file_server as file_server
from tests.support.tiers import is_long, is_quick
from tests.support.warm_decoder import warm_child as warm_child
from tests.support.warm_decoder import warm_decoder as warm_decoder
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Paths that tests type into the page lie here, not in the home folder.
# What Thaw does unasked would take the processor from the tests; those of it switch it on.
os.environ.setdefault("THAW_UNASKED", "off")
os.environ.setdefault("THAW_ROOTS", tempfile.gettempdir())
# Each process that a test starts would compile what it loads anew: a tenth of a second or two for each of some hundred.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Tracing a network makes many objects that stay: looking through them took a tenth of the time of training one.
gc.set_threshold(100_000, 20, 100)

COLOURS = {"berry": (170, 40, 60), "leaf": (50, 150, 60), "sky": (60, 110, 190)}
PLAIN, PUZZLING = 4, 4
# A machine that is slow, and busy with other tests, gets so many times as long for what must come.
PATIENCE = 4
PAGE_DRAWN_WITHIN_S = 180
# Begun first where two files are run at a time: a long file begun last would be waited for alone.
LONGEST = (
    *("tlcore/models/test_classifier.py", "thaw/exporting/test_exporter.py"),
    *("thaw/training/test_phases.py", "thaw/training/test_recovery.py", "thaw/tuning/test_depth_probe.py"),
    *("campaigns/test_resume_campaign.py", "campaigns/test_retraining_kills.py", "campaigns/test_export_kills.py"),
    *("tlcore/test_environment.py", "thaw/cli/test_runs.py", "thaw/datasets/test_label_errors.py"),
)


def pytest_ignore_collect(collection_path, config):
    """Leave out what the quick tier does not run before it is imported: Keras alone takes seconds to load."""
    if config.option.markexpr == "quick" and collection_path.match("test_*.py") and not is_quick(collection_path):
        return True
    return None


def pytest_collection_modifyitems(items, config):
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))
    quick = "quick" in config.option.markexpr
    for item in items:
        if item.get_closest_marker("slow"):
            continue
        if is_long(item.nodeid.removeprefix("tests/")):
            item.add_marker(pytest.mark.long)
        elif quick and is_quick(item.path):
            item.add_marker(pytest.mark.quick)


def pytest_collection_finish():
    """Look through the installed packages for Streamlit's components once, and not for every page that is opened; give
    each page longer than Streamlit's three seconds, which a busy machine may take for its imports alone."""
    if "streamlit.testing.v1" in sys.modules:
        scanner = importlib.import_module("streamlit.components.v2.manifest_scanner")
        scanner.scan_component_manifests = functools.cache(scanner.scan_component_manifests)
        page = importlib.import_module("streamlit.testing.v1.app_test").AppTest
        begin = page.__init__

        def begin_patiently(self, *given, default_timeout, **more):
            begin(self, *given, default_timeout=max(default_timeout, PAGE_DRAWN_WITHIN_S), **more)

        page.__init__ = begin_patiently


def pytest_terminal_summary(terminalreporter):
    """Print the count of every campaign that was run, and every figure that was measured."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    told = {each for report in reports for each in getattr(report, "user_properties", ())}
    for kind, title in (("campaign", "campaigns"), ("figure", "figures")):
        lines = sorted(value for name, value in told if name == kind)
        if lines:
            terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def campaign(request):
    """Return a function that opens the count of a campaign; at the end of the test it is printed, and nothing may be
    lost."""
    tallies = []

    def begin(of):
        tallies.append(Tally(of))
        return tallies[-1]

    yield begin
    for tally in tallies:
        request.node.user_properties.append(("campaign", str(tally)))
    assert [lost for tally in tallies for lost in tally.lost] == []


@pytest.fixture(scope="module", autouse=True)
def few_objects_to_look_through():
    """Collect what a module's networks left behind, and leave all else out of later collections, which took longer and
    longer."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    return open_workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="session")
def store(workspace):
    return Store(workspace)


@pytest.fixture(scope="session")
def tiny_photos(tmp_path_factory) -> Path:
    """Three classes of eight 48-pixel PNGs: four of the class's colour, and four that could be anything, so that
    every model makes mistakes."""
    folder = tmp_path_factory.mktemp("tiny-photos")
    for number, (label, colour) in enumerate(COLOURS.items()):
        (folder / label).mkdir()
        for index in range(PLAIN):
            scene = photo(1000 + 10 * number + index, 48, 48)
            Image.blend(scene, Image.new("RGB", scene.size, colour), 0.5).save(folder / label / f"{index}.png")
        for index in range(PUZZLING):
            photo(2000 + 10 * number + index, 48, 48).save(folder / label / f"odd-{index}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_dataset(store, tiny_photos) -> str:
    """Import the tiny photos; return the data set's id."""
    job_id = store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": "Tiny photos"})
    work(store, job_id)
    dataset_id = store.job(job_id).dataset_id
    assert dataset_id, store.job(job_id).error
    return dataset_id


@pytest.fixture(scope="session")
def wait_for():
    """Return a function that waits until a condition holds, and fails when it does not in time: `limit_s` is more than
    enough for a machine at rest."""

    def wait(condition, limit_s=60.0, what="the condition"):
        deadline = time.monotonic() + PATIENCE * limit_s
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come within {PATIENCE * limit_s} s"
            time.sleep(0.02)

    return wait
