"""How fast every page opens on a large data set, and what the server holds: target under 1 s and under 300 MB.

    python benchmarks/page_opening.py [first] [script] [server] [menu] [--rows 32000] [--judged 6400] [--page NAME ...]

`first` opens the first page in browsers that have never had Thaw open, and once more in each, beside an app of
Streamlit's with nothing but a title: what of it is Streamlit's own. `script` times the script of each page by
Streamlit's own test harness: first with nothing held in memory, then again. `server` opens the pages in Chromium by
address, twice, which loads Streamlit itself anew each time, and prints the server's memory after each; `menu` goes
round the pages twice as people do, by a click in the menu. Both tell when a page is there with its words and
controls, and when every picture and figure is. The images are rows that share one thumbnail; two runs have judged
`judged` of them, are wrong on every fifth, and have a map of all. Of the script both the time that passed and the
time of a CPU are told, since a machine busy with other things makes every page wait.
"""

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import streamlit as st
from playwright.sync_api import Page, sync_playwright
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.data_gate import announce, fill, megabytes  # noqa: E402
from pages.ui.page import steps  # noqa: E402
from tests.browser.harness import CHROMIUM, NO_SKELETON, Server, open_browser, settle, wait_in_page  # noqa: E402
from thaw.datasets.run_split import write_split  # noqa: E402
from thaw.runs.results import predictions_file  # noqa: E402
from thaw.storage.records import Image  # noqa: E402
from thaw.storage.store import Store  # noqa: E402
from thaw.storage.workspace import ENVIRONMENT_VARIABLE, Workspace, open_workspace  # noqa: E402
from thaw.training.feature_map import Projection, keep_projection  # noqa: E402
from tlcore.evaluation.predictions import VALIDATION  # noqa: E402
from tlcore.settings import HeadSettings  # noqa: E402
from tlcore.splits.splits import Split  # noqa: E402
from tlcore.training.history import Epoch  # noqa: E402

PAGES = (
    *("studio", "data", "backbone", "head", "finetune", "mistakes", "evaluation"),
    *("map", "compare", "try_it", "export", "history", "pile", "boxes"),
)
LIMIT_S = 1.0
RUNS, WRONG = 2, 5
ROUNDS = 5
LAYERS = 120
PATIENCE_MS = 240_000
LOOK_MS = 500
# Waits for the frame in which all that a page's script has drawn is there; tells its time in ms, from the page's load.
PLACED = f"""(title) => new Promise((resolve) => {{
    const look = () => {{
        const app = document.querySelector('[data-testid="stApp"]');
        const idle = app?.dataset.testScriptState === 'notRunning';
        // The Studio's heading is within its component.
        const hosts = [...document.querySelectorAll('*')].filter((each) => each.shadowRoot);
        const roots = [document, ...hosts.map((each) => each.shadowRoot)];
        const headed = roots.some((root) => root.querySelector('h1')?.textContent === title);
        if (idle && headed && {NO_SKELETON}) resolve(performance.now());
        else requestAnimationFrame(look);
    }};
    requestAnimationFrame(look);
}})"""
# Clicks on a page of the menu, whose group is opened before where it has one, and tells after how many ms it is there.
OPEN = f"""async ([link, title]) => {{
    for (const group of document.querySelectorAll('[data-testid="stTopNavSection"]')) {{
        if (document.querySelector(link)) break;
        group.click();
        for (let frames = 0; frames < 20 && !document.querySelector(link); frames += 1)
            await new Promise(requestAnimationFrame);
    }}
    const started = performance.now();
    document.querySelector(link).click();
    return ({PLACED})(title).then((there) => there - started);
}}"""
TITLES = {step.name: step.title for step in (*steps.STORY, *steps.STEPS, *steps.ASIDE)}


