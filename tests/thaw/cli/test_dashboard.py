"""The command `app`: which script Streamlit is started on, with what, and what is said where it cannot."""

import subprocess

import pytest

from tests.support.command_line import ask
from thaw.cli import dashboard
from thaw.serving.hosts import OPEN_TO_ALL
from tlcore.environment import SOURCE_ROOT
from tlcore.errors import ThawError


@pytest.fixture
def started(monkeypatch):
    """Let a process that ends at once with `status` take the server's place; return its words."""
    words, begin = [], subprocess.Popen

    def start(command):
        words.extend(command)
        return begin([command[0], "-c", f"raise SystemExit({words.count('--server.port=70000')})"])

    monkeypatch.setattr(dashboard.subprocess, "Popen", start)
    monkeypatch.setattr(dashboard.signal, "signal", lambda *_: None)
    return words


def test_streamlit_is_started_on_the_script_beside_the_sources(store, started):
    told = ask(store, "app", "--port", 8600, "--root", "/photos", "--root", "/more")
    script = str(SOURCE_ROOT / "app.py")
    assert told == {"served": script}
    assert started[1:6] == ["-m", "streamlit", "run", script, "--server.port=8600"]
    assert started[6:] == ["--", "--workspace", str(store.workspace.root), "--root", "/photos", "--root", "/more"]


def test_an_address_and_the_switch_for_everyone_are_handed_on(store, started):
    ask(store, "app", "--listen", "0.0.0.0", OPEN_TO_ALL)
    assert started[5:7] == ["--server.port=8501", "--server.address=0.0.0.0"]
    assert started[7:] == ["--", "--workspace", str(store.workspace.root), OPEN_TO_ALL]


def test_the_script_of_an_installation_goes_before(store, started, tmp_path, monkeypatch):
    (tmp_path / "app.py").touch()
    monkeypatch.setattr(dashboard, "INSTALLED", tmp_path / "app.py")
    assert ask(store, "app") == {"served": str(tmp_path / "app.py")}


def test_a_server_that_cannot_serve_is_a_failure(store, started):
    with pytest.raises(ThawError, match="exit status 1"):
        ask(store, "app", "--port", 70_000)
