"""The server: Streamlit over the navigation script, the upload and picture routes, and the guard on who asks.

Run it with `streamlit run app.py`, or `streamlit run app.py -- --workspace DIR` to keep everything elsewhere; `--root
DIR` allows the browser to import from that folder instead of from the home folder, and may be given several times.
On another address than this machine's own it starts only where pages.ui.server.listening lets it.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config

from pages.ui import warm_up
from pages.ui.page import failure
from pages.ui.server import headers, listening, sign_in
from pages.ui.server.doorkeeper import Doorkeeper
from pages.ui.server.guard import Guard
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse, refuse_workspace
from thaw.backbones import device_report
from thaw.disk import trash
from thaw.errors import WorkspaceError
from thaw.jobs import lifecycle
from thaw.jobs.standby import standby
from thaw.jobs.sweeper import sweep
from thaw.serving.hosts import OPEN_TO_ALL
from thaw.serving.request_time import RequestTime
from thaw.sources import allowed_folders
from thaw.storage.store import Store
from thaw.storage.workspace import ENVIRONMENT_VARIABLE, open_workspace
from tlcore import environment
from tlcore.errors import DatasetError, SettingsError

LOOK_AGAIN_S = 10.0


def choose_workspace(arguments: list[str]) -> None:
    """Make `--workspace DIR` the workspace of this server and of every process that it starts, and each `--root DIR` a
    folder that the browser may import from; end the program where it would listen to others without asking who."""
    parser = argparse.ArgumentParser(prog="streamlit run app.py --")
    parser.add_argument("--workspace", type=Path, help="folder that holds everything Thaw keeps")
    parser.add_argument(
        "--root",
        type=Path,
        action="append",
        default=[],
        help="folder that the browser may import from (default: the home folder)",
    )
    parser.add_argument(
        OPEN_TO_ALL,
        dest="open_to_all",
        action="store_true",
        help="listen where other machines reach Thaw, and ask nobody who they are",
    )
    chosen = parser.parse_args(arguments)
    if chosen.workspace is not None:
        os.environ[ENVIRONMENT_VARIABLE] = str(chosen.workspace.expanduser().resolve())
    try:
        allowed_folders.allow(chosen.root)
    except DatasetError as problem:
        parser.error(str(problem))
    try:
        signs_in = sign_in.read_rules() is not None
        listening.require_door(config.get_option("server.address"), signs_in, chosen.open_to_all)
    except SettingsError as problem:
        parser.exit(2, f"{problem}\n")
    listening.LocalOnly.open_to_all = chosen.open_to_all


def prepare() -> Store:
    """Tell the truth about jobs whose process died while no server was there, clear what they left, see the device.

    Raises WorkspaceError where the workspace cannot be used as it is.
    """
    store = Store(open_workspace())
    sweep(store)
    trash.start_emptying(store)
    device_report.look_again_if_due(store.workspace)
    warm_up.start(store)
    environment.spare_modules()
    return store


class Caretaker:
    """Sees to the workspace of this server: once when it can be used, and every few seconds to jobs that died."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._told = ""

    def look(self) -> None:
        """Prepare, or tell of the jobs that are dead; what is wrong with the workspace is said once, in one line."""
        try:
            if self._store is None:
                self._store = prepare()
            elif self._store.unfinished_jobs():
                lifecycle.reconcile(self._store)
            standby.end_idle()
        except WorkspaceError as problem:
            if str(problem) != self._told:
                sys.stderr.write(f"{problem}\n")
            self._told = str(problem)

    async def keep_looking(self) -> None:
        """Look again and again, in a thread, so that what is said to be running is, within 15 s."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            await asyncio.to_thread(self.look)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Prepare the workspace and look after it for as long as the server lives; the pages say what is wrong with it."""
    caretaker = Caretaker()
    caretaker.look()
    looking = asyncio.create_task(caretaker.keep_looking())
    yield
    looking.cancel()


if Path(sys.argv[0]).name == Path(__file__).name:
    choose_workspace(sys.argv[1:])

app = st.App(
    Path(__file__).parent / "pages" / "ui" / "navigation.py",
    lifespan=lifespan,
    routes=ROUTES,
    middleware=[Middleware(Guard), Middleware(listening.LocalOnly), Middleware(Doorkeeper), Middleware(RequestTime)],
    on_script_error=failure.show,
    exception_handlers={UploadRefused: refuse, WorkspaceError: refuse_workspace, Exception: headers.tell_failure},
)
