"""The Dockerfile, read and tried without a container engine: its steps in an environment and a folder of their own."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.models.tiny_export import write_tiny_export

ROOT = Path(__file__).parents[1]


def read_instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", "")
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in text.splitlines() if line.strip()]


def only(name: str) -> str:
    (value,) = (value for instruction, value in read_instructions() if instruction == name)
    return value


def installing() -> str:
    (value,) = (value for name, value in read_instructions() if name == "RUN" and "pip install" in value)
    return value


def test_it_serves_as_a_user_without_rights_and_hears_signals():
    names = [name for name, _ in read_instructions()]
    assert only("FROM") == "python:3.11-slim"
    assert names.index("USER") < names.index("CMD")
    assert only("USER") not in ("root", "0")
    # In the shell's form the shell would be process 1, and not pass SIGTERM on.
    command = json.loads(only("CMD"))
    assert command[:4] == ["python", "-m", "thaw", "serve"]
    healthy = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
    assert healthy[0] == "python"
    assert f"127.0.0.1:{command[-1]}/health" in healthy[-1]
    assert only("EXPOSE") == command[-1]


def test_what_is_copied_exists_and_is_let_through():
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [value.split()[0] for name, value in read_instructions() if name == "COPY"]
    assert set(copied) == let_through
    assert all((ROOT / name).exists() for name in copied)


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
    work, model = tmp_path / "thaw", write_tiny_export(tmp_path / "export")
    work.mkdir()
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    environment = {"PATH": f"{tmp_path / 'venv' / 'bin'}:/usr/bin:/bin", "HOME": "/nonexistent"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment |= dict(pair.split("=", 1) for pair in only("ENV").split())
    environment["THAW_WORKSPACE"] = str(tmp_path / "workspace")
    for name, value in read_instructions():
        if name == "COPY":
            source, target = value.split()
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, work / (source if target == "./" else target))
        elif name == "RUN" and "pip install" in value:
            subprocess.run(["sh", "-c", value], cwd=work, env=environment | {"HOME": str(tmp_path)}, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    changed = {"/model": str(model), "0.0.0.0": "127.0.0.1", "8600": port}
    command = [changed.get(word, word) for word in json.loads(only("CMD"))]
    healthy = [word.replace(":8600/", f":{port}/") for word in json.loads(only("HEALTHCHECK").partition("CMD ")[2])]
    options = {"cwd": work, "env": environment}
    # Another user can run the interpreter only where the folders that lead to it are open to all.
    base = Path(sys.base_prefix).resolve()
    if os.geteuid() == 0 and all(folder.stat().st_mode & 0o001 for folder in (base, *base.parents)):
        for path in (tmp_path, *tmp_path.parents):
            path.chmod(path.stat().st_mode | 0o711)
        for path in tmp_path.rglob("*"):
            path.chmod(path.stat().st_mode | 0o444)
        (tmp_path / "workspace").mkdir(mode=0o777)
        (tmp_path / "workspace").chmod(0o777)
        options |= {"user": "nobody", "group": "nogroup"}
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
