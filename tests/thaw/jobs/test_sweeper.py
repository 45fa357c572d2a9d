"""What killed processes leave is swept, what living ones hold is not, and every temporary name is known to that."""

import ast
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.pictures.corpus import write_classes
from thaw.datasets.ingest import ingest
from thaw.jobs import lifecycle
from thaw.jobs.sweeper import sweep
from thaw.sources.sources import Source
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore import files
from tlcore.files import PART, SCRATCH, replacing, scratch_folder, temporary_beside
from tlcore.processes import mark

pytestmark = pytest.mark.usefixtures("warm_decoder")

ROOT = Path(__file__).parents[3]
DEAD = f"{2**22 - 1}-12345"
RUN, DATA, CACHE, PROJECTS, TOP = "runs/run-1", "datasets/data-1", "features/abc", "projects", "."
RUNTIMES = "runtimes"
OUTSIDE = "a folder that the person named"
# Where every file lies that is written under a temporary name: module, function and what it is given.
REPLACED = {
    ("tlcore.files", "replacing", "file"): RUN,
    ("tlcore.features.cache", "write_atomically", "self.folder / 'facts.json'"): CACHE,
    ("tlcore.features.cache", "write_atomically", "self.folder / 'identity.json'"): CACHE,
    ("thaw.storage.database", "replacing", "workspace.database"): TOP,
    ("thaw.backbones.device_report", "write_atomically", "_report_path(workspace)"): TOP,
    ("thaw.tracking.tensorboard", "write_atomically", "path"): OUTSIDE,
    ("thaw.cli.exports", "replacing", "target"): OUTSIDE,
    # These lie in the folder of an export that grows, which has a temporary name of its own.
    ("thaw.exporting.guide", "write_atomically", "folder / README_FILE"): RUN,
    ("thaw.exporting.web_runtime", "replacing", "path"): RUNTIMES,
    ("tlcore.exporting.web.page", "write_atomically", "folder / PAGE_FILE"): RUN,
    ("tlcore.exporting.web.page", "write_atomically", "folder / CARD_FILE"): RUN,
    ("tlcore.exporting.web.page", "write_atomically", "folder / name"): RUN,
    ("thaw.storage.export_record", "write_atomically", "folder / RECORD_FILE"): RUN,
    ("thaw.summaries.summary", "write_atomically", "folder / DETAILS_FILE"): "datasets/data-0123456789ab",
    ("thaw.summaries.summary", "write_atomically", "folder / SUMMARY_FILE"): "datasets/data-0123456789ab",
    ("thaw.labelling.pile", "replacing", "store.workspace.dataset(dataset_id) / FILE"): "datasets/data-0123456789ab",
    ("thaw.datasets.boxes_zip", "replacing", "target"): OUTSIDE,
    ("thaw.datasets.zip_file", "replacing", "target"): OUTSIDE,
    ("thaw.datasets.zip_file", "write_atomically", "target"): OUTSIDE,
    ("thaw.exporting.guide", "write_atomically", "folder / name"): RUN,
    ("thaw.exporting.exporter", "write_atomically", "folder / LABELS_FILE"): RUN,
    ("thaw.exporting.exporter", "write_atomically", "folder / SUMS_FILE"): RUN,
    ("thaw.exporting.exporter", "temporary_beside", "export_folder(workspace, run.id)"): RUN,
    ("tlcore.files", "temporary_beside", "path"): TOP,
    ("tlcore.files", "replacing", "path"): TOP,
    ("thaw.storage.identity", "write_atomically", "workspace.identity"): TOP,
    ("thaw.training.lineage", "write_atomically", "folder / LAYERS_FILE"): RUN,
    ("thaw.backbones.loading", "write_atomically", "path"): "features",
    ("tlcore.engines.runtime", "write_atomically", "folder / RECORD"): CACHE,
    ("tlcore.engines.runtime", "write_atomically", "folder / NETWORK"): CACHE,
    ("thaw.model_card.model_card", "write_atomically", "folder / name"): OUTSIDE,
    ("thaw.serving.exported", "temporary_beside", "target"): OUTSIDE,
    ("thaw.serving.exported", "write_atomically", "folder / CONFIG_FILE"): OUTSIDE,
    ("thaw.retraining.numpy_keeper", "save_arrays", "self._path"): RUN,
    ("thaw.tuning.probe_record", "write_atomically", "folder / PROBE_FILE"): RUN,
    ("thaw.tuning.search_record", "write_atomically", "folder / SEARCH_FILE"): "datasets/data-0123456789ab",
    ("thaw.projects.save", "replacing", "target"): PROJECTS,
    ("thaw.training.feature_map", "replacing", "store.workspace.run(run.id) / MAP_FILE"): RUN,
    ("thaw.tuning.rate_curve", "write_atomically", "folder / curve_file(curve.phase)"): RUN,
    ("thaw.retraining.retrain", "save_arrays", "folder / 'head.npz'"): RUN,
    ("thaw.retraining.retrain", "save_arrays", "folder / predictions_file(1, side)"): RUN,
    ("thaw.storage.run_record", "write_atomically", "workspace.record(run_id)"): RUN,
    ("thaw.datasets.run_split", "write_atomically", "folder / LABELS_FILE"): RUN,
    ("thaw.datasets.run_split", "write_atomically", "folder / SPLIT_FILE"): RUN,
    ("tlcore.training.snapshots", "save_arrays", "path"): RUN,
    ("thaw.backbones.speeds", "write_atomically", "_speeds_path(workspace)"): TOP,
    ("thaw.backbones.speeds", "write_atomically", "_measuring_path(workspace)"): TOP,
    ("thaw.training.run", "save_arrays", "folder / 'head.npz'"): RUN,
    ("thaw.detection.train", "save_arrays", "folder / 'head.npz'"): RUN,
    ("thaw.detection.train", "save_arrays", "folder / 'tuned.npz'"): RUN,
    ("thaw.detection.train", "write_atomically", "folder / LAYERS_FILE"): RUN,
    ("thaw.detection.found", "save_arrays", "store.workspace.run(run_id) / found_file(phase, side)"): RUN,
    ("thaw.detection.boxed_split", "write_atomically", "store.workspace.run(run_id) / BOXES_FILE"): RUN,
    ("thaw.training.run", "save_arrays", "folder / 'tuned.npz'"): RUN,
    ("thaw.training.run", "save_arrays", "folder / predictions_file(phase, name)"): RUN,
    ("thaw.backbones.known_weights", "write_atomically", "_adoption_path(workspace)"): TOP,
    ("thaw.backbones.known_weights", "write_atomically", "workspace.root / KNOWN_FILE"): TOP,
    ("thaw.backbones.weights", "replacing", "target"): "keras",
    ("tlcore.models.weights", "replacing", "path"): "keras",
}
# What each folder of the staging area is called.
STAGED = {
    ("pages.ui.server.upload", "staging", "ticket.upload_id"): "upload-0123456789ab",
    ("pages.ui.server.upload", "staging", "upload_id"): "upload-0123456789ab",
    ("thaw.datasets.ingest", "staging", "dataset_id"): "data-0123456789ab",
    ("thaw.jobs.sweeper", "staging", "folder_id"): "data-0123456789ab",
    ("thaw.storage.export_record", "staging", "f'{WORK_PREFIX}{job_id}'"): "export-job-0123456789ab",
    ("thaw.datasets.importer", "staging", "f'{SAMPLE_PREFIX}{reporter.job_id}'"): "sample-job-0123456789ab",
}
# Renamed within a folder that is swept whole, or no temporary name at all.
HARMLESS = {
    # In a scratch folder, which goes whole.
    ("tlcore.files", "mkdtemp", ""),
    ("thaw.pictures.copies", "with_name", "path_without_suffix.name + suffix"),
    ("thaw.datasets.ingest", "with_name", "job.target.name + suffix"),
    ("thaw.decoding.reader", "with_name", "job.target.name + outcome.suffix"),
    ("thaw.decoding.many", "with_name", "job.target.name + outcome.suffix"),
    ("thaw.decoding.many", "with_name", "f'{path.name}-copy'"),
    ("thaw.decoding.many", "with_name", "f'{path.name}-thumbnail.jpg'"),
    # In the data set's folder, which goes whole until the import is done.
    ("thaw.decoding.many", "with_name", "job.target.name + answer.outcome.suffix"),
    ("pages.ui.navigation", "with_name", "'icon.svg'"),
    # Kept on purpose: the next download goes on from it.
    ("thaw.storage.downloads", "with_name", "f'{path.name}.part'"),
    # `tlcore.files` itself, and the name of an export that is replaced, which has a test below.
    ("tlcore.files", "with_name", "f'.{path.name}.{mark()}.part{path.suffix}'"),
    ("tlcore.files", "TemporaryDirectory", ""),
    ("thaw.storage.export_record", "with_name", "OLD_FOLDER"),
    # In the folders of an export that is being made, which go whole.
    ("tlcore.exporting.bench", "with_name", "f'.{uuid.uuid4().hex}.npz'"),
    ("tlcore.exporting.model", "TemporaryDirectory", ""),
    ("tlcore.exporting.converters", "TemporaryDirectory", ""),
    # Of the library, which writes where its caller says and knows no workspace.
    ("tlcore.exporting.export", "TemporaryDirectory", ""),
    ("thaw.pictures.copies", "with_name", "copy.name + suffix"),
    ("tlcore.images.pixels", "with_name", "copy.name + suffix"),
    ("thaw.exporting.guide", "with_name", "name"),
    ("tlcore.exporting.web.page", "with_name", "name"),
    ("tlcore.exporting.converters", "with_name", "FORMATS['litert'].file"),
}
WRITERS = {"replacing", "write_atomically", "save_arrays", "temporary_beside"}
NAMERS = {"staging", "with_name", "mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile"}


def calls(names):
    """Return module, function and first argument of every call of these functions."""
    found = set()
    for path in [
        *(ROOT / "tlcore").rglob("*.py"),
        *(ROOT / "thaw").rglob("*.py"),
        *(ROOT / "pages").rglob("*.py"),
        ROOT / "app.py",
    ]:
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in names:
                    found.add((dotted, name, ast.unparse(node.args[0]) if node.args else ""))
    return found


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return Store(open_workspace(tmp_path / "workspace"))


def place_of(store, place):
    return store.workspace.root.with_name("keras") / "models" if place == "keras" else store.workspace.root / place


def test_every_place_that_is_written_under_a_temporary_name_is_known():
    """Who writes a file or folder anew adds here where it lies, and to the sweeper if it never looked there."""
    assert calls(WRITERS) == set(REPLACED)
    assert calls(NAMERS) == set(STAGED) | HARMLESS


@pytest.mark.parametrize("place", sorted(set(REPLACED.values()) - {OUTSIDE}))
def test_a_part_of_a_dead_process_goes_wherever_one_can_be(store, place):
    folder = place_of(store, place)
    folder.mkdir(parents=True, exist_ok=True)
    left = [folder / f".snapshot-2.npz.{DEAD}.part.npz", folder / f".old.json.{2**22 - 1}.part.json"]
    held = folder / f".speed.json.{mark()}.part.json"
    theirs = folder / ".profile.part"
    for path in (*left, held, theirs):
        path.write_bytes(b"part")
    half = folder / f".export.{DEAD}.part"
    half.mkdir()
    (half / "model.onnx").write_bytes(b"part")
    sweep(store)
    assert not any(path.exists() for path in (*left, half))
    assert held.exists()
    assert theirs.exists()


def test_a_part_beside_a_file_that_lies_elsewhere_goes_when_that_is_written_again(tmp_path):
    left, other = (tmp_path / f".{name}.{DEAD}.part.zip" for name in ("model.zip", "other.zip"))
    for path in (left, other):
        path.write_bytes(b"part")
    with replacing(tmp_path / "model.zip") as temporary:
        temporary.write_bytes(b"whole")
    assert not left.exists()
    assert other.exists()


def test_names_are_read_as_they_are_made(tmp_path):
    for name in ("speed.json", "a.tar.gz", "no-suffix", ".hidden", "x.part.npz", "b.1234-5.part.json"):
        made = PART.fullmatch(temporary_beside(tmp_path / name).name)
        assert (made["name"], f"{made['pid']}-{made['started']}") == (name, mark())
    with scratch_folder("convert", tmp_path) as folder:
        assert SCRATCH.fullmatch(folder.name)["purpose"] == "convert"


@pytest.mark.parametrize("purpose", ["convert", "predict", "opened", "serve", "predictor"])
def test_scratch_of_dead_processes_goes(store, purpose):
    for parent in (Path(tempfile.gettempdir()), store.workspace.root / "staging"):
        left, foreign = parent / f"thaw-{purpose}-{DEAD}-abc_12", parent / "thaw-of-someone-else"
        for folder in (left, foreign):
            folder.mkdir()
        with scratch_folder(purpose, parent) as held:
            sweep(store)
            assert held.exists()
        assert not left.exists()
        assert foreign.exists()


def test_the_number_of_a_process_that_came_round_again_does_not_hold_a_part(store):
    left = store.workspace.root / f".speed.json.{os.getpid()}-1.part.json"
    left.write_bytes(b"part")
    sweep(store)
    assert not left.exists()


@pytest.mark.parametrize("name", sorted({name for name in STAGED.values() if "-job-" in name}))
def test_what_a_job_staged_goes_with_it_and_not_before(store, name):
    job_id = store.add_job("import", {})
    prefix = name.partition("-")[0]
    held, left = store.workspace.staging(f"{prefix}-{job_id}"), store.workspace.staging(name)
    for folder in (held, left):
        folder.mkdir()
        (folder / "file").write_bytes(b"x")
    sweep(store)
    assert held.exists()
    assert not left.exists()
    store.update_job(job_id, status="finished")
    sweep(store)
    assert not held.exists()


