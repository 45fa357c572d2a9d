"""A real Ray cluster of one node on this machine: tasks, their failures, and what is not a cluster."""

import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.cluster.nodes import cluster, free_port
from tests.support.cluster.tasks import Piece, add, carry
from thaw.cluster import ray_runner
from thaw.cluster.ray_runner import RayRunner, look_at
from thaw.cluster.runner import Call, ClusterError
from tlcore.errors import Stopped
from tlcore.progress import never_stop

pytest.importorskip("ray", reason="pip install '.[cluster]', to run tasks on a real Ray cluster")

CALL = Call(add, 100, carry, Path(__file__))


@pytest.fixture(scope="module")
def lab():
    with cluster() as made:
        yield made


def run(address, pieces, call=CALL, told=None, check_stop=never_stop):
    with closing(RayRunner(address, (told if told is not None else []).append, packages=())) as runner:
        return {each.number: each for each in runner.run(call, enumerate(pieces), check_stop)}


@pytest.fixture(scope="module")
def mixed(lab, tmp_path_factory):
    mark, told = tmp_path_factory.mktemp("marks") / "died", []
    does = {3: "fails", 5: f"dies once {mark}"}
    pieces = [Piece(number, does.get(number, ""), str(Path(__file__))) for number in range(8)]
    return run(lab.address, pieces, told=told), told


def test_every_task_ends_once_with_its_result_and_the_node(mixed):
    outcomes, told = mixed
    assert sorted(outcomes) == [*range(8)]
    good = sorted(number for number in outcomes if number != 3)
    assert [outcomes[number].result[0] for number in good] == [100 + number for number in good]
    assert {outcomes[number].result[1] for number in good} == {Path(__file__).read_bytes()}
    assert {each.node for each in outcomes.values()} == {"head"}
    assert told == []


def test_a_task_that_always_fails_is_left_out_with_its_reason(mixed):
    assert mixed[0][3].reason == "ValueError: a picture that nobody can read"


@pytest.mark.parametrize(
    ("does", "words"),
    [("fills the disk", "head is left out: its disk is full"), ("lacks a package", "head is left out: it lacks")],
)
def test_a_node_that_cannot_is_named_and_without_another_the_cluster_is_given_up(lab, does, words):
    told = []
    with pytest.raises(ClusterError, match="a machine of the cluster"):
        run(lab.address, [Piece(0, does)], told=told)
    assert [each[: len(words)] for each in told] == [words]


def test_a_stop_ends_what_is_under_way(lab):
    asked = []

    def check_stop():
        asked.append(1)
        if len(asked) > 20:
            raise Stopped

    with pytest.raises(Stopped):
        run(lab.address, (Piece(number, "takes long") for number in range(10_000)), check_stop=check_stop)


def test_the_nodes_are_listed_with_what_they_do(lab):
    (node,) = look_at(lab.address)
    assert (node.name, node.alive, node.cpus, node.gpus) == ("head", True, 1.0, 0.0)
    assert node.memory_bytes > 0


def test_what_listens_and_is_no_ray_is_told_in_time(monkeypatch):
    monkeypatch.setattr(ray_runner, "JOINED_WITHIN_S", 8.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(ClusterError, match=address):
            look_at(address)
    assert time.monotonic() - started < 40


def test_no_cluster_is_told_at_once():
    started = time.monotonic()
    with pytest.raises(ClusterError, match="no answer"):
        look_at(f"127.0.0.1:{free_port()}")
    assert time.monotonic() - started < 30
