import os
import subprocess
import sys
import time

import pytest

from tlcore.processes import MARK, is_alive, mark, start_of, ticking


def test_time_goes_on_alike_for_every_process():
    before = ticking()
    code = "from tlcore.processes import ticking; print(ticking())"
    there = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert before < there < ticking()


def test_setting_the_clock_back_changes_nothing(monkeypatch):
    before = ticking()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert before <= ticking() < before + 60


def test_a_process_is_known_by_its_number_and_its_start():
    started = start_of(os.getpid())
    assert started
    assert is_alive(os.getpid())
    assert is_alive(os.getpid(), started)
    assert not is_alive(os.getpid(), started + 1), "the number came round again"
    found = MARK.fullmatch(mark())
    assert (int(found["pid"]), int(found["started"])) == (os.getpid(), started)


@pytest.mark.skipif(os.name != "posix", reason="zombies of POSIX")
def test_a_process_that_nobody_has_waited_for_is_dead():
    child = subprocess.Popen(["sleep", "30"])
    assert is_alive(child.pid, start_of(child.pid))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid)
    child.wait()
    assert not is_alive(child.pid)
