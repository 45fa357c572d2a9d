"""How long it takes to export a run and prove every file, and how fast each file answers, in one run.

    python benchmarks/exporting.py [--images 1000] [--size 224] [--backbone efficientnet-lite0]

Trains a head on twice as many photos, half of them for validation, then exports it by the command line as a person
would; the seconds count from the command's start to the end of its process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.photos import write_photos  # noqa: E402

LIMIT_S = 120


def ask(workspace: Path, *words: str) -> dict[str, Any]:
    """Run a command and return its answer, with the seconds of its process as `took` and of all its CPUs as `cpu`."""
    command = [sys.executable, "-m", "thaw", *words, "--workspace", str(workspace), "--json"]
    started, before = time.monotonic(), os.times()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(done.stdout) | {"took": time.monotonic() - started, "cpu": cpu}


def main() -> None:
    """Train, export, and print the figures."""
    parser = argparse.ArgumentParser(description="Measure an export and its proof.")
    parser.add_argument("--images", type=int, default=1000, help="for validation")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch) / "workspace"
        photos = write_photos(Path(scratch) / "photos", 2 * arguments.images)
        dataset = ask(workspace, "import", str(photos))["dataset"]
        words = ("--backbone", arguments.backbone, "--image-size", str(arguments.size), "--validation-split", "0.5")
        run = ask(workspace, "train", dataset, *words, "--epochs", "10")["run"]
        made = ask(workspace, "export", run)
    judged = sum(each["images"] for each in made["formats"][0]["proof"]["judged"])
    print(f"{arguments.backbone} at {arguments.size} pixels, {judged:,} validation images, {os.cpu_count()} cores")
    for each in made["formats"]:
        if each["proof"] is None:
            print(f"  {each['name']:15} {each['verdict']}: {each['reason']}")
            continue
        proof = each["proof"]
        differing = sum(part["disagreements"] for part in proof["judged"])
        largest = max(part["largest_difference"] for part in proof["judged"])
        print(
            f"  {each['name']:15} {each['verdict']:8} {(each['bytes'] or 0) / 1e6:6.1f} MB  "
            f"one image {proof['latency_ms']:6.1f} ms  {proof['batch']} images {proof['batch_ms']:6.0f} ms  "
            f"{differing} other classes, at most {largest:.1e} apart"
        )
    print(
        f"  {made['took']:.0f} s in all ({made['cpu']:.0f} s of CPU; expected under {LIMIT_S} s), of which the job "
        f"{made['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
