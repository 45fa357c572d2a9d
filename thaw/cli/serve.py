"""The command `serve`: from its arguments to a service that answers until it is told to stop."""

import contextlib
import dataclasses
import re
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from thaw.cli.commands import command
from thaw.cli.output import Output, quieten_tensorflow
from thaw.detection.found import CONFIDENCE
from thaw.serving.detector_engine import DetectorEngine
from thaw.serving.engine import Engine
from thaw.serving.exported import open_export, write_repository
from thaw.serving.hosts import LOOPBACK
from thaw.serving.loading import load_export, load_run
from thaw.serving.request_time import Limits, timed
from thaw.serving.service import Service
from thaw.storage.export_record import export_folder
from thaw.storage.store import Store
from tlcore.errors import RunError, SettingsError

_ORIGIN = re.compile(r"https?://[^/\s?#@*]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_IDLE_CONNECTION_S = 30
_LAST_ANSWERS_S = 60


@command("serve", "RUN_OR_EXPORT is a run, or the folder or .zip of an export.")
@click.argument("source", metavar="RUN_OR_EXPORT")
@click.option("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
@click.option("--port", type=int, default=8600, help="default: 8600; 0 takes a free one")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="let pages of this origin, such as https://example.org, ask from a browser; may be repeated",
)
@click.option("--name", default="thaw", help="what the model is called in addresses (default: thaw)")
@click.option(
    "--confidence", type=float, help=f"of a detector: how sure it must be of what it tells (default: {CONFIDENCE})"
)
@click.option(
    "--tensorflow-serving",
    "repository",
    metavar="FOLDER",
    help="serve nothing; write the folder that TensorFlow Serving needs",
)
def run_serve(
    store: Store,
    source: str,
    host: str,
    port: int,
    origins: Sequence[str],
    name: str,
    confidence: float | None,
    repository: str | None,
) -> Output:
    """Serve a run or an export until interrupted or told to end; or write the folder that TensorFlow Serving needs."""
    quieten_tensorflow()
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"Expected a name of letters, digits, dots, dashes and underscores. Received: {name!r}. "
            "It becomes part of an address."
        )
    if repository:
        with open_export(_find_export(store, source)) as export:
            return write_repository(export, name, Path(repository))
    allowed = _read_origins(origins)
    # FastAPI takes a fifth of a second to import, which `serve --help` and refusals need not wait for.
    from thaw.serving.app import build_app

    with _listening(host, port) as listener:
        service = Service(name, choose_confidence(load_engine(store, source), confidence))
        hosts = LOOPBACK if host in LOOPBACK else None
        _serve(build_app(service, hosts, allowed), listener, _announce(service, host, listener))
    return {"served": name, "run": service.engine.run}


def _read_origins(given: Sequence[str]) -> Sequence[str]:
    """Return the origins as browsers send them; raise SettingsError for what is none."""
    for origin in given:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"Expected an origin, such as https://example.org or http://localhost:3000. Received: {origin!r}. "
                "Leave out what comes after the name and port; * allows every page."
            )
    return [origin.lower() for origin in given]


def choose_confidence(engine: Engine, confidence: float | None) -> Engine:
    """Return a detector's engine that tells what it is at least so sure of (0 to 1), or as it is where that is None.

    Raises SettingsError for a classifier, whose threshold is kept with its run.
    """
    if confidence is None:
        return engine
    if not 0 <= confidence <= 1:
        raise SettingsError(f"Expected a confidence from 0 to 1. Received: {confidence}.")
    if not isinstance(engine, DetectorEngine):
        raise SettingsError(
            "Expected --confidence with a model that finds objects. Received: one that tells classes apart. Its "
            "threshold is the one that was kept on the Evaluation page; leave --confidence out."
        )
    return dataclasses.replace(engine, threshold=confidence)


def load_engine(store: Store, source: str) -> Engine:
    """Make the engine of an export (a folder or a zip, if there is such a path) or of a run.

    Raises RunError or WeightsError where there is none to be made.
    """
    if not Path(source).exists():
        return load_run(store, store.run(source))
    with open_export(Path(source)) as export:
        return load_export(export)


def _find_export(store: Store, source: str) -> Path:
    path = Path(source)
    if path.exists():
        return path
    exported = export_folder(store.workspace, store.run(source).id)
    if not exported.is_dir():
        raise RunError(
            f"Expected a run that was exported. Received: {source!r}, which was not. "
            f"Export it first: `python -m thaw export {source}`."
        )
    return exported


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the address before the model is loaded, which takes seconds; raise SettingsError where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as problem:
        raise SettingsError(
            f"Expected an address to listen at. Received: {host}, port {port}: {problem}. Choose another --port or "
            "--host, or end the program that uses it."
        ) from problem
    with listener:
        yield listener


def _announce(service: Service, host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    lines = [
        f"Serving {service.engine.run} as {service.name!r} at http://{shown}:{listener.getsockname()[1]} "
        "(Ctrl+C ends it)."
    ]
    if host not in LOOPBACK:
        lines.append(
            f"Warning: {host} can be reached from other machines, and the service asks nobody who they are (no "
            "password, no encryption). Put it behind a server that does, or leave --host out."
        )
    return "\n".join(lines)


def _serve(app: ASGIApp, listener: socket.socket, words: str) -> None:
    config = uvicorn.Config(
        app,
        http=timed(H11Protocol, Limits()),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_CONNECTION_S,
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
    server = _Announcing(config, words)
    # uvicorn takes these signals while it runs, ends well, and then raises them once more.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)


class _Announcing(uvicorn.Server):
    """Says where the service is once it answers."""

    def __init__(self, config: uvicorn.Config, words: str) -> None:
        super().__init__(config)
        self._words = words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._words, file=sys.stderr, flush=True)  # noqa: T201
