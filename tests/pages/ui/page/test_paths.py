from pathlib import Path

import pytest

from pages.ui.page.paths import read_path
from tlcore.errors import DatasetError


@pytest.fixture(autouse=True)
def everywhere(monkeypatch):
    """Allow every path, where a test does not say otherwise."""
    monkeypatch.setenv("THAW_ROOTS", "/")


@pytest.mark.parametrize("text", ["/photos/a b", "  /photos/a b\n", '"/photos/a b"', " '/photos/a b' ", "/photos/a b/"])
def test_a_pasted_path_is_read_bare(text):
    assert read_path(text) == Path("/photos/a b")


def test_a_tilde_is_the_home_folder():
    assert read_path("~/photos") == Path.home() / "photos"


@pytest.mark.parametrize("text", ["", "   ", '""', "'\t'", ".", "photos", "./photos", "~nobody-of-that-name/photos"])
def test_nothing_and_what_is_not_absolute_is_refused_with_advice(text):
    with pytest.raises(DatasetError, match=r"Expected .* Received: .*\."):
        read_path(text)


def test_a_path_outside_the_allowed_folders_is_refused(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "out").symlink_to("/etc")
    monkeypatch.setenv("THAW_ROOTS", str(tmp_path / "mine"))
    assert read_path(str(tmp_path / "mine" / "photos")) == tmp_path / "mine" / "photos"
    for text in (tmp_path, tmp_path / "mine" / ".." / "theirs", tmp_path / "mine" / "out"):
        with pytest.raises(DatasetError, match="--root DIR"):
            read_path(str(text))
