"""The command `app`: serves the dashboard, from the sources or from where an installation has put its pages."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from thaw.cli.commands import command
from thaw.cli.output import Output
from thaw.serving.hosts import OPEN_TO_ALL
from thaw.storage.workspace import Workspace
from tlcore.environment import SOURCE_ROOT
from tlcore.errors import ThawError

# Where pyproject.toml has the wheel keep app.py, the pages and Streamlit's settings.
INSTALLED = Path(__file__).parents[1] / "site" / "app.py"


@command("app", opens=lambda workspace: workspace)
@click.option("--port", type=int, default=8501, help="default: 8501")
@click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="DIR",
    help="folder that the browser may import from (default: the home folder); may be repeated",
)
@click.option("--listen", metavar="ADDRESS", help="default: 127.0.0.1, which this machine alone reaches")
@click.option(OPEN_TO_ALL, "open_to_all", is_flag=True, help="with --listen: ask nobody who they are")
def run_app(workspace: Workspace, port: int, roots: Sequence[str], listen: str | None, open_to_all: bool) -> Output:
    """Serve the dashboard until interrupted; raise ThawError where Streamlit cannot."""
    script = INSTALLED if INSTALLED.exists() else SOURCE_ROOT / "app.py"
    streamlit = [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}"]
    if listen is not None:
        streamlit.append(f"--server.address={listen}")
    told = ["--workspace", str(workspace.root), *(word for root in roots for word in ("--root", root))]
    told += [OPEN_TO_ALL] * open_to_all
    with subprocess.Popen([*streamlit, "--", *told]) as process:
        # Whoever ends this process means the server; Ctrl+C reaches both by itself.
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()
    if process.returncode > 0:
        raise ThawError(
            f"Expected Streamlit to serve {script}. Received: exit status {process.returncode}, told about above."
        )
    return {"served": str(script)}
