"""Which process is which, and how much time has passed: told by what does not change when someone sets the clock."""

import os
import re
import time
from pathlib import Path

import psutil

# The process that made a temporary name, as the name itself has it; earlier names lack when the process started.
MARK = re.compile(r"(?P<pid>\d+)(?:-(?P<started>\d+))?")
_STATE, _STARTED = 0, 19


def ticking() -> float:
    """Return seconds since this machine started; unlike the time of day, nobody can set it back."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def start_of(pid: int) -> int | None:
    """Return when a living process started, in ticks of this machine; None where there is none, or only a zombie.

    Numbers of processes come round again. Together with its start a number stands for one process alone.
    """
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # The name of the program stands in parentheses and may itself hold spaces and parentheses.
        fields = stat.rpartition(")")[2].split()
        return None if fields[_STATE] in ("Z", "X") else int(fields[_STARTED])
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 100)
    except psutil.Error:
        return None


def is_alive(pid: int, started: int | None = None) -> bool:
    """Say whether process `pid` is alive and, where it is known when it started, still the same one."""
    found = start_of(pid)
    return found is not None and started in (None, found)


def mark() -> str:
    """Return what names this process in a temporary name, as `MARK` reads it."""
    return f"{os.getpid()}-{start_of(os.getpid()) or 0}"
