from pathlib import Path

import pytest

from tlcore.workspace import ENVIRONMENT_VARIABLE, open_workspace


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
