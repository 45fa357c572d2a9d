"""A database that is lost in every way there is: nothing is deleted, and all of it comes back from the folders."""

import contextlib
import json
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support.pictures.corpus import write_classes
from thaw.__main__ import main
from thaw.datasets import edits
from thaw.datasets.ingest import ingest
from thaw.errors import WorkspaceError
from thaw.jobs.reporter import reporting
from thaw.jobs.sweeper import sweep
from thaw.sources.sources import Source
from thaw.storage.journal.rebuild import rebuild, tell
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.errors import DatasetError
from tlcore.settings import HeadSettings
from tlcore.training.history import Epoch

pytestmark = pytest.mark.usefixtures("warm_decoder")

TABLES = ("datasets", "images", "set_aside", "marks", "checks", "runs", "epochs")


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 + 100])


def overwrite_photos(path: Path) -> None:
    """Damage the pages of one table alone, so that the database opens and other tables can be read."""
    content = path.read_bytes()
    at = content.find(b"[]data-")
    page = at // 4096 * 4096
    path.write_bytes(content[:page] + b"\x8f" * 4096 + content[page + 4096 :])


LOSSES = {
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": Path.unlink,
    "garbage": lambda path: path.write_bytes(b"\x8f" * 50_000),
    "truncated": truncate,
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "cut in the first page": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "middle overwritten": lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\x8f" * 200_000),
}


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """A workspace in which someone imported, added, edited, undid, checked and trained."""
    root = tmp_path_factory.mktemp("worked")
    store = Store(open_workspace(root / "workspace"))
    photos = write_classes(root / "photos", {"ant": 4, "bee": 3, "cat": 3})
    (photos / "ant" / "page.jpg").write_text("<html>404</html>")
    first = ingest(store, Source("folder", photos, str(photos)), "Bugs \u0160")
    other = ingest(store, Source("folder", write_classes(root / "b", {"x": 2, "y": 2}, seed=7000), "b"), "Other")
    more = write_classes(root / "more", {"ant": 2, "bee": 1}, seed=5000)
    ingest(store, Source("folder", more, str(more)), "", into=first)
    far = write_classes(root / "far", {"bee": 2}, seed=6000)
    ingest(store, Source("folder", far, str(far)), "", into=first, role="holdout")
    edits.rename_class(store, first, "cat", "kitten")
    images = store.images(first, "ant")
    edits.move_images(store, first, [images[0].id], "bee")
    edits.exclude_images(store, first, [images[1].id, images[2].id])
    edits.undo(store, first)
    edits.exclude_images(store, first, [images[2].id])
    edits.ignore_finding(store, first, "blur", [images[3].id])
    store.set_similar(first, {images[3].id: images[3].id, images[0].id: images[3].id})
    accuracy = {"mean": 0.5, "low": 0.4, "high": 0.6}
    store.add_check(first, "resnet50", 5, {"naive": accuracy, "grouped": accuracy, "images": 6, "groups": 0})
    run_id = store.add_run(first, "resnet50", HeadSettings(backbone="resnet50").to_json())
    with reporting(store, store.add_job("head", {}, first, run_id)):
        store.add_epochs(run_id, [Epoch(number, 1, 0.5, 0.8, 0.6, 0.7, 1.5) for number in (1, 2, 3)])
        store.drop_epochs(run_id, after=2)
        store.add_facts(run_id, {"head": {"accuracies": {"validation": 0.7}}, "device": "CPU"})
        (store.workspace.run(run_id) / "head.npz").write_bytes(b"weights")
        store.set_result(run_id, 1)
    second = store.add_run(other, "vgg16", HeadSettings(backbone="vgg16").to_json())
    with reporting(store, store.add_job("head", {}, other, second)):
        raise DatasetError("Expected more photos.")
    return store


@pytest.fixture
def store(worked, tmp_path):
    shutil.copytree(worked.workspace.root, tmp_path / "workspace")
    return Store(open_workspace(tmp_path / "workspace"))


