"""The trash: what is deleted is out of every list, comes back exactly, and is whole here or there after any kill."""

import dataclasses
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.keepings import add_dataset, add_project, add_run, copies, furnish, snapshot
from thaw.datasets import edits
from thaw.datasets.run_split import choose_split
from thaw.disk import trash
from thaw.disk.holdings import list_holdings
from thaw.jobs.sweeper import sweep
from thaw.projects.reader import open_project
from thaw.projects.save import save_project
from thaw.retraining.inherited_split import inherit
from thaw.retraining.retrain import prepare
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.errors import DatasetError, RunError
from tlcore.settings import HeadSettings

pytestmark = pytest.mark.usefixtures("warm_decoder")

KINDS = ("dataset", "run", "export", "project", "features", "downloads", "speed")


@pytest.fixture
def furnished(tmp_path):
    return furnish(tmp_path / "workspace")


def ids(store):
    """Return one thing of each kind, by kind: of several the oldest."""
    return {each.kind: each.id for each in list_holdings(store)}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_deleted_is_gone_and_comes_back_exactly(kind, furnished):
    store, *_ = furnished
    before, thing = snapshot(store), ids(store)[kind]
    entry = trash.delete(store, thing)
    files, rows = snapshot(store)
    assert thing not in [each.id for each in list_holdings(store)]
    assert len(files) < len(before[0])
    assert [(each.kind, each.subject, each.state) for each in store.trash()] == [(kind, thing, "kept")]
    # What stays is as it was.
    assert files.items() <= before[0].items()
    assert all(before[1][each] == row for each, row in rows.items() if each != "experiments")
    assert trash.undelete(store, thing).id == entry.id
    assert snapshot(store) == before
    assert store.trash() == []
    assert not store.workspace.trash(entry.id).exists()


def test_a_data_set_takes_its_runs_exports_projects_and_checks_along(furnished):
    store, dataset_id, runs = furnished
    other = add_dataset(store, "Other", seed=50)
    entry = trash.delete(store, dataset_id, 1234)
    assert entry.detail == {
        "title": "Pets",
        "bytes": 1234,
        "dataset": dataset_id,
        "runs": 2,
        "exports": 2,
        "projects": 2,
        "checks": 1,
    }
    assert [each.id for each in store.datasets()] == [other]
    assert store.runs() == store.experiments() == []
    for gone in (dataset_id, *runs):
        assert not [path for path in store.workspace.root.rglob(f"{gone}*") if "trash" not in path.parts]
    with pytest.raises(DatasetError, match="id of a data set in this workspace"):
        store.dataset(dataset_id)
    with pytest.raises(RunError, match="id of a run in this workspace"):
        store.run(runs[0])