def add_run(store: Store, dataset_id: str, images: list[Image], judged: int, seed: int) -> str:
    """Record a run that has judged the first images and is wrong on a fifth of them; return its id."""
    labels = sorted({image.label for image in images})
    settings = HeadSettings()
    run_id = store.add_run(dataset_id, settings.backbone, settings.to_json())
    store.update_job(store.add_job("head", {}, dataset_id, run_id), status="finished")
    for number in range(1, 9):
        store.add_epochs(run_id, [Epoch(number, 1, 1 / number, 0.8, 1 / number, 0.8, 0.5)])
    store.set_result(run_id, 1)
    version = store.dataset(dataset_id).version
    store.add_facts(run_id, {"feature_cache": {"folder": "none", "channels": 4}})
    facts = {"seconds_per_image": 0.01, "image_size": 224, "head": {"best_epoch": 8}, "dataset_version": version}
    store.add_facts(run_id, facts)
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_split(store, run_id, Split(labels=labels, training=images[judged:], validation=images[:judged]))
    block = {"kind": "Conv2D", "parameters": 10, "flops": 10, "activation_bytes": 4, "trainable_parameters": 10}
    layers = [
        block | {"name": f"layer_{n}", "block": f"block {n // 8}", "batch_norm": n % 2 == 1} for n in range(LAYERS)
    ]
    (folder / "layers.json").write_text(json.dumps(layers))
    np.savez(folder / "head.npz", **{"head/0": np.zeros((4, len(labels))), "head/1": np.zeros(len(labels))})
    chance = np.random.default_rng(seed)
    said = np.array([labels.index(image.label) for image in images[:judged]])
    said[seed::WRONG] = (said[seed::WRONG] + 1) % len(labels)
    scores = chance.normal(size=(judged, len(labels)))
    scores[np.arange(judged), said] += scores.max(axis=1) - scores[np.arange(judged), said] + chance.random(judged) * 3
    shares = np.exp(scores)
    np.savez(
        folder / predictions_file(1, VALIDATION),
        image_ids=np.array([image.id for image in images[:judged]]),
        probabilities=(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32),
    )
    add_map(store, run_id, images)
    return run_id


def add_map(store: Store, run_id: str, images: list[Image]) -> None:
    """Give a run a map on which its images lie anywhere."""
    places = np.random.default_rng(0).uniform(-1, 1, (len(images), 2)).astype(np.float32)
    keep_projection(store, store.run(run_id), Projection([image.id for image in images], places, "PCA"))


def open_script(name: str, held: bool) -> tuple[float, float]:
    """Run the script of a page as a new visitor's; return the seconds and the CPU seconds, and fail where it failed.

    The first page is run before, and not timed, since another can only be switched to; where nothing is to be `held`
    in memory, what it has read is forgotten again.
    """
    page = AppTest.from_file(str(ROOT / "pages" / "ui" / "navigation.py"), default_timeout=60)
    page.run()
    if not held:
        st.cache_resource.clear()
        st.cache_data.clear()
    if name != PAGES[0]:
        page.switch_page(f"../{name}.py")
    started, cpu = time.perf_counter(), time.process_time()
    page.run()
    if page.exception:
        raise SystemExit(f"Expected a page that opens. Received on {name!r}: {page.exception[0].message}")
    return time.perf_counter() - started, time.process_time() - cpu


def measure_scripts(names: list[str]) -> None:
    """Print the time of each page's script, with nothing held in memory and then with all that it holds."""
    logging.disable(logging.WARNING)
    open_script(names[0], held=False)
    for name in names:
        (first, cpu), (again, cpu_again) = open_script(name, held=False), open_script(name, held=True)
        print(
            f"  {name:<11} {first:.2f} s at first ({cpu:.2f} s of a CPU), {again:.2f} s again ({cpu_again:.2f} s)"
            f"{'' if cpu < LIMIT_S else '  over the limit'}",
            flush=True,
        )


@contextmanager
def chromium_on(workspace: Workspace, scratch: Path) -> Iterator[tuple[Server, Page]]:
    """Start a server and Chromium; yield both once the first page is at rest."""
    server = Server(workspace.root)
    server.start()
    try:
        with sync_playwright() as playwright, open_browser(playwright, scratch / f"profile {server.port}") as context:
            page = context.pages[0]
            page.set_default_timeout(PATIENCE_MS)
            page.goto(server.url)
            settle(page)
            yield server, page
    finally:
        server.stop()


def tell(there_ms: float, complete_s: float) -> str:
    """Say when a page was there with its words and controls, and when with every picture and figure."""
    return f"there after {there_ms / 1000:.2f} s, complete after {complete_s:.2f} s"


