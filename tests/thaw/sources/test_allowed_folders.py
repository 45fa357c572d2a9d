import os
from pathlib import Path

import pytest

from app import choose_workspace
from thaw.sources.allowed_folders import allow, allowed_roots, require_allowed
from tlcore.errors import DatasetError


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A folder that is allowed, and one that is not."""
    monkeypatch.setenv("THAW_ROOTS", "")
    for name in ("mine", "mine too", "theirs"):
        (tmp_path / name).mkdir()
    return tmp_path / "mine", tmp_path / "theirs"


@pytest.mark.parametrize("given", ["", os.pathsep])
def test_only_the_home_folder_is_allowed_unless_told(monkeypatch, given):
    monkeypatch.setenv("THAW_ROOTS", given)
    assert allowed_roots() == [Path.home().resolve()]
    monkeypatch.delenv("THAW_ROOTS")
    assert allowed_roots() == [Path.home().resolve()]


def test_several_folders_can_be_allowed(folders):
    allow(folders)
    assert allowed_roots() == [folder.resolve() for folder in folders]
    allow([])
    assert allowed_roots() == [folder.resolve() for folder in folders]


def test_what_is_no_folder_or_would_allow_another_is_refused(folders):
    mine, theirs = folders
    trap = mine / f"a{os.pathsep}" / theirs.relative_to("/")
    trap.mkdir(parents=True)
    for folder in (mine / "nothing", trap):
        with pytest.raises(DatasetError, match=r"Expected after --root .* Received: .*\."):
            allow([folder])


def test_the_server_takes_the_option_several_times(folders, monkeypatch, capsys):
    monkeypatch.setenv("THAW_WORKSPACE", "elsewhere")
    choose_workspace(["--root", str(folders[0]), "--root", str(folders[1])])
    assert allowed_roots() == [folder.resolve() for folder in folders]
    assert os.environ["THAW_WORKSPACE"] == "elsewhere"
    with pytest.raises(SystemExit):
        choose_workspace(["--root", str(folders[0] / "nothing")])
    assert "Check the path" in capsys.readouterr().err


def test_what_lies_under_a_root_is_allowed_there_or_not(folders):
    mine, _ = folders
    assert require_allowed(mine, [mine]) == mine.resolve()
    assert require_allowed(mine / "new" / "photos.zip", [mine]) == mine.resolve() / "new" / "photos.zip"


def test_what_lies_elsewhere_is_refused_with_the_remedy(folders):
    mine, theirs = folders
    for path in (theirs, mine.parent, mine.parent / "mine too", mine / ".." / "theirs", Path("/")):
        with pytest.raises(DatasetError, match=r"Expected a path under .*mine'\. Received: .* --root DIR"):
            require_allowed(path, [mine])
    with pytest.raises(DatasetError):
        require_allowed(mine, [])


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_is_judged_by_where_it_leads(folders):
    mine, theirs = folders
    (mine / "out").symlink_to(theirs)
    (theirs / "in").symlink_to(mine)
    with pytest.raises(DatasetError, match="which leads to"):
        require_allowed(mine / "out" / "a.jpg", [mine])
    assert require_allowed(theirs / "in" / "a.jpg", [mine]) == mine.resolve() / "a.jpg"
    (theirs.parent / "root").symlink_to(mine)
    assert require_allowed(mine / "a.jpg", [theirs.parent / "root"]) == mine.resolve() / "a.jpg"


@pytest.mark.parametrize("path", ["/" + "x" * 5000, "/tmp/a\0b"])
def test_what_is_no_path_at_all_is_refused_in_words(path, folders):
    with pytest.raises(DatasetError, match=r"^Expected a path .* Received: ") as refusal:
        require_allowed(Path(path), [folders[0]])
    assert len(str(refusal.value)) < 1000


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_loop_of_links_is_refused_in_words(folders):
    (folders[0] / "loop").symlink_to(folders[0] / "loop")
    with pytest.raises(DatasetError, match="Check the path"):
        require_allowed(folders[0] / "loop", [folders[0]])
