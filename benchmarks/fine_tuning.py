"""Phase 2 on the sample digits: its gain at the defaults, how right the estimates are, and what a depth probe costs.

    python benchmarks/fine_tuning.py [gain] [estimates] [probe] [--seeds 3]

Without names of parts all three are measured, in one run, through the command line as a person would call it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from thaw.storage.store import Store  # noqa: E402
from thaw.storage.workspace import LAYERS_FILE, open_workspace  # noqa: E402
from thaw.training.costs import expect_costs  # noqa: E402
from tlcore.settings import FineTuneSettings  # noqa: E402

DEPTHS = (29, 55, 141)
EPOCHS = 2


def ask(workspace: Path, *words: str) -> dict[str, Any]:
    """Run a command and return its answer, with the seconds that its process took as `took`."""
    command = [sys.executable, "-m", "thaw", *words, "--workspace", str(workspace), "--json"]
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return json.loads(done.stdout) | {"took": time.monotonic() - started}


def measure_gain(workspace: Path, dataset: str, seeds: int) -> None:
    """Train both phases at the defaults for each seed and print what phase 2 gained."""
    gains = []
    for seed in range(seeds):
        head = ask(workspace, "train", dataset, "--seed", str(seed))
        tuned = ask(workspace, "finetune", head["run"])
        gains.append(100 * (tuned["val_accuracy"] - head["val_accuracy"]))
        print(
            f"  seed {seed}: head {head['val_accuracy']:.1%} in {head['took']:.0f} s, fine-tuned "
            f"{tuned['val_accuracy']:.1%} in {tuned['took']:.0f} s: {gains[-1]:+.1f} points",
            flush=True,
        )
    print(f"  mean {statistics.mean(gains):+.1f} points")


def measure_estimates(workspace: Path, run_id: str) -> None:
    """Fine-tune at several depths for a few epochs and print the seconds beside those that the slider tells."""
    store = Store(open_workspace(workspace))
    run = store.run(run_id)
    folder = store.workspace.run(run_id)
    layers = json.loads((folder / LAYERS_FILE).read_text())
    with np.load(folder / "head.npz", allow_pickle=False) as arrays:
        parameters = sum(arrays[name].size for name in arrays.files)
    for depth in DEPTHS:
        settings = FineTuneSettings(layers=depth, epochs=EPOCHS)
        costs = expect_costs(run.facts, layers, parameters, run.head, settings)
        # So many layers at once need the head's last word: the benchmark is of the time alone.
        tuned = ask(workspace, "finetune", run_id, "--layers", str(depth), "--epochs", str(EPOCHS), "--insist")
        told, took = costs.total_s or 0.0, tuned["seconds"]["total"]
        print(f"  top {depth}: {told:.0f} s told, {took:.0f} s taken ({told / took - 1:+.0%})", flush=True)


def measure_probe(workspace: Path, run_id: str, deepest: int) -> None:
    """Probe six depths, fine-tune once with everything unfrozen at the defaults, and print the ratio."""
    probe = ask(workspace, "probe", run_id)
    plain = ask(workspace, "finetune", run_id, "--layers", str(deepest))
    epochs = sum(epoch["phase"] == 2 for epoch in plain["epochs"])
    print(
        f"  {len(probe['depths'])} depths in {probe['took']:.0f} s; one plain phase 2 of all {deepest} layers, "
        f"{epochs} epochs, in {plain['took']:.0f} s: the probe costs {probe['took'] / plain['took']:.2f} of it"
    )


def announce(words: str) -> None:
    print(f"{words} (load average {os.getloadavg()[0]:.1f} before, {os.cpu_count()} CPUs)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="gain, estimates, probe (default: all)")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    parts = arguments.parts or ["gain", "estimates", "probe"]
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name)
        dataset = ask(workspace, "import", "digits")["dataset"]
        if "gain" in parts:
            announce("The digits at the defaults")
            measure_gain(workspace, dataset, arguments.seeds)
        if {"estimates", "probe"} & set(parts):
            run_id = ask(workspace, "train", dataset)["run"]
        if "estimates" in parts:
            announce(f"Estimates of {EPOCHS} epochs")
            measure_estimates(workspace, run_id)
        if "probe" in parts:
            announce("The depth probe")
            measure_probe(workspace, run_id, DEPTHS[-1])


if __name__ == "__main__":
    main()