def measure_server(workspace: Workspace, scratch: Path, names: list[str]) -> None:
    """Open the pages by address twice, one after the other; print when each is there and complete, and the server's
    memory."""
    with chromium_on(workspace, scratch) as (server, page):
        print(f"  {'at the start':<11} {megabytes(server.process.memory_info().rss)}")
        for name in [*names, *names]:
            started = time.monotonic()
            page.goto(f"{server.url}/{'' if name == PAGES[0] else name}", wait_until="commit")
            shown = page.evaluate(PLACED, TITLES[name])
            settle(page)
            complete = time.monotonic() - started
            held = megabytes(server.process.memory_info().rss)
            print(f"  {name:<11} {tell(shown, complete)}, the server holds {held}", flush=True)
            # As long as a person looks at a page at least.
            page.wait_for_timeout(LOOK_MS)


def measure_first(workspace: Workspace, scratch: Path) -> None:
    """Open the first page in new browsers, and again in each, by turns with an app that is nothing but a title."""
    empty = scratch / "empty.py"
    empty.write_text(f"import streamlit as st\nst.title({TITLES[PAGES[0]]!r})\n")
    servers = {"Thaw": Server(workspace.root), "an empty app": Server(workspace.root, script=empty)}
    waits: dict[tuple[str, str], list[float]] = defaultdict(list)
    try:
        for server in servers.values():
            server.start()
        with sync_playwright() as playwright:
            for number in range(ROUNDS):
                for name, server in servers.items():
                    profile = scratch / f"new {number} {server.port}"
                    with open_browser(playwright, profile) as context:
                        for visit in ("the first time", "again"):
                            page = context.new_page()
                            page.set_default_timeout(PATIENCE_MS)
                            page.goto(server.url, wait_until="commit")
                            waits[name, visit].append(page.evaluate(PLACED, TITLES[PAGES[0]]) / 1000)
                            page.wait_for_timeout(LOOK_MS)
                            page.close()
    finally:
        for server in servers.values():
            server.stop()
    for (name, visit), seconds in waits.items():
        print(f"  {name:<13} {visit:<15} there after {statistics.median(seconds):.2f} s", flush=True)


def measure_menu(workspace: Workspace, scratch: Path, names: list[str]) -> None:
    """Go round the pages twice by the menu; print when each is complete for the first and for the second time."""
    with chromium_on(workspace, scratch) as (_, page):
        wait_in_page(page, "window.Plotly")
        for time_round in ("the first time", "again"):
            print(f"  {time_round}")
            # The first page last: it is open already.
            for name in [*names[1:], names[0]]:
                link = f"[data-testid^='stTopNav'] a[href$='/{'' if name == PAGES[0] else name}']"
                started = time.monotonic()
                shown = page.evaluate(OPEN, [link, TITLES[name]])
                settle(page)
                complete = time.monotonic() - started
                print(f"    {name:<11} {tell(shown, complete)}", flush=True)
                # As long as a person looks at a page at least.
                page.wait_for_timeout(LOOK_MS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="first, script, server, menu (default: all)")
    parser.add_argument("--rows", type=int, default=32_000, help="images in the data set")
    parser.add_argument("--judged", type=int, default=6_400, help="images that judge each run")
    parser.add_argument("--page", nargs="+", default=list(PAGES), choices=PAGES, help="which pages (default: all)")
    arguments = parser.parse_args()
    parts = arguments.parts or ["first", "script", "server", "menu"]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        workspace = open_workspace(scratch / "workspace")
        os.environ[ENVIRONMENT_VARIABLE] = str(workspace.root)
        store = Store(workspace)
        dataset_id = fill(workspace, "many photos", arguments.rows)
        images = store.images(dataset_id)
        np.random.default_rng(0).shuffle(images)
        for seed in range(RUNS):
            add_run(store, dataset_id, images, arguments.judged, seed)
        if "script" in parts:
            announce(f"The pages' scripts, {arguments.rows:,} images, {arguments.judged:,} judged")
            measure_scripts(arguments.page)
        if CHROMIUM is None:
            print("  nothing else is measured: there is no Chromium here")
            return
        if "first" in parts:
            announce("In Chromium, the first page")
            measure_first(workspace, scratch)
        if "server" in parts:
            announce("In Chromium, by address")
            measure_server(workspace, scratch, arguments.page)
        if "menu" in parts:
            announce("In Chromium, by the menu")
            measure_menu(workspace, scratch, arguments.page)


if __name__ == "__main__":
    main()