def test_the_project_of_a_run_in_the_trash_goes_with_its_data_set(furnished):
    store, dataset_id, runs = furnished
    trash.delete(store, runs[0])
    assert store.workspace.project(runs[0]).exists()
    assert trash.delete(store, dataset_id).detail["projects"] == 2
    assert not list((store.workspace.root / "projects").iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_the_emptied_trash_leaves_nothing(kind, furnished):
    store, _, runs = furnished
    add_dataset(store, "Other", seed=50)
    thing = ids(store)[kind]
    log = store.workspace.job_log(store.latest_job(runs[0]).id)
    log.write_text("said")
    trash.delete(store, thing)
    after = snapshot(store)
    assert [each.subject for each in trash.empty(store)] == [thing]
    assert snapshot(store) == after
    assert store.trash() == []
    assert not (store.workspace.root / "trash").exists()
    with pytest.raises(RunError, match="in the trash"):
        trash.undelete(store, thing)
    counts = {
        table: store._rows(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"]
        for table in ("images", "set_aside", "checks", "runs", "epochs", "jobs", "trashed")
    }
    whole = {"images": 12, "set_aside": 2, "checks": 2, "runs": 2, "epochs": 2, "jobs": 4, "trashed": 0}
    lost = {
        "dataset": {"images": 6, "set_aside": 1, "checks": 1, "runs": 0, "epochs": 0, "jobs": 1},
        "run": {"runs": 1, "epochs": 1, "jobs": 3},
    }
    assert counts == whole | lost.get(kind, {})
    assert log.exists() == (kind not in ("dataset", "run"))


def test_photos_that_two_data_sets_share_a_folder_with_stay_for_the_other(tmp_path):
    store = Store(open_workspace(tmp_path))
    first = add_dataset(store)
    second = add_dataset(store, "Second", folder=first, seed=50)
    own = {path for image in store.every_image(first) for path in copies(store, image)}
    others = {path for image in store.every_image(second) for path in copies(store, image)}
    trash.delete(store, first)
    assert all(path.exists() for path in own | others)
    trash.empty(store)
    assert all(path.exists() for path in others)
    assert not any(path.exists() for path in own)
    trash.delete(store, second)
    assert not store.workspace.dataset(first).exists()
    trash.undelete(store, second)
    assert all(path.exists() for path in others)


def test_nothing_is_deleted_while_a_job_uses_it(furnished):
    store, dataset_id, runs = furnished
    asked = {
        ("head", runs[0]): ["run", "dataset", "features"],
        ("export", None): ["export", "run", "dataset"],
        ("save", None): ["run", "dataset", "project"],
        ("import", None): ["downloads", "dataset"],
    }
    requests = {
        "head": {},
        "export": {"run": runs[0], "backbone": "x", "settings": {}},
        "save": {"subject": dataset_id, "path": str(store.workspace.project(dataset_id))},
        "import": {"kind": "flowers", "path": "", "dataset": dataset_id},
    }
    things = ids(store) | {"run": runs[0], "export": f"{runs[0]}/export", "project": f"projects/{dataset_id}.zip"}
    before = snapshot(store)
    for (kind, run_id), used in asked.items():
        job_id = store.add_job(kind, requests[kind], dataset_id if run_id else None, run_id)
        for thing in used:
            with pytest.raises(RunError, match=f"{kind.replace('_', ' ')}"):
                trash.delete(store, things[thing])
        for thing in set(KINDS) - set(used):
            trash.delete(store, things[thing])
            trash.undelete(store, things[thing])
        store.update_job(job_id, status="finished")
    files, _ = snapshot(store)
    assert files == before[0]
    assert store.trash() == []


def test_a_run_is_kept_while_another_is_retrained_from_it(furnished):
    store, dataset_id, runs = furnished
    job_id = store.add_job("head", {}, dataset_id, runs[1])
    with pytest.raises(RunError, match=job_id):
        trash.delete(store, runs[0])
    store.update_job(job_id, status="finished")
    trash.delete(store, runs[0])
    assert [run.id for run in store.runs()] == [runs[1]]


def test_no_job_begins_on_what_was_deleted(furnished):
    store, dataset_id, runs = furnished
    trash.delete(store, dataset_id)
    for request, of_dataset, of_run in (
        ({}, dataset_id, runs[0]),
        ({"run": runs[0]}, None, None),
        ({"dataset": dataset_id}, None, None),
        ({"subject": runs[1]}, None, None),
    ):
        with pytest.raises(RunError, match="was deleted"):
            store.add_job("export", request, of_dataset, of_run)
    assert store.unfinished_jobs() == []


def test_nothing_changes_in_what_was_deleted(furnished):
    store, dataset_id, runs = furnished
    before, image = snapshot(store), store.images(dataset_id)[0]
    trash.delete(store, dataset_id)
    for change in (
        lambda: edits.exclude_images(store, dataset_id, [image.id]),
        lambda: store.add_to_dataset(dataset_id, "", Arrival([dataclasses.replace(image, id="img-other")])),
    ):
        with pytest.raises(DatasetError, match="was deleted"):
            change()
    with pytest.raises(RunError, match="was deleted"):
        store.add_facts(runs[0], {"threshold": 0.5})
    assert not (store.workspace.dataset(dataset_id)).exists()
    trash.undelete(store, dataset_id)
    assert snapshot(store) == before


def test_what_was_emptied_is_not_taken_for_lost(furnished):
    store, dataset_id, _ = furnished
    second = add_dataset(store, "Second", folder=dataset_id, seed=50)
    edits.exclude_images(store, dataset_id, [store.images(dataset_id)[0].id])
    trash.delete(store, dataset_id)
    assert not store.survey().unknown
    trash.empty(store)
    assert not store.survey().unknown
    sweep(store)
    trash.delete(store, second)
    trash.empty(store)
    assert not store.survey().unknown
    assert list((store.workspace.root / "datasets").iterdir()) == []


def test_an_opened_project_is_deleted_with_the_folder_of_its_photos_and_its_own(tmp_path, tiny_photos):
    store = Store(open_workspace(tmp_path / "workspace"))
    job_id = store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": ""})
    work(store, job_id)
    save_project(store, store.job(job_id).dataset_id, tmp_path / "saved.zip")
    elsewhere = Store(open_workspace(tmp_path / "elsewhere"))
    dataset_id = open_project(elsewhere, tmp_path / "saved.zip").dataset_id
    edits.exclude_images(elsewhere, dataset_id, [elsewhere.images(dataset_id)[0].id])
    before = snapshot(elsewhere)
    trash.delete(elsewhere, dataset_id)
    assert list((elsewhere.workspace.root / "datasets").iterdir()) == []
    trash.undelete(elsewhere, dataset_id)
    assert snapshot(elsewhere) == before


def test_what_belongs_to_something_deleted_comes_back_after_it(furnished):
    store, dataset_id, runs = furnished
    before = snapshot(store)
    export, run, dataset = (trash.delete(store, each) for each in (f"{runs[0]}/export", runs[0], dataset_id))
    with pytest.raises(DatasetError):
        trash.undelete(store, run.id)
    trash.undelete(store, dataset.id)
    with pytest.raises(RunError, match="Bring back"):
        trash.undelete(store, export.id)
    trash.undelete(store, run.id)
    trash.undelete(store, export.id)
    assert snapshot(store) == before


def test_all_that_was_deleted_bit_by_bit_can_be_emptied(furnished):
    store, dataset_id, runs = furnished
    for each in (f"{runs[0]}/export", runs[0], dataset_id, "features"):
        trash.delete(store, each)
    assert len(trash.empty(store)) == 4
    assert store.datasets() == store.runs() == store.trash() == []


def test_what_was_made_since_is_never_replaced(furnished):
    store, dataset_id, _ = furnished
    project = f"projects/{dataset_id}.zip"
    trash.delete(store, project)
    add_project(store, dataset_id)
    store.workspace.project(dataset_id).write_bytes(b"newer")
    with pytest.raises(RunError, match="made since"):
        trash.undelete(store, project)
    assert store.workspace.project(dataset_id).read_bytes() == b"newer"
    assert [each.state for each in store.trash()] == ["kept"]


def test_caches_that_were_made_anew_stay_and_the_others_come_back(furnished):
    store, *_ = furnished
    trash.delete(store, "features")
    anew = store.workspace.features / "0a1b" / "keys.txt"
    anew.parent.mkdir()
    anew.write_text("newer")
    trash.undelete(store, "features")
    assert anew.read_text() == "newer"
    assert (store.workspace.features / "2c3d" / "keys.txt").read_bytes() == b"{}"


def test_several_things_go_together_and_come_back_together(furnished):
    store, dataset_id, runs = furnished
    before = snapshot(store)
    entries = trash.delete_together(store, dict.fromkeys((dataset_id, runs[0], f"{runs[0]}/export", "features")))
    assert [each.kind for each in entries] == ["export", "run", "dataset", "features"]
    trash.undelete_together(store, [each.id for each in entries])
    assert snapshot(store) == before


def test_of_several_things_none_goes_where_one_cannot(furnished):
    store, dataset_id, runs = furnished
    before = snapshot(store)
    job_id = store.add_job("head", {}, dataset_id, runs[1])
    with pytest.raises(RunError, match=job_id):
        trash.delete_together(store, dict.fromkeys(("downloads", f"{runs[0]}/export", dataset_id)))
    store.update_job(job_id, status="finished")
    assert snapshot(store)[0] == before[0]
    assert store.trash() == []


def test_a_run_whose_forerunner_was_deleted_is_trained_like_any_other(furnished):
    store, dataset_id, runs = furnished
    (store.workspace.run(runs[1]) / "split.json").unlink()
    trash.delete(store, runs[0])
    assert inherit(store, store.run(runs[1])) is None
    store.add_facts(runs[1], {"sides_of": runs[0]})
    assert prepare(store, store.run(runs[1]), choose_split(store, dataset_id, HeadSettings())) is None


def test_the_start_of_the_server_empties_all_but_the_newest(furnished):
    store, _, runs = furnished
    old, new = trash.delete(store, runs[0]), trash.delete(store, runs[1])
    store._write("UPDATE trash SET deleted_at = deleted_at - 7200 WHERE id = ?", old.id)
    trash.start_emptying(store).join()
    assert [each.id for each in store.trash()] == [new.id]
    trash.undelete(store, new.id)
    assert [run.id for run in store.runs()] == [runs[1]]


def test_a_folder_that_cannot_be_moved_leaves_all_as_it_was(furnished, monkeypatch):
    store, dataset_id, _ = furnished
    before, rename = snapshot(store), Path.rename

    def refuse(self, target):
        if self.parent.name == "runs" and "trash" in str(target):
            raise PermissionError(13, "The file is open in another program")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(RunError, match=r"open in another program.*Nothing was deleted"):
        trash.delete(store, dataset_id)
    assert snapshot(store) == before
    assert store.trash() == []


@pytest.mark.parametrize("thing", ["../../etc", "run-0123456789ab/../..", "projects/../thaw.sqlite3", "trash", ""])
def test_an_id_is_never_a_path(thing, furnished):
    store, *_ = furnished
    before = snapshot(store)
    with pytest.raises((RunError, DatasetError)):
        trash.delete(store, thing)
    assert snapshot(store) == before


def test_the_original_photos_are_never_touched(tmp_path, tiny_photos):
    store = Store(open_workspace(tmp_path))
    photos = tmp_path / "photos"
    shutil.copytree(tiny_photos, photos)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.rglob("*.png")}
    job_id = store.add_job("import", {"kind": "folder", "path": str(photos), "name": ""})
    work(store, job_id)
    trash.delete(store, store.job(job_id).dataset_id)
    trash.empty(store)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.rglob("*.png")} == before
    assert list((store.workspace.root / "datasets").iterdir()) == []


