"""Starts a module of Thaw as a process of its own: the worker that does jobs, and each process that is no job."""

import subprocess
import sys
from typing import Any

from tlcore.environment import SOURCE_ROOT


def child_command(module: str, *words: str) -> list[str]:
    """Return what runs `module` with these words by this very Python, to be started in `SOURCE_ROOT`."""
    return [sys.executable, "-m", module, *words]


def start_child(module: str, *words: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start `module` with these words, and with Popen's `options`; it finds Thaw's code wherever this process stands.

    An unreaped child still answers as alive, so someone must wait for it where that is asked.
    """
    return subprocess.Popen(child_command(module, *words), cwd=SOURCE_ROOT, **options)


def start_unheard(module: str, *words: str) -> None:
    """Start `module` with these words and go on: what it finds it writes into the workspace, and nothing hears it."""
    nowhere = subprocess.DEVNULL
    start_child(module, *words, stdin=nowhere, stdout=nowhere, stderr=nowhere)
