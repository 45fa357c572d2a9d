"""Both phases in other ways than one device in float32: on two devices, in half precision, with less of a batch kept,
and by JAX, which shows that a Keras backend does all that they ask for. What is learnt is the same."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
# What Keras has no call for, and why, stands in these.
KNOW_TENSORFLOW = {"backend.py", "tensorflow_graphs.py"}


def run(*ways, **environment):
    command = [sys.executable, "-m", "tests.support.models.both_phases", *ways]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


def test_tensorflow_is_called_where_keras_has_no_call_and_nowhere_else():
    files = [*(ROOT / "tlcore" / "models").glob("*.py"), *(ROOT / "tlcore" / "training").glob("*.py")]
    calling = {
        file.name for file in files if re.search(r"^\s*(import|from) tensorflow\b", file.read_text("utf-8"), re.M)
    }
    assert calling == KNOW_TENSORFLOW


@pytest.fixture(scope="module")
def ways():
    return run("plain", "rematerialised", "mirrored", "half")


def losses(found):
    return np.array(found["tuned"])


def test_two_devices_learn_what_one_does_in_as_many_steps(ways):
    one, two = ways["plain"], ways["mirrored"]
    # Each batch is shared out, so that there are no more and no fewer of them.
    assert two["steps"] == one["steps"] > 0
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-4)
    np.testing.assert_allclose(two["probabilities"], one["probabilities"], atol=1e-4)
    assert two["drift"] == 0


def test_what_is_computed_again_is_what_was_kept(ways):
    np.testing.assert_allclose(losses(ways["rematerialised"]), losses(ways["plain"]), rtol=1e-6)


def test_half_precision_scales_its_loss_and_answers_in_full(ways):
    half = ways["half"]
    assert (half["precision"], half["optimizer"]) == ("mixed_float16", "LossScaleOptimizer")
    assert (half["head_dtype"], half["output"], half["weights"]) == ("float32", "float32", ["float32"])
    # The scale of the loss begins so large that the first step may be left out.
    np.testing.assert_allclose(losses(half), losses(ways["plain"]), rtol=0.05)
    assert half["drift"] == 0


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed; CONTRIBUTING.md has the command that runs this",
)
def test_both_phases_learn_the_same_by_jax(ways):
    by_jax = run("plain", "rematerialised", "half", TLCORE_BACKEND="jax", JAX_PLATFORMS="cpu")
    for way in ("plain", "rematerialised"):
        np.testing.assert_allclose(losses(by_jax[way]), losses(ways["plain"]), rtol=1e-3)
        assert by_jax[way]["drift"] == 0
    # What a head begins with is drawn by each backend in its own way.
    head = np.array(by_jax["plain"]["head"])
    assert (head[-1] < head[0]).all()
    half = by_jax["half"]
    assert (half["precision"], half["optimizer"], half["head_dtype"]) == (
        "mixed_float16",
        "LossScaleOptimizer",
        "float32",
    )
    np.testing.assert_allclose(losses(half), losses(ways["plain"]), rtol=0.05)
