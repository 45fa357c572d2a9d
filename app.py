"""The server: Streamlit over the navigation script, the upload and picture routes, and the guard on who asks.

Run it with `streamlit run app.py`, or `streamlit run app.py -- --workspace DIR` to keep everything elsewhere; `--root
DIR` allows the browser to import from that folder instead of from the home folder, and may be given several times.
"""

import argparse
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from pages.ui import failure, policy, read_ahead, upload
from pages.ui.guard import Guard
from pages.ui.items import UploadRefused
from pages.ui.routes import ROUTES, refuse
from tlcore import datasets, devices, garbage, jobs, roots, trash
from tlcore.arrival import Arrival
from tlcore.errors import DatasetError
from tlcore.store import Store
from tlcore.workspace import ENVIRONMENT_VARIABLE, open_workspace


def choose_workspace(arguments: list[str]) -> None:
    """Make `--workspace DIR` the workspace of this server and of every process that it starts, and each `--root DIR` a
    folder that the browser may import from."""
    parser = argparse.ArgumentParser(prog="streamlit run app.py --")
    parser.add_argument("--workspace", type=Path, help="folder that holds everything Thaw keeps")
    parser.add_argument(
        "--root",
        type=Path,
        action="append",
        default=[],
        help="folder that the browser may import from (default: the home folder)",
    )
    chosen = parser.parse_args(arguments)
    if chosen.workspace is not None:
        os.environ[ENVIRONMENT_VARIABLE] = str(chosen.workspace.expanduser().resolve())
    try:
        roots.allow(chosen.root)
    except DatasetError as problem:
        parser.error(str(problem))


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Tell the truth about jobs whose process died while no server was there, clear what they left, see the device."""
    store = Store(open_workspace())
    jobs.reconcile(store)
    datasets.sweep(store)
    upload.sweep(store)
    trash.start_emptying(store)
    devices.start_probe(store.workspace)
    read_ahead.start(store)
    garbage.spare_modules()
    yield


if Path(sys.argv[0]).name == Path(__file__).name:
    choose_workspace(sys.argv[1:])

app = st.App(
    Path(__file__).parent / "pages" / "ui" / "navigation.py",
    lifespan=lifespan,
    routes=ROUTES,
    middleware=[Middleware(Guard), Middleware(Arrival)],
    on_script_error=failure.show,
    exception_handlers={UploadRefused: refuse, Exception: policy.tell_failure},
)