def remembered(store):
    """Return all that the tables hold, but for numbers that are the database's own."""
    with contextlib.closing(sqlite3.connect(store.workspace.database)) as connection:
        connection.row_factory = sqlite3.Row
        rows = {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]
            for table in TABLES
        }
    for table in TABLES:
        if table != "datasets":
            rows[table].sort(key=lambda row: json.dumps(row, sort_keys=True))
    told = {
        dataset.id: [(edit.kind, edit.detail, edit.created_at, edit.undone_at) for edit in store.edits(dataset.id)]
        for dataset in store.datasets()
    }
    latest = [store.latest_job(run.id) for run in store.runs()]
    return rows, told, store.datasets(), [run.id for run in store.runs()], latest


def files_of(root):
    """Return the files that someone would miss, with their content."""
    places = ("datasets", "runs")
    return {path: path.read_bytes() for place in places for path in (root / place).rglob("*") if path.is_file()}


def lose(store, how):
    store.workspace.database.with_name("thaw.sqlite3-wal").unlink(missing_ok=True)
    LOSSES[how](store.workspace.database)


def test_damage_to_one_table_is_found_by_the_rebuilding(store):
    before = remembered(store)
    overwrite_photos(store.workspace.database)
    with pytest.raises(WorkspaceError, match="damaged") as refused:
        store.every_image(store.datasets()[0].id)
    assert refused.value.lost
    assert rebuild(store.workspace).set_aside is not None
    assert remembered(store) == before


@pytest.mark.parametrize("how", LOSSES)
def test_everything_comes_back_and_nothing_is_deleted_at_any_moment(store, how):
    before, kept = remembered(store), files_of(store.workspace.root)
    lose(store, how)
    lost = store.workspace.database.read_bytes() if store.workspace.database.exists() else b""
    for attempt in (lambda: Store(store.workspace), store.datasets, lambda: sweep(store)):
        with pytest.raises(WorkspaceError, match="rebuild") as refused:
            attempt()
        assert refused.value.lost
        assert "Traceback" not in str(refused.value)
    assert files_of(store.workspace.root) == kept
    rebuilt = rebuild(store.workspace)
    assert rebuilt.problems == []
    assert remembered(store) == before
    assert not store.survey().unknown
    if lost:
        assert rebuilt.set_aside.read_bytes() == lost
    sweep(store)
    assert {path: content for path, content in files_of(store.workspace.root).items() if path in kept} == kept


def test_work_goes_on_after_a_rebuilding(store, tmp_path):
    lose(store, "emptied")
    rebuild(store.workspace)
    dataset = store.datasets()[-1]
    edits.undo(store, dataset.id)
    more = write_classes(tmp_path / "again", {"ant": 3}, seed=9000)
    ingest(store, Source("folder", more, str(more)), "", into=dataset.id)
    assert store.dataset(dataset.id).included == dataset.included + 3
    run_id = store.add_run(dataset.id, "resnet50", "{}")
    assert store.runs()[0].id == run_id
    before = remembered(store)
    lose(store, "deleted")
    rebuild(store.workspace)
    assert remembered(store) == before


def test_an_import_into_a_workspace_that_lost_its_database_removes_nothing(store, tmp_path):
    """The fault: after `: > thaw.sqlite3` the next import swept all copies away."""
    kept = files_of(store.workspace.root)
    lose(store, "emptied")
    photos = write_classes(tmp_path / "new", {"x": 2, "y": 2})
    assert main(["import", str(photos), "--workspace", str(store.workspace.root)]) == 1
    assert files_of(store.workspace.root) == kept


