"""The runtime of web pages in a workspace: from a file, from npm, and refused where it is another."""

import os
import sys

import pytest

from tests.support.models.web_runtime import pack_runtime
from thaw.exporting import web_runtime
from thaw.exporting.web_runtime import fetch_runtime, keep_runtime, kept_runtime
from thaw.storage.workspace import open_workspace
from tlcore.errors import SettingsError

NPM = """#!{python}
import pathlib, shutil, sys
assert sys.argv[1:] == ["pack", "--ignore-scripts", "--loglevel=error", "@litertjs/core@2.5.3"], sys.argv
{body}
"""


@pytest.fixture
def workspace(tmp_path):
    return open_workspace(tmp_path / "workspace")


@pytest.fixture
def package(tmp_path, monkeypatch):
    packed = pack_runtime(tmp_path / "brought.tgz", monkeypatch)
    monkeypatch.setattr(web_runtime, "BYTES", packed.stat().st_size)
    return packed


@pytest.fixture
def install_npm(tmp_path, monkeypatch):
    """Return a function that puts a program by the name of npm on the path, which does what it is told."""

    def install(body):
        (tmp_path / "bin").mkdir()
        npm = tmp_path / "bin" / "npm"
        npm.write_text(NPM.format(python=sys.executable, body=body))
        npm.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    return install


def test_a_file_that_is_brought_is_kept(workspace, package):
    assert kept_runtime(workspace) is None
    kept = keep_runtime(workspace, package)
    assert kept_runtime(workspace) == kept
    assert kept.read_bytes() == package.read_bytes()


def test_another_file_is_refused_and_what_is_there_stays(workspace, package, tmp_path):
    kept = keep_runtime(workspace, package)
    other = tmp_path / "other.tgz"
    other.write_bytes(b"other")
    with pytest.raises(SettingsError, match="another content"):
        keep_runtime(workspace, other)
    assert kept.read_bytes() == package.read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="the program is a script")
def test_npm_brings_it(workspace, package, install_npm):
    install_npm(f"shutil.copy({str(package)!r}, 'litertjs-core-2.5.3.tgz')")
    assert fetch_runtime(workspace).read_bytes() == package.read_bytes()
    assert kept_runtime(workspace)


@pytest.mark.skipif(os.name != "posix", reason="the program is a script")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.exit('npm error network: no route')", "Received: npm error network: no route"),
        ("pathlib.Path('litertjs-core-2.5.3.tgz').write_bytes(b'forged')", "Received: another file came"),
    ],
)
def test_what_npm_does_not_bring_is_told(workspace, package, install_npm, body, said):
    install_npm(body)
    with pytest.raises(SettingsError, match=said):
        fetch_runtime(workspace)
    assert kept_runtime(workspace) is None


def test_without_npm_it_is_said_what_to_run(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"Run `npm pack @litertjs/core@2\.5\.3`"):
        fetch_runtime(workspace)
