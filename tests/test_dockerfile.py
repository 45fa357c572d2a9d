"""The Dockerfile, read and tried without a container engine: its steps in an environment and a folder of their own."""

import json
import re
import socket
import subprocess
import sys
import time

import pytest

from tests.support.models.tiny_export import write_tiny_export
from tests.support.serving.dockerfiles import ROOT, Dockerfile, as_nobody

SERVICE = Dockerfile("Dockerfile")


def installing() -> str:
    (value,) = (value for name, value in SERVICE.instructions if name == "RUN" and "pip install" in value)
    return value


def test_it_serves_as_a_user_without_rights_and_hears_signals():
    names = [name for name, _ in SERVICE.instructions]
    assert SERVICE.only("FROM") == "python:3.11-slim"
    assert names.index("USER") < names.index("CMD")
    assert SERVICE.only("USER") not in ("root", "0")
    # In the shell's form the shell would be process 1, and not pass SIGTERM on.
    command = json.loads(SERVICE.only("CMD"))
    assert command[:4] == ["python", "-m", "thaw", "serve"]
    healthy = json.loads(SERVICE.only("HEALTHCHECK").partition("CMD ")[2])
    assert healthy[0] == "python"
    assert f"127.0.0.1:{command[-1]}/health" in healthy[-1]
    assert SERVICE.only("EXPOSE") == command[-1]


def test_what_is_copied_exists_and_is_let_through():
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(SERVICE.copied()) == let_through
    assert all((ROOT / name).exists() for name in SERVICE.copied())


def test_what_is_installed_is_locked_and_enough_to_serve():
    assert installing() == "pip install --no-cache-dir --require-hashes -r serving.lock"
    installed = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "serving.lock").read_text(), re.M))
    assert "tensorflow-cpu" in installed
    assert not installed & {"tensorflow", "streamlit", "plotly", "pandas", "scikit-learn"}
    program = (
        "import sys, thaw.__main__, thaw.cli.serve, thaw.serving.app, thaw.decoding.decoder;"
        "print(*{name.partition('.')[0] for name, module in sys.modules.items()"
        " if 'site-packages' in (getattr(module, '__file__', None) or '')})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    named = {name.replace("-", "_") for name in installed} | {"PIL", "opentelemetry"}
    assert {name for name in done.stdout.split() if not name.startswith("_")} <= named


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_its_steps_work_in_a_fresh_environment(tmp_path):
    """Needs a package index; installs TensorFlow, which takes minutes."""
    model = write_tiny_export(tmp_path / "export")
    environment = SERVICE.take_steps(tmp_path, {})
    environment |= {"HOME": "/nonexistent", "THAW_WORKSPACE": str(tmp_path / "workspace")}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    changed = {"/model": str(model), "0.0.0.0": "127.0.0.1", "8600": port}
    command = [changed.get(word, word) for word in json.loads(SERVICE.only("CMD"))]
    asked = json.loads(SERVICE.only("HEALTHCHECK").partition("CMD ")[2])
    healthy = [word.replace(":8600/", f":{port}/") for word in asked]
    options = as_nobody(tmp_path, tmp_path / "workspace") | {"cwd": tmp_path / "work", "env": environment}
    process = subprocess.Popen(command, **options)
    try:
        deadline = time.monotonic() + 480
        while subprocess.run(healthy, capture_output=True, **options).returncode:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(1)
    finally:
        process.terminate()
        assert process.wait(60) == 0
