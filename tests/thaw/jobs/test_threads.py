"""Threads that begin, end and fail, and those for which there is no memory."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from thaw.jobs.threads import start_thread

# With so little more than it has, a process is refused the thread's stack; with room for that alone, the thread begins
# and dies at once.
SHORT = """
import resource, threading
import thaw.jobs.threads
thaw.jobs.threads.BEGINS_WITHIN_S = 2.0
held = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize")) * 1024
resource.setrlimit(resource.RLIMIT_AS, (held + {more}, held + {more}))
threads = []
try:
    while True:
        threads.append(thaw.jobs.threads.start_thread(threading.Event().wait))
except MemoryError as problem:
    print(problem, flush=True)
import os
os._exit(0)
"""


def test_work_is_done_in_a_thread_and_its_end_is_told():
    heard = []
    ended = start_thread(heard.append, 7)
    assert ended.wait(60)
    assert heard == [7]
    held = threading.Event()
    waiting = start_thread(held.wait)
    assert not waiting.wait(0.05)
    held.set()
    assert waiting.wait(60)


@pytest.mark.filterwarnings("ignore")
def test_the_end_is_told_of_work_that_fails_too():
    assert start_thread(lambda: 1 / 0).wait(60)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
@pytest.mark.parametrize("more", [1 << 20, 9 << 20, 64 << 20])
def test_where_memory_ends_that_is_said_and_nobody_waits(more):
    done = subprocess.run(
        [sys.executable, "-c", SHORT.format(more=more)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "no memory for another thread" in done.stdout, done.stderr