def test_the_changes_in_a_lost_log_come_back(store):
    """A process that holds the database keeps changes in the log alone, which a kill and a careless copy then lose."""
    database = store.workspace.database
    dataset, run = store.datasets()[-1], store.runs()[0]
    with contextlib.closing(sqlite3.connect(database)) as holder:
        holder.execute("SELECT COUNT(*) FROM images").fetchone()
        holder.execute("PRAGMA wal_checkpoint")
        earlier = database.read_bytes()
        edits.rename_class(store, dataset.id, "kitten", "tiger")
        store.add_epochs(run.id, [Epoch(3, 1, 0.4, 0.9, 0.5, 0.8, 1.5)])
        third = store.add_run(dataset.id, "resnet50", "{}")
        before = remembered(store)
    for end in ("-wal", "-shm"):
        database.with_name(f"{database.name}{end}").unlink(missing_ok=True)
    database.write_bytes(earlier)
    assert "tiger" not in store.dataset(dataset.id).classes
    found = store.survey()
    assert (set(found.behind), found.runs) == ({dataset.id, run.id}, (third,))
    rebuilt = rebuild(store.workspace)
    assert (rebuilt.brought_up, rebuilt.runs) == (2, [third])
    assert remembered(store) == before


def test_a_change_after_lost_changes_comes_on_top_of_them(store):
    database = store.workspace.database
    dataset = store.datasets()[-1]
    earlier = database.read_bytes()
    edits.rename_class(store, dataset.id, "kitten", "tiger")
    database.write_bytes(earlier)
    image = store.images(dataset.id, "bee")[0]
    edits.exclude_images(store, dataset.id, [image.id])
    assert store.dataset(dataset.id).classes["tiger"] == 3
    assert [edit.kind for edit in store.edits(dataset.id)][:2] == ["exclude", "rename"]


def test_the_database_of_another_workspace_is_refused(store, tmp_path):
    other = Store(open_workspace(tmp_path / "other"))
    shutil.copy(other.workspace.database, store.workspace.database)
    with pytest.raises(WorkspaceError, match="another one") as refused:
        Store(store.workspace)
    assert refused.value.lost
    assert rebuild(store.workspace).problems == []
    assert len(store.datasets()) == 2


