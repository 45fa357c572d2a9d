import os
import threading
from pathlib import Path

import pytest

from thaw.errors import WorkspaceError
from thaw.storage.store import Store
from thaw.storage.workspace import ENVIRONMENT_VARIABLE, FILES, FOLDERS, open_workspace


def test_its_folders_are_made(tmp_path):
    workspace = open_workspace(tmp_path / "deep" / "workspace")
    for folder in ("staging", "datasets", "runs", "features", "locks", "logs"):
        assert (workspace.root / folder).is_dir()
    assert open_workspace(workspace.root) == workspace


def test_the_argument_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "environment"))
    assert open_workspace().root == tmp_path / "environment"
    assert open_workspace(tmp_path / "argument").root == tmp_path / "argument"


def test_the_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert open_workspace("~/photos").root == tmp_path / "photos"


@pytest.mark.parametrize(
    "path",
    [
        lambda w: w.job_lock("job-1"),
        lambda w: w.job_log("job-1"),
        lambda w: w.staging("up-1"),
        lambda w: w.image("data-1", "img-1", ".png"),
        lambda w: w.thumbnail("data-1", "img-1"),
        lambda w: w.run("run-1"),
    ],
)
def test_every_path_lies_inside(path, tmp_path):
    workspace = open_workspace(tmp_path)
    found: Path = path(workspace)
    assert found.is_relative_to(workspace.root)
    assert found != workspace.root


def modes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mode & 0o777 for path in [root, *root.rglob("*")]}


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_it_is_for_its_owner_alone(tmp_path):
    before = os.umask(0o022)
    try:
        workspace = open_workspace(tmp_path / "workspace")
        store = Store(workspace)
        store.add_job("import", {})
    finally:
        os.umask(before)
    found = modes(workspace.root)
    assert found["."] == 0o700
    assert found["datasets"] == found["runs"] == found["staging"] == 0o700
    assert found["thaw.sqlite3"] == found["workspace.json"] == 0o600


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_one_that_was_open_to_others_is_closed(tmp_path):
    workspace = open_workspace(tmp_path / "workspace")
    Store(workspace)
    (workspace.root / "quarantine").mkdir()
    for path in [workspace.root, *workspace.root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    open_workspace(workspace.root)
    assert not any(mode & 0o077 for name, mode in modes(workspace.root).items() if "lock" not in name)
    assert modes(workspace.root)["datasets"] == 0o700


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_folder_with_other_things_in_it_keeps_its_rights(tmp_path):
    root = tmp_path / "home"
    root.mkdir()
    (root / "letter.txt").write_text("mine")
    root.chmod(0o755)
    for _ in range(2):
        Store(open_workspace(root))
        assert root.stat().st_mode & 0o777 == 0o755
    assert (root / "datasets").stat().st_mode & 0o777 == 0o700
    assert (root / "thaw.sqlite3").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_keeps_what_it_names_as_it_is(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "projects").symlink_to(tmp_path / "shared")
    open_workspace(tmp_path / "workspace")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755


def test_all_that_may_lie_in_it_is_its_own(tmp_path):
    workspace = open_workspace(tmp_path)
    Store(workspace)
    for name in FOLDERS:
        (tmp_path / name).mkdir(exist_ok=True)
    for name in FILES:
        (tmp_path / name).touch()
    tmp_path.chmod(0o755)
    open_workspace(tmp_path)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path, *tmp_path.iterdir()))


def test_one_is_opened_while_others_close_its_database(tmp_path):
    root = open_workspace(tmp_path).root
    over, refused = threading.Event(), []

    def come_and_go():
        # The last to close the database removes its log.
        while not over.is_set():
            try:
                Store(open_workspace(root)).jobs("import")
            except WorkspaceError as problem:
                refused.append(problem)

    others = [threading.Thread(target=come_and_go) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(400):
            assert open_workspace(root).root == root
    finally:
        over.set()
        for other in others:
            other.join()
    assert refused == []
