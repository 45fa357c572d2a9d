"""The two ends of the pipe between a job and the process that speaks with Ray, without Ray."""

from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.support.cluster.tasks import add
from thaw.cluster.node import hash_file
from thaw.cluster.ray_runner import DriverProcess, RayRunner
from thaw.cluster.runner import Call, ClusterError
from tlcore.progress import never_stop

# More than a pipe holds.
MUCH = bytes(4_000_000)


def say_much_before_hearing(pipe: Connection, _address: str) -> None:
    pipe.send(("told", MUCH))
    pipe.send(("heard", len(pipe.recv())))


def take_what_is_sent(pipe: Connection, _address: str) -> None:
    asked = pipe.recv()
    pipe.send(("ready", hash_file(asked["witness"] + " of another machine") == asked["sha256"]))
    pipe.send(("places", 1, 2))
    number, sent = pipe.recv()
    pipe.send(("done", number, "head", sent))
    pipe.poll(None)


def test_both_may_send_more_than_a_pipe_holds():
    with closing(DriverProcess(say_much_before_hearing, "auto")) as driver:
        driver.send(MUCH)
        assert driver.hear(30) == ("told", MUCH)
        assert driver.hear(30) == ("heard", len(MUCH))
        for _ in range(2):
            with pytest.raises(ClusterError, match="was lost"):
                driver.hear(30)


def test_a_file_that_cannot_be_read_costs_its_own_task(monkeypatch):
    monkeypatch.setattr("thaw.cluster.driver.drive", take_what_is_sent)

    def carry(task: str) -> str:
        if task == "gone":
            raise FileNotFoundError(2, "No such file", task)
        return f"{task}, carried"

    with closing(RayRunner("auto", print)) as runner:
        call = Call(add, None, carry, Path(__file__))
        ended = {each.number: each for each in runner.run(call, enumerate(["gone", "there"]), never_stop)}
    assert "FileNotFoundError" in ended[0].reason
    assert ended[1].result == "there, carried"


def test_a_node_does_not_see_files_of_which_nobody_can_read_the_first(monkeypatch, tmp_path):
    monkeypatch.setattr("thaw.cluster.driver.drive", take_what_is_sent)
    with closing(RayRunner("auto", print)) as runner:
        call = Call(add, None, lambda task: f"{task}, carried", tmp_path / "gone")
        assert [each.result for each in runner.run(call, enumerate(["there"]), never_stop)] == ["there, carried"]