def test_a_saved_project_holds_nothing_that_was_deleted(furnished):
    store, dataset_id, runs = furnished
    trash.delete(store, runs[0])
    for name in ("layers.json", "predictions-1.npz"):
        (store.workspace.run(runs[1]) / name).write_bytes(b"{}")
    contents = save_project(store, dataset_id, store.workspace.root / "other.zip")
    assert contents.run_ids == (runs[1],)


def run_until(store, act, thing, last):
    """Do it in a process of its own, killed before its step `last`: a rename, a commit or a removal.

    Return whether it was killed.
    """
    child = os.fork()
    if child == 0:
        steps = 0

        def count(owner, name):
            whole = getattr(owner, name)

            def step(*arguments, **options):
                nonlocal steps
                steps += 1
                if steps == last:
                    os.kill(os.getpid(), signal.SIGKILL)
                return whole(*arguments, **options)

            setattr(owner, name, step)

        for name in ("hide", "set_trash_state", "show_again", "forget"):
            count(Store, name)
        for owner, name in ((Path, "rename"), (os, "unlink"), (os, "rmdir")):
            count(owner, name)
        try:
            act(store, *thing)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def whole_where_listed(store):
    """Say whether everything that a list names has all of its files."""
    return all(
        path.is_file()
        for each in store.datasets()
        for image in store.every_image(each.id)
        for path in copies(store, image)
    ) and all((store.workspace.run(run.id) / "head.npz").is_file() for run in store.runs())


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("kind", ["dataset", "features", "speed"])
def test_a_deletion_and_a_return_killed_at_any_step_leave_it_whole_here_or_in_the_trash(kind, furnished):
    store, *_ = furnished
    before, thing = snapshot(store), ids(store)[kind]
    for act in (trash.delete, trash.undelete):
        killed, last = True, 0
        while killed:
            last += 1
            killed = run_until(store, act, [thing], last)
            assert whole_where_listed(store)
            trash.settle(store)
            there = thing in [each.id for each in list_holdings(store)]
            if there:
                assert snapshot(store) == before
                assert store.trash() == []
            else:
                assert [each.state for each in store.trash()] == ["kept"]
            # Back to where this act begins.
            if act == trash.delete and not there and killed:
                trash.undelete(store, thing)
            if act == trash.undelete and there and killed:
                trash.delete(store, thing)
        assert last > 3
    assert snapshot(store) == before


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_emptying_killed_at_any_step_is_ended_by_the_next(furnished):
    store, dataset_id, _ = furnished
    kept = add_dataset(store, "Other", seed=50)
    run_id = add_run(store, kept)
    killed, last = True, 0
    trash.delete(store, dataset_id)
    after = snapshot(store)
    while killed:
        last += 1
        killed = run_until(store, trash.empty, [], last)
        assert snapshot(store) == after
        if killed and not store.trash():
            break
    assert last > 5
    trash.empty(store, trash.GRACE_S)
    assert store.trash() == []
    assert not list((store.workspace.root / "trash").glob("trash-*"))
    assert [run.id for run in store.runs()] == [run_id]
    assert snapshot(store) == after
