"""A data set of a million rows: how long every page takes to open on it and a split to be made, and in what memory.

    python -m benchmarks.scale.rows [make] [script] [server] [split] [--rows 1000000] [--workspace FOLDER]

`make` writes the workspace: rows without pixels, of 20 kinds, that came in parts of 50,000; a twentieth have a
near-duplicate, some are held out or excluded, and a run has judged a fifth of them. The photos that stand first in each
kind have a thumbnail. `script` times the script of each page by Streamlit's test harness, at first and again; `server`
opens each in Chromium by address, twice, and prints the memory of the server; `split` divides the data set and prints
the memory of this process, for which it is to be asked for alone. A workspace that is there already is not made anew.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from benchmarks.data_gate import announce, invented, megabytes
from benchmarks.page_opening import PAGES, add_map, add_run, measure_scripts, measure_server
from tests.browser.harness import CHROMIUM
from thaw.datasets.run_split import choose_split
from thaw.storage.database import new_id
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import ENVIRONMENT_VARIABLE, Workspace, open_workspace
from thaw.training.feature_map import MOST_PLACED
from tlcore.photos import SetAside
from tlcore.settings import HeadSettings

KINDS = 20
AT_ONCE = 50_000
TWINS, HELD_OUT, LEFT_OUT, SET_ASIDE = 20, 200, 1000, 500
# So many of each kind are looked at: what a page shows of it at most.
IN_VIEW = 60
JUDGED_SHARE = 0.2
DATASET_NAME = "a million"


def make(workspace: Workspace, rows: int) -> str:
    """Write a data set of `rows` images and a run on it; return the id of the data set."""
    store, dataset_id, chance = Store(workspace), new_id("data"), np.random.default_rng(0)
    thumbnail = workspace.thumbnail(dataset_id, "all")
    thumbnail.parent.mkdir(parents=True)
    Picture.effect_noise((160, 120), 60).save(thumbnail)
    for start in range(0, rows, AT_ONCE):
        images = list(_invent(range(start, min(rows, start + AT_ONCE)), dataset_id, chance))
        for number, image in enumerate(images, start):
            if number < KINDS * IN_VIEW:
                workspace.thumbnail(dataset_id, image.id).hardlink_to(thumbnail)
        aside = [
            SetAside(f"torn {number}.jpg", "It cannot be read.") for number in range(start, start + AT_ONCE, SET_ASIDE)
        ]
        if start:
            store.add_to_dataset(dataset_id, "a benchmark", Arrival(images, aside))
        else:
            store.add_dataset(dataset_id, DATASET_NAME, "a benchmark", Arrival(images, aside))
    learnt = store.images(dataset_id)
    np.random.default_rng(0).shuffle(learnt)  # type: ignore[arg-type]
    run_id = add_run(store, dataset_id, learnt, round(JUDGED_SHARE * len(learnt)), seed=0)
    add_map(store, run_id, learnt[:MOST_PLACED])
    return dataset_id


def _invent(numbers: range, folder: str, chance: np.random.Generator) -> Iterator[Image]:
    for number in numbers:
        place, kind = divmod(number, KINDS)
        label = f"kind {kind}"
        yield replace(
            invented(number, folder, chance),
            label=label,
            imported_label=label,
            name=f"{DATASET_NAME}/{label}/{number}.jpg",
            lookalike=f"twins {kind} {place // TWINS}" if place % TWINS < 2 else "",
            role="holdout" if place % HELD_OUT == 7 else "main",
            excluded=place % LEFT_OUT == LEFT_OUT - 2,
        )


def measure_split(workspace: Workspace, dataset_id: str) -> None:
    """Divide the data set as a run would, and print the seconds and the largest memory of the process."""
    store = Store(workspace)
    before, started = _peak_bytes(), time.perf_counter()
    images = store.images(dataset_id)
    read, held = time.perf_counter() - started, _peak_bytes()
    parts = choose_split(store, dataset_id, HeadSettings(), images)
    seconds = time.perf_counter() - started
    print(
        f"  {len(parts.training):,} to learn from, {len(parts.validation):,} that judge, {len(parts.holdout):,} held "
        f"out: {seconds:.2f} s, of which the rows were read in {read:.2f} s; the rows take {megabytes(held - before)}, "
        f"the process at most {megabytes(_peak_bytes())}",
        flush=True,
    )


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="make, script, server, split (default: all)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="images in the data set")
    parser.add_argument("--workspace", type=Path, help="the folder of the workspace, which is kept")
    parser.add_argument("--page", nargs="+", default=list(PAGES), choices=PAGES, help="which pages (default: all)")
    arguments = parser.parse_args()
    parts = arguments.parts or ["make", "script", "server", "split"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        workspace = open_workspace(arguments.workspace or scratch / "workspace")
        if not Store(workspace).datasets():
            started = time.perf_counter()
            make(workspace, arguments.rows)
            print(f"  {arguments.rows:,} rows were written in {time.perf_counter() - started:.0f} s", flush=True)
        dataset_id = Store(workspace).datasets()[0].id
        os.environ[ENVIRONMENT_VARIABLE] = str(workspace.root)
        if "script" in parts:
            announce("The pages' scripts")
            measure_scripts(arguments.page)
        if "server" in parts and CHROMIUM is not None:
            announce("In Chromium, by address")
            measure_server(workspace, scratch, arguments.page)
        if "split" in parts:
            announce("The split")
            measure_split(workspace, dataset_id)


if __name__ == "__main__":
    main()
