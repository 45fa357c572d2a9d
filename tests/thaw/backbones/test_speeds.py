"""Measuring speed: for real in a process of its own, kept by device, and refused while a run works."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from thaw.backbones import speeds as kept
from thaw.backbones.speeds import Measuring, read_measuring, read_speeds, start_measuring
from thaw.storage.workspace import open_workspace
from tlcore.processes import ticking

ROOT = Path(__file__).parents[3]


def test_a_measurement_is_kept_by_device_beside_older_ones(tmp_path, wait_for):
    workspace = open_workspace(tmp_path)
    assert read_measuring(workspace) is None
    assert read_speeds(workspace) == {}
    older = {"CPU: another": {"vgg16": 99.0}}
    (tmp_path / "speed.json").write_text(json.dumps(older))
    start_measuring(workspace, ["mobilenet-v2-96"])
    assert read_measuring(workspace).active
    wait_for(lambda: not read_measuring(workspace).active, 120, "the measurement's end")
    assert read_measuring(workspace).error == ""
    speeds = read_speeds(workspace)
    assert speeds.pop("CPU: another") == older["CPU: another"]
    ((device, measured),) = speeds.items()
    assert device.startswith(("CPU: ", "GPU: "))
    # From a fast GPU to a slow laptop.
    assert 0.01 < measured["mobilenet-v2-96"] < 1000
    assert set(measured) == {"mobilenet-v2-96"}


@pytest.mark.parametrize(("row", "words"), [("efficientnet-lite0", "when the run has ended"), ("vgg99", "vgg99")])
def test_a_busy_machine_and_an_unknown_row_are_refused_without_tensorflow(tmp_path, row, words):
    workspace = open_workspace(tmp_path)
    command = [sys.executable, "-X", "importtime", "-m", "thaw.backbones.speeds", "--workspace", str(tmp_path), row]
    with FileLock(workspace.device_lock):
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert re.search(r"\|\s+tlcore\.errors$", ended.stderr, re.MULTILINE)
    assert not re.search(r"\|\s+(tensorflow|keras)$", ended.stderr, re.MULTILINE)
    said = read_measuring(workspace)
    assert said.finished
    assert not said.active
    assert words in said.error
    assert read_speeds(workspace) == {}


def test_a_measurement_whose_process_died_is_not_awaited_for_ever():
    assert Measuring("vgg16", 0, 1, ticking()).active
    assert not Measuring("vgg16", 0, 1, ticking() - 1000).active


def test_a_later_device_comes_last_so_that_it_is_the_one_shown(tmp_path):
    workspace = open_workspace(tmp_path)
    for device, row in (("CPU: a", "vgg16"), ("CPU: b", "vgg16"), ("CPU: a", "resnet50")):
        kept._keep(workspace, device, row, 1.5)
    assert list(read_speeds(workspace).items()) == [
        ("CPU: b", {"vgg16": 1.5}),
        ("CPU: a", {"vgg16": 1.5, "resnet50": 1.5}),
    ]
