"""What pyproject.toml makes of the tree: pins named once, and an installation that has every file and starts."""

import os
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["requirements_txt"]
FILES = [*PINS["files"], *(name for names in PINS["optional-dependencies"].values() for name in names)]
TREES = {"thaw": "thaw", "tlcore": "tlcore", "pages": "thaw/site/pages", ".streamlit": "thaw/site/.streamlit"}


def test_each_package_is_pinned_once_and_in_a_file_of_requirements():
    lines = [line for name in FILES for line in (ROOT / name).read_text("utf-8").splitlines()]
    pinned = [
        match[1] for line in lines if (match := re.match(r"([a-z0-9._-]+)(?:\[[a-z]+\])?==[0-9a-z.]+(\s+#.*)?$", line))
    ]
    assert len(pinned) == len(set(pinned)) > 30
    assert len(pinned) == sum(bool(line) and not line.startswith("#") for line in lines)
    assert set(PROJECT["project"]["dynamic"]) == {"version", "dependencies", "optional-dependencies"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True)
    (made,) = folder.glob("thaw-*.whl")
    return made


@pytest.mark.slow
def test_a_wheel_holds_every_file_of_the_program(wheel):
    """Needs a package index, for what builds it."""
    listed = subprocess.run(["git", "ls-files", *TREES], cwd=ROOT, capture_output=True, text=True, check=True)
    named = [name.partition("/") for name in listed.stdout.splitlines()]
    wanted = {f"{TREES[tree]}/{rest}" for tree, _, rest in named} | {"thaw/site/app.py"}
    assert wanted - set(zipfile.ZipFile(wheel).namelist()) == set()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("editable", [False, True])
def test_an_installation_runs_commands_and_serves_the_dashboard(wheel, tmp_path, editable):
    """The packages that Thaw needs are those of this environment; elsewhere than beside the sources."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    programs = tmp_path / "venv" / "bin"
    packages = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    (packages / "beneath.pth").write_text(str(Path(pytest.__file__).parents[1]), encoding="utf-8")
    what = ["--editable", ROOT] if editable else [wheel]
    subprocess.run([programs / "pip", "install", "--quiet", "--no-deps", *what], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    place = ["--workspace", tmp_path / "ws"]
    done = subprocess.run([programs / "thaw", "runs", "--json", *place], cwd=tmp_path, env=environment, check=True)
    assert done.returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment["STREAMLIT_SERVER_HEADLESS"] = "true"
    command = [programs / "thaw", "app", "--port", str(port), *place]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as app:
        try:
            assert answers(f"http://127.0.0.1:{port}/")
        finally:
            app.terminate()
    assert app.returncode == 0


def answers(address: str) -> bool:
    end = time.monotonic() + 480
    while time.monotonic() < end:
        try:
            return urllib.request.urlopen(address, timeout=30).status == 200
        except urllib.error.URLError:
            time.sleep(0.5)
    return False