def test_what_an_import_staged_goes_with_its_lock(store):
    folder = store.workspace.dataset("data-0123456789ab")
    staged = store.workspace.staging("data-0123456789ab")
    for path in (folder / "images", staged):
        path.mkdir(parents=True)
    (folder / "images" / "img-1.png").write_bytes(b"x")
    sweep(store)
    assert folder.exists(), "without the mark of an import that has not ended it may be someone's photos"
    assert not staged.exists()
    (folder / "unfinished").touch()
    sweep(store)
    assert not folder.exists()


def test_an_export_that_a_kill_caught_between_two_renames_comes_back(store):
    for run, names in (("run-1", [".export.old"]), ("run-2", [".export.old", "export"])):
        for name in names:
            (store.workspace.run(run) / name).mkdir(parents=True)
            (store.workspace.run(run) / name / "export.json").write_text(name)
    sweep(store)
    assert (store.workspace.run("run-1") / "export" / "export.json").read_text() == ".export.old"
    assert (store.workspace.run("run-2") / "export" / "export.json").read_text() == "export"
    assert not list(store.workspace.root.rglob(".export.old"))


def test_killed_savers_leave_nothing_after_a_sweep(store):
    code = f"""
from pathlib import Path
import numpy as np
from tlcore.files import save_arrays
from tlcore.files import scratch_folder
with scratch_folder("convert", Path({str(store.workspace.root / "staging")!r})):
    print("ready", flush=True)
    while True:
        save_arrays(Path({str(store.workspace.run("run-1"))!r}) / "snapshot-2.npz", {{"x": np.zeros(3_000_000)}})
"""
    left = 0
    for pause in (0.0, 0.05, 0.1, 0.15):
        saver = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert saver.stdout.readline() == "ready\n"
        time.sleep(0.3 + pause)
        saver.send_signal(signal.SIGKILL)
        saver.wait()
        saver.stdout.close()
        left += len(list(store.workspace.root.rglob(".*.part.npz")))
    assert left + len(list((store.workspace.root / "staging").iterdir())) >= 4
    sweep(store)
    assert {path.name for path in store.workspace.run("run-1").iterdir()} <= {"snapshot-2.npz"}
    assert list((store.workspace.root / "staging").iterdir()) == []


def test_a_kill_between_the_journal_and_the_commit_is_brought_to_an_end(store, tmp_path, monkeypatch):
    """The import was written down; its rows follow with the next sweep, and no folder is left that nothing names."""
    photos = write_classes(tmp_path / "photos", {"rose": 3, "tulip": 3})
    code = f"""
import os
from pathlib import Path
from thaw.storage.journal import rows
from thaw.datasets.ingest import ingest
from thaw.sources.sources import Source
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
rows._reach = lambda *_: os._exit(9)
ingest(Store(open_workspace({str(store.workspace.root)!r})), Source("folder", Path({str(photos)!r}), "p"), "Photos")
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9
    assert store.datasets() == []
    sweep(store)
    (dataset,) = store.datasets()
    assert dataset.classes == {"rose": 3, "tulip": 3}
    assert not store.survey().unknown
    assert not list(store.workspace.root.rglob("unfinished"))
    other = write_classes(tmp_path / "more", {"rose": 2}, seed=5000)
    ingest(store, Source("folder", other, "more"), "", into=dataset.id)
    assert store.dataset(dataset.id).classes == {"rose": 5, "tulip": 3}


@pytest.mark.parametrize("grows", [False, True])
def test_an_import_killed_before_the_commit_of_what_it_had_written_down_is_told_as_finished(store, tmp_path, grows):
    """Its death may be noticed before its rows follow: nobody is to read that nothing was kept."""
    request = {"kind": "folder", "path": str(write_classes(tmp_path / "photos", {"rose": 3})), "name": ""}
    if grows:
        earlier = write_classes(tmp_path / "earlier", {"rose": 2, "tulip": 2}, seed=5000)
        request |= {"dataset": ingest(store, Source("folder", earlier, "earlier"), "Photos")}
    job_id = store.add_job("import", request)
    code = f"""
import os
from thaw.storage.journal import rows
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
rows._reach = lambda *_: os._exit(9)
work(Store(open_workspace({str(store.workspace.root)!r})), {job_id!r})
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9
    lifecycle.reconcile(store)
    assert store.job(job_id).status == "failed"
    sweep(store)
    (dataset,) = store.datasets()
    assert dataset.classes["rose"] == 3 + 2 * grows
    job = store.job(job_id)
    assert (job.status, job.error, job.dataset_id) == ("finished", None, dataset.id)


def test_a_sweep_follows_no_link(store, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_bytes(b"mine")
    (store.workspace.root / "staging" / "sample-job-1").symlink_to(tmp_path / "mine")
    (store.workspace.root / f".x.{DEAD}.part").symlink_to(tmp_path / "mine")
    sweep(store)
    files.remove(store.workspace.root / f".x.{DEAD}.part")
    assert (tmp_path / "mine" / "photo.jpg").read_bytes() == b"mine"
