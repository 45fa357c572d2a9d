"""Which device will be used, and why not a GPU: the words for every machine, and the probe for real."""

import importlib.metadata
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from thaw.backbones import device_report
from thaw.backbones.device_report import (
    DeviceReport,
    explain_no_gpu,
    keep_report,
    look_again_if_due,
    read_report,
    start_probe,
)
from thaw.jobs.devices import processor_name
from thaw.storage.workspace import Workspace, open_workspace


@pytest.mark.parametrize(
    ("machine", "reason", "remedy"),
    [
        (("Windows", True, False), "no GPU support on Windows", "WSL2"),
        (("Windows", False, False), "no GPU support on Windows", "WSL2"),
        (("Darwin", False, False), "macOS runs on the CPU", "Nothing needs doing"),
        (("Linux", False, True), "No NVIDIA GPU was found", "nvidia-smi lists it"),
        (("Linux", False, False), "No NVIDIA GPU was found", "Nothing needs doing"),
        (("Linux", True, False), "made without CUDA", "pip install --require-hashes -r gpu.lock"),
        (("Linux", True, True), "could not load the CUDA libraries", "driver"),
    ],
)
def test_every_machine_without_a_gpu_gets_its_reason_and_remedy(machine, reason, remedy):
    said = explain_no_gpu(*machine)
    assert reason in said[0]
    assert remedy in said[1]


def test_the_probe_reports_from_a_process_of_its_own(tmp_path, wait_for):
    workspace = open_workspace(tmp_path)
    assert read_report(workspace) is None
    loaded, started = "tensorflow" in sys.modules, time.time()
    start_probe(workspace)
    (process,) = (each for each in psutil.Process().children() if "thaw.backbones.device_report" in each.cmdline())
    own = psutil.Process().nice()
    wait_for(lambda: process.nice() > own, 30, "a probe that gives way to others")
    wait_for(lambda: read_report(workspace) is not None, 90, "the probe's report")
    report = read_report(workspace)
    assert ("tensorflow" in sys.modules) == loaded
    assert report.device in ("CPU", "GPU")
    assert report.name
    assert (report.reason == "") == (report.device == "GPU")
    assert bool(report.reason) == bool(report.remedy)
    assert report.tensorflow_version.startswith("2.")
    assert started <= report.probed_at <= time.time()


def test_a_probe_that_cannot_ask_tensorflow_says_so(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libcuda is broken')")
    workspace = open_workspace(tmp_path / "workspace")
    command = [sys.executable, "-m", "thaw.backbones.device_report", "--workspace", str(workspace.root)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])}
    subprocess.run(command, check=True, timeout=60, env=environment, cwd=tmp_path)
    report = read_report(workspace)
    assert (report.device, report.tensorflow_version) == ("unknown", "")
    assert "libcuda is broken" in report.reason
    assert "import tensorflow" in report.remedy


@pytest.fixture
def found() -> DeviceReport:
    reason, remedy = explain_no_gpu("Linux", False, False)
    return DeviceReport("CPU", processor_name(), reason, remedy, importlib.metadata.version("tensorflow"), 0.0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Workspace]:
    asked: list[Workspace] = []
    monkeypatch.setattr(device_report, "start_probe", asked.append)
    monkeypatch.setattr(device_report.shutil, "which", lambda program: None)
    return asked


@pytest.mark.parametrize(
    ("otherwise", "asks"),
    [
        ({}, False),
        ({"name": "another processor"}, True),
        ({"tensorflow_version": "2.1.0"}, True),
        ({"device": "unknown", "tensorflow_version": ""}, True),
        ({"device": "GPU"}, True),
    ],
)
def test_a_server_asks_again_only_where_the_answer_may_be_another(tmp_path, found, asked, otherwise, asks):
    workspace = open_workspace(tmp_path)
    keep_report(workspace, replace(found, **otherwise))
    look_again_if_due(workspace)
    assert bool(asked) == asks


def test_a_server_asks_where_nobody_has_and_where_a_driver_was_installed_since(tmp_path, found, asked, monkeypatch):
    workspace = open_workspace(tmp_path)
    look_again_if_due(workspace)
    assert len(asked) == 1
    keep_report(workspace, found)
    monkeypatch.setattr(device_report.shutil, "which", lambda program: f"/usr/bin/{program}")
    look_again_if_due(workspace)
    assert len(asked) == 2
