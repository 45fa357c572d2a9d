"""The runtime of web pages in a workspace: kept once somebody gave its file, or had their own npm fetch it."""

import shutil
import subprocess
from pathlib import Path

from thaw.storage.workspace import Workspace
from tlcore.errors import SettingsError
from tlcore.exporting.web.runtime import BYTES, COMMAND, FILE, PACKAGE, VERSION, is_runtime, read_runtime
from tlcore.files import replacing, scratch_folder

NPM_WITHIN_S = 600


def kept_runtime(workspace: Workspace) -> Path | None:
    """Return where the runtime lies in a workspace, or None where nobody brought it yet."""
    path = workspace.runtimes / FILE
    # Its content is looked at where it is used; here a page is drawn.
    return path if path.is_file() and path.stat().st_size == BYTES else None


def keep_runtime(workspace: Workspace, given: Path) -> Path:
    """Keep the package that somebody brought; return where it lies.

    Raises SettingsError where it is another file than the one that is known, which is the only one that is ever run.
    """
    read_runtime(given.expanduser())
    path = workspace.runtimes / FILE
    with replacing(path) as temporary:
        shutil.copyfile(given.expanduser(), temporary)
    return path


def fetch_runtime(workspace: Workspace) -> Path:
    """Have the person's own npm fetch the package, from wherever theirs does; return where it lies.

    npm unpacks nothing and runs no script of it. Raises SettingsError, with the remedy, where there is no npm, where it
    fails, and where it brings another file.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SettingsError(
            f"Expected npm, which comes with Node.js. It is not installed here. Run `{COMMAND}` on a computer that has "
            "it, and bring the file."
        )
    with scratch_folder("runtime") as folder:
        command = [npm, "pack", "--ignore-scripts", "--loglevel=error", f"{PACKAGE}@{VERSION}"]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=NPM_WITHIN_S,
                check=False,
            )
        except subprocess.TimeoutExpired as problem:
            raise SettingsError(
                f"Expected npm to bring {FILE} within {NPM_WITHIN_S // 60} minutes. It did not. Look at the network, "
                f"or run `{COMMAND}` elsewhere and bring the file."
            ) from problem
        if not is_runtime(folder / FILE):
            said = done.stderr.strip().splitlines()[-1:] or ["another file came"]
            raise SettingsError(
                f"Expected npm to bring {FILE}. Received: {said[0]}. Look at the network, or run `{COMMAND}` elsewhere "
                "and bring the file."
            )
        return keep_runtime(workspace, folder / FILE)
