"""Tasks in processes of this machine: as they end, few at a time, failures told and the rest done."""

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.support.cluster.tasks import Piece, add, carry
from thaw.cluster.runner import AHEAD, HERE, Call, LocalRunner, Window, tell_problem
from tlcore.errors import Stopped
from tlcore.progress import never_stop

ROOT = Path(__file__).parents[3]
CALL = Call(add, 100, carry, Path(__file__))


def run(pieces, call=CALL, check_stop=never_stop):
    with closing(LocalRunner(2)) as runner:
        return {each.number: each for each in runner.run(call, enumerate(pieces), check_stop)}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    mark = tmp_path_factory.mktemp("marks") / "died"
    does = {3: "fails", 5: f"dies once {mark}"}
    return run([Piece(number, does.get(number, ""), str(Path(__file__))) for number in range(8)])


def test_every_task_ends_once_with_its_result(mixed):
    assert sorted(mixed) == [*range(8)]
    good = [number for number in mixed if number != 3]
    assert [mixed[number].result[0] for number in sorted(good)] == [100 + number for number in sorted(good)]
    assert {mixed[number].result[1] for number in good} == {Path(__file__).read_bytes()}
    assert os.getpid() not in {mixed[number].result[2] for number in good}
    assert {each.node for each in mixed.values()} == {HERE}


def test_a_task_that_always_fails_is_left_out_with_its_reason(mixed):
    assert mixed[3].reason == "ValueError: a picture that nobody can read"
    assert mixed[3].result is None


def test_a_task_whose_process_always_dies_is_told_too():
    found = run([Piece(0, "dies")])
    assert found[0].reason == "its process died, perhaps for want of memory"


def test_no_process_outlives_the_one_that_wanted_it():
    code = """
from pathlib import Path
from tests.support.cluster.tasks import Piece, add, carry
from thaw.cluster.runner import Call, LocalRunner
from tlcore.progress import never_stop
call, pieces = Call(add, 100, carry, Path(".")), [Piece(0), Piece(1, "takes long")]
for each in LocalRunner(2).run(call, enumerate(pieces), never_stop):
    print("one ended", flush=True)
"""
    job = psutil.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert job.stdout.readline() == b"one ended\n"
    workers = job.children(recursive=True)
    assert len(workers) >= 2
    job.kill()
    job.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []


def test_a_stop_ends_what_is_under_way():
    offered, asked = [], []

    def offer():
        for number in range(10_000):
            offered.append(number)
            yield number, Piece(number)

    def check_stop():
        asked.append(1)
        if len(asked) > 3:
            raise Stopped

    started = time.monotonic()
    with closing(LocalRunner(2)) as runner, pytest.raises(Stopped):
        [*runner.run(CALL, offer(), check_stop)]
    assert time.monotonic() - started < 30
    assert len(offered) < 200, "tasks are made as they are wanted"


def test_a_window_lets_no_task_out_that_is_far_from_the_first_that_is_not_done():
    window = Window(iter([(number, str(number)) for number in range(10)]))
    assert [window.next(AHEAD)[0] for _ in range(AHEAD)] == [*range(AHEAD)]
    assert window.next(AHEAD) is None
    window.end(1)
    assert window.next(AHEAD) is None, "the first is still waited for"
    assert not window.idle
    window.end(0)
    assert window.next(AHEAD) == (AHEAD, str(AHEAD))


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (MemoryError(), "there was not enough memory"),
        (OSError("a\nb"), "OSError: a"),
        (KeyError(), "KeyError"),
    ],
)
def test_a_problem_is_told_in_a_line(problem, words):
    assert tell_problem(problem) == words
