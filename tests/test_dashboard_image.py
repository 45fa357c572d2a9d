"""The dashboard's Dockerfile and compose.yaml, read, and their steps tried without a container engine."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from tests.support.serving.dockerfiles import ROOT, Dockerfile, as_nobody
from tests.support.serving.remote_guide import read_block
from thaw.serving.hosts import OPEN_TO_ALL

IMAGE = Dockerfile("dashboard.Dockerfile")
COMPOSE = (ROOT / "compose.yaml").read_text("utf-8")


def entrypoint() -> list[str]:
    return json.loads(IMAGE.only("ENTRYPOINT"))


def healthy() -> list[str]:
    return json.loads(IMAGE.only("HEALTHCHECK").partition("CMD ")[2])


def test_it_serves_as_a_user_without_rights_and_not_to_everyone_unasked():
    names = [name for name, _ in IMAGE.instructions]
    assert IMAGE.only("FROM") == "python:3.11-slim"
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert int(IMAGE.only("USER")) > 1000
    assert f"--uid {IMAGE.only('USER')} " in IMAGE.all("RUN")[-1]
    words = entrypoint()
    assert words[:3] == ["streamlit", "run", "app.py"]
    # What follows goes to Thaw, so that compose.yaml and whoever runs the image can add to it.
    assert "--" in words
    assert OPEN_TO_ALL not in words
    assert f"--server.port={IMAGE.only('EXPOSE')}" in words
    assert f"127.0.0.1:{IMAGE.only('EXPOSE')}" in healthy()[-1]


def test_what_is_copied_exists_and_is_let_through():
    ignored = (ROOT / "dashboard.Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
    assert sorted(IMAGE.copied()) == sorted(line[1:] for line in ignored if line.startswith("!"))
    assert all((ROOT / name).exists() for name in IMAGE.copied())
    assert ".streamlit" not in IMAGE.copied()


def test_what_is_installed_is_locked_and_the_gpu_has_its_own():
    installs = [value for value in IMAGE.all("RUN") if "pip install" in value]
    locks = [re.findall(r"-r (\S+)", value) for value in installs]
    assert locks == [["requirements.lock", "signin.lock"], ["gpu.lock"]]
    assert all("--require-hashes" in value for value in installs)
    assert installs[1].startswith(f'if [ "${IMAGE.only("ARG").partition("=")[0]}" = yes ]')
    assert "nvidia-" in (ROOT / "gpu.lock").read_text("utf-8")


def test_what_it_writes_lies_in_its_volume():
    environment = dict(pair.split("=", 1) for pair in IMAGE.only("ENV").split())
    assert all(environment[name].startswith(f"{IMAGE.only('VOLUME')}/") for name in ("HOME", "THAW_WORKSPACE"))
    assert f"workspace:{IMAGE.only('VOLUME')}\n" in COMPOSE
    for line in ("read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]', "- /tmp"):
        assert line in COMPOSE


def test_compose_opens_the_port_to_this_machine_alone_and_says_what_the_switch_needs():
    published = re.findall(r'^ +- "?([\d.:]*8501)"?$', COMPOSE, re.M)
    assert published == ["127.0.0.1:8501:8501"]
    assert f'command: ["{OPEN_TO_ALL}"]' in COMPOSE
    named = re.findall(r"dockerfile: (\S+)", COMPOSE)
    assert named == ["dashboard.Dockerfile"]
    assert re.findall(r'^ +(\w+): "yes"', COMPOSE, re.M) == [IMAGE.only("ARG").partition("=")[0]]


def test_the_guides_secrets_lie_where_streamlit_looks_for_them():
    place = f"{IMAGE.only('WORKDIR')}/.streamlit/secrets.toml"
    assert f":{place}:ro" in read_block("override")


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_its_steps_work_in_a_fresh_environment(tmp_path):
    """Needs a package index; installs TensorFlow, which takes minutes. The GPU's packages are left out."""
    environment = IMAGE.take_steps(tmp_path, {"GPU": "no"})
    data, photos = tmp_path / "data", tmp_path / "photos"
    photos.mkdir()
    options = as_nobody(tmp_path, data) | {"cwd": tmp_path / "work"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment |= {"HOME": str(data / "home"), "THAW_WORKSPACE": str(data / "workspace")}
    command = [{"/photos": str(photos)}.get(word, word.replace("8501", port)) for word in entrypoint()]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)
    assert refused.returncode == 2
    assert "Expected Thaw to listen on this machine alone" in refused.stderr
    asking = [word.replace(":8501", f":{port}") for word in healthy()]
    process = subprocess.Popen([*command, OPEN_TO_ALL], env=environment, **options)
    try:
        deadline = time.monotonic() + 480
        while subprocess.run(asking, env=environment, capture_output=True, **options).returncode:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(1)
        page = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(page)
        assert (data / "workspace" / "thaw.sqlite3").exists()
        if options.get("user"):
            assert (data / "workspace").stat().st_uid != os.geteuid()
    finally:
        process.terminate()
        assert process.wait(60) in (0, -15)
