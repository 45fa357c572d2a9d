"""The package of the runtime: the one that is known is taken apart, every other file refused."""

import pytest

from tests.support.models.web_runtime import INTERFACE, pack_runtime
from tlcore.errors import SettingsError
from tlcore.exporting.web.runtime import COMMAND, is_runtime, read_runtime


def test_the_known_package_is_taken_apart(tmp_path, monkeypatch):
    package = pack_runtime(tmp_path / "a.tgz", monkeypatch)
    assert is_runtime(package)
    assert read_runtime(package)["index.js"].decode() == INTERFACE


@pytest.mark.parametrize(
    "change", [lambda content: content[:-1], lambda content: content[:-9] + b"?" + content[-8:], lambda _: b""]
)
def test_another_content_is_refused(tmp_path, monkeypatch, change):
    package = pack_runtime(tmp_path / "a.tgz", monkeypatch)
    package.write_bytes(change(package.read_bytes()))
    assert not is_runtime(package)
    with pytest.raises(SettingsError, match=rf"which has another content. Run `{COMMAND}`"):
        read_runtime(package)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.tgz", tmp_path):
        with pytest.raises(SettingsError, match="which is not there"):
            read_runtime(path)
