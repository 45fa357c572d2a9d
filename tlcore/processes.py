"""Starts Thaw's own processes, each in a session of its own, so that they outlive the server that started them."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO


def spawn(module: str, arguments: Sequence[str], output: IO[bytes] | int) -> int:
    """Start `python -m module ARGUMENTS` with what it prints going to `output`; return its process id."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd=Path(__file__).parents[1],
    )
    # An unreaped child still answers as alive, so someone must wait for it.
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid
