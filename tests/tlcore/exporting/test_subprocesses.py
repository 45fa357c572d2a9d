"""Processes run for a job: their lines are heard, their ends explained, and none outlives the job."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tlcore.errors import Stopped
from tlcore.exporting.subprocesses import Killed, Subprocesses

# The standard library's own module that runs a statement given to it.
MODULE = "timeit"


def once(statement: str) -> list[str]:
    return ["-n", "1", "-r", "1", statement]


def test_what_a_process_prints_is_heard(tmp_path):
    heard: list[str] = []
    with Subprocesses(tmp_path, lambda: None) as processes:
        assert processes.run(MODULE, once("print('32')"), heard.append) is None
    assert heard[0] == "32"


def test_a_failure_is_told_by_its_last_line_and_a_crash_by_its_signal(tmp_path):
    with Subprocesses(tmp_path, lambda: None) as processes:
        assert "no such operation" in (
            processes.run(MODULE, once("raise SystemExit('no such operation')"), print) or ""
        )
        assert "SIGABRT" in (processes.run(MODULE, once("import os; os.abort()"), print) or "")
        assert "status 3" in (processes.run(MODULE, once("import os; os._exit(3)"), print) or "")


def test_a_process_stays_until_a_line_is_said_to_it_and_no_longer_than_the_work(tmp_path):
    heard: list[str] = []
    echo = "import os; print(os.getpid(), 'ready', sep='\\n', flush=True); print(input(), flush=True)"
    with Subprocesses(tmp_path, lambda: None) as processes:
        answering, silent = (processes.start(MODULE, once(echo)) for _ in range(2))
        assert answering.listen(heard.append, "ready") is None
        assert silent.listen(heard.append, "ready") is None
        answering.say("a word")
        assert answering.listen(heard.append) is None
        assert heard[2] == "a word"
        failed = processes.start(MODULE, once("raise SystemExit('before it was ready')"))
        assert failed.listen(heard.append, "ready") == "SystemExit: before it was ready"
        assert psutil.pid_exists(int(heard[1]))
    assert not psutil.pid_exists(int(heard[1]))


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_one_that_is_killed_as_it_stays_is_no_verdict(tmp_path):
    heard: list[str] = []
    wait_for_a_line = "import os; print(os.getpid(), 'ready', sep='\\n', flush=True); input()"
    with Subprocesses(tmp_path, lambda: None) as processes:
        staying = processes.start(MODULE, once(wait_for_a_line))
        assert staying.listen(heard.append, "ready") is None
        os.kill(int(heard[0]), signal.SIGKILL)
        with pytest.raises(Killed, match="was killed"):
            staying.listen(heard.append)
        another = processes.start(MODULE, once("import sys; sys.stdout.close()"))
        another.kill()
        another.say("a line that nobody hears")


def test_tasks_go_side_by_side_and_a_stop_ends_them(tmp_path):
    looks = 0

    def watch() -> None:
        nonlocal looks
        looks += 1
        if looks > 3:
            raise Stopped

    started = time.monotonic()
    with Subprocesses(tmp_path, watch) as processes, pytest.raises(Stopped):
        processes.side_by_side([lambda: processes.run(MODULE, once("import time; time.sleep(300)"), print)] * 3, 2)
    assert time.monotonic() - started < 200
    with Subprocesses(tmp_path, lambda: None) as processes:
        assert processes.side_by_side([lambda: 1, lambda: 2, lambda: 3], 2) == [1, 2, 3]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_process_that_is_killed_ends_the_others_and_is_no_verdict(tmp_path):
    started = time.monotonic()
    statements = ["import time; time.sleep(300)", "import os; os.kill(os.getpid(), 9)"]
    with Subprocesses(tmp_path, lambda: None) as processes, pytest.raises(Killed, match=r"was killed.*memory"):
        processes.side_by_side([lambda each=each: processes.run(MODULE, once(each), print) for each in statements], 2)
    assert time.monotonic() - started < 200


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_no_process_outlives_a_job_that_is_killed(tmp_path):
    program = (
        "import pathlib, sys; from tlcore.exporting.subprocesses import Subprocesses\n"
        f"with Subprocesses(pathlib.Path({str(tmp_path)!r}), lambda: None) as processes:\n"
        f"    processes.run('timeit', {once('import os, time; print(os.getpid(), flush=True); time.sleep(60)')!r},"
        " lambda line: print(line, flush=True))"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root) as job:
        child = psutil.Process(int(job.stdout.readline()))
        job.send_signal(signal.SIGKILL)
    child.wait(60)