def test_a_database_that_was_made_anew_in_an_old_workspace_is_known_for_certain(store):
    """What a hand left there: a whole database without rows and with another id."""
    kept = files_of(store.workspace.root)
    with contextlib.closing(sqlite3.connect(store.workspace.database)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for table in (*TABLES, "changes", "edits", "jobs"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE workspace SET id = 'workspace-of-its-own'")
    with pytest.raises(WorkspaceError, match="another one"):
        Store(store.workspace)
    assert files_of(store.workspace.root) == kept


def test_folders_that_no_row_names_stay_where_they_are(store):
    """The database is this workspace's own and whole, but its rows are gone."""
    kept = files_of(store.workspace.root)
    with contextlib.closing(sqlite3.connect(store.workspace.database)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for table in ("images", "datasets", "runs"):
            connection.execute(f"DELETE FROM {table}")
    sweep(store)
    assert files_of(store.workspace.root) == kept
    assert len(store.survey().datasets) == 2
    assert "2 data sets, 2 runs" in store.survey().tell()


def test_photos_without_a_journal_are_left_and_named(store):
    dataset = store.datasets()[0]
    store.workspace.journal(dataset.id).unlink()
    lose(store, "deleted")
    rebuilt = rebuild(store.workspace)
    assert (store.workspace.dataset(dataset.id) / "images").is_dir()
    assert any(dataset.id in problem and "left there" in problem for problem in rebuilt.problems)
    sweep(store)
    assert any((store.workspace.dataset(dataset.id) / "images").iterdir())


def test_a_data_set_that_has_no_journal_yet_is_written_down_with_its_next_change(store):
    dataset = store.datasets()[-1]
    store.workspace.journal(dataset.id).unlink()
    edits.rename_class(store, dataset.id, "kitten", "tiger")
    before = remembered(store)
    lose(store, "zeroed")
    rebuild(store.workspace)
    after = remembered(store)
    assert after[1:] == before[1:]


def test_a_line_that_cannot_be_read_costs_that_line(store):
    dataset = store.datasets()[-1]
    journal = store.workspace.journal(dataset.id)
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[-2] = b"\x00" * 50 + b"\n"
    journal.write_bytes(b"".join(lines))
    lose(store, "deleted")
    rebuilt = rebuild(store.workspace)
    assert [each.unread for each in rebuilt.datasets if each.id == dataset.id] == [1]
    assert any("1 change that cannot be read" in line for line in tell(rebuilt))


def test_images_whose_copies_are_gone_are_left_out_and_counted(store):
    dataset = store.datasets()[-1]
    image = store.images(dataset.id)[0]
    store.workspace.image(image.folder, image.id, image.suffix).unlink()
    lose(store, "deleted")
    rebuilt = rebuild(store.workspace)
    assert [each.missing for each in rebuilt.datasets] == [1, 0]
    assert image.id not in store.images_by_id([image.id])


def test_an_upload_that_waits_goes_to_quarantine(store):
    folder = store.workspace.staging("upload-0123456789ab")
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "1").write_bytes(b"photo")
    lose(store, "garbage")
    rebuild(store.workspace)
    assert [path.read_bytes() for path in store.workspace.quarantine.rglob("files/1")] == [b"photo"]


def test_the_command_line_says_so_and_rebuilds(store, capsys):
    lose(store, "garbage")
    words = ["--workspace", str(store.workspace.root)]
    assert main(["datasets", *words]) == 1
    said = capsys.readouterr()
    assert "damaged" in said.err
    assert "python -m thaw rebuild" in said.err
    assert "Traceback" not in said.err
    assert main(["rebuild", "--json", *words]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (len(answer["datasets"]), len(answer["runs"])) == (2, 2)
    assert Path(answer["set_aside"]).parent == store.workspace.quarantine
    assert main(["datasets", *words]) == 0


def test_a_run_that_was_cut_short_can_be_resumed_after_a_rebuilding(store):
    run_id = store.add_run(store.datasets()[0].id, "resnet50", HeadSettings(backbone="resnet50").to_json())
    job_id = store.add_job("head", {}, store.datasets()[0].id, run_id)
    store.update_job(job_id, status="running", pid=2**22 - 1)
    lose(store, "deleted")
    rebuild(store.workspace)
    sweep(store)
    job = store.latest_job(run_id)
    assert (job.id, job.status) == (job_id, "failed")
    assert "press Resume" in job.error


def test_an_edit_writes_down_little_however_large_the_data_set_is(store, tmp_path):
    photos = write_classes(tmp_path / "many", {"a": 60, "b": 60}, seed=20_000)
    job_id = store.add_job("import", {"kind": "folder", "path": str(photos), "name": "Many"})
    work(store, job_id)
    dataset_id = store.job(job_id).dataset_id
    journal = store.workspace.journal(dataset_id)
    before, inode = journal.stat().st_size, journal.stat().st_ino
    edits.exclude_images(store, dataset_id, [store.images(dataset_id)[0].id])
    assert journal.stat().st_size - before < 1_500
    assert journal.stat().st_ino == inode


def test_clocks_that_went_back_do_not_change_the_order(store, monkeypatch):
    dataset = store.datasets()[0]
    first = store.add_run(dataset.id, "resnet50", "{}")
    store.update_job(store.add_job("head", {}, dataset.id, first), status="failed")
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    second = store.add_run(dataset.id, "resnet50", "{}")
    again = store.add_job("head", {"resume": True}, dataset.id, first)
    assert [run.id for run in store.runs()][:2] == [second, first]
    assert store.latest_job(first).id == again
    assert store.experiments()[0].model_id == second
    lose(store, "deleted")
    rebuild(store.workspace)
    assert [run.id for run in store.runs()][:2] == [second, first]
