"""Work of a job spread over a cluster: in order, on which machines in words, and here where there is none."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.cluster.nodes import free_port
from tests.support.cluster.tasks import Piece, add, carry
from thaw.cluster import spreading
from thaw.cluster.runner import ClusterError, Outcome
from thaw.cluster.spreading import VARIABLE, ClusterSpread, choose_cluster, chosen_cluster, find_spread
from thaw.jobs.reporter import Reporter
from tlcore.progress import never_stop

ADDRESS = "lab:6379"


@pytest.fixture
def reporter(store):
    return Reporter(store, store.add_job("import", {}))


def spread(reporter, pieces, address=ADDRESS):
    made = ClusterSpread(address, reporter)(add, 100, pieces, carry, Path(__file__), never_stop)
    with closing(made) as results:
        return [each and each[0] for each in results]


def note(reporter):
    return reporter.store.job(reporter.job_id).note


class Somewhere:
    """Stands for the cluster: does tasks two by two and the second first, fails those that say so, and is lost as
    `lost` of them have ended."""

    nodes, lost, left_out = 3, None, ""

    def __init__(self, address, tell):
        self.address, self.ended = address, 0
        if self.left_out:
            tell(self.left_out)

    def run(self, call, tasks, check_stop):
        tasks = [*tasks] if self.lost is None else tasks
        pairs = zip(tasks[::2], tasks[1::2], strict=True) if self.lost is None else ((each,) for each in tasks)
        for pair in pairs:
            for number, piece in reversed(pair):
                if self.ended == self.lost:
                    raise ClusterError(f"The cluster at {self.address} was lost.")
                self.ended += 1
                if piece.does == "fails":
                    yield Outcome(number, "lab-2", reason="ValueError: no picture")
                else:
                    yield Outcome(number, "lab-2", add(call.common, piece))

    def close(self):
        pass


@pytest.fixture
def somewhere(monkeypatch):
    kind = type("Somewhere", (Somewhere,), {})
    monkeypatch.setattr(spreading, "RayRunner", kind)
    return kind


def test_a_cluster_is_what_the_variable_or_the_command_names(monkeypatch, store, reporter):
    monkeypatch.setenv(VARIABLE, "")
    assert chosen_cluster() is None
    assert find_spread(reporter) is None
    choose_cluster(None)
    assert chosen_cluster() is None
    choose_cluster(ADDRESS)
    assert chosen_cluster() == ADDRESS
    assert isinstance(find_spread(reporter), ClusterSpread)
    assert find_spread(Reporter(store, store.add_job("look_ahead", {}))) is None, "nobody has asked for that"


def test_results_come_in_order_and_the_note_says_where_and_how_fast(somewhere, reporter):
    assert spread(reporter, [Piece(number) for number in range(6)]) == [100 + number for number in range(6)]
    told = note(reporter)
    assert told.startswith(f"On 3 machines of the cluster at {ADDRESS}, ")
    assert told.endswith(" photos/s.")


def test_what_failed_is_none_and_told_with_its_machine(somewhere, reporter):
    found = spread(reporter, [Piece(number, "fails" if number == 1 else "") for number in range(4)])
    assert found == [100, None, 102, 103]
    assert "1 photo failed three times, lastly on lab-2 (ValueError: no picture)" in note(reporter)


def test_a_machine_that_is_left_out_is_told_once(somewhere, reporter):
    somewhere.left_out = "lab-3 is left out: it lacks numpy."
    spread(reporter, [Piece(0), Piece(1)])
    assert note(reporter).startswith("lab-3 is left out: it lacks numpy. On 3 machines")


def test_a_cluster_that_is_lost_leaves_the_rest_to_this_machine(somewhere, reporter):
    somewhere.lost = 3
    assert spread(reporter, [Piece(number) for number in range(8)]) == [100 + number for number in range(8)]
    told = note(reporter)
    assert told.startswith(
        f"The cluster at {ADDRESS} was lost. What is not done yet is computed on this machine. On this machine"
    )


def test_no_cluster_at_the_address_leaves_all_to_this_machine(reporter):
    address = f"127.0.0.1:{free_port()}"
    assert spread(reporter, [Piece(1), Piece(2)], address) == [101, 102]
    assert note(reporter).startswith(f"Expected a Ray cluster at {address}. Received: no answer")


def test_why_nothing_is_done_there_is_told(reporter):
    ClusterSpread(ADDRESS, reporter).decline("TensorFlow runs the network, on this machine's GPU")
    assert note(reporter) == (
        f"Computed on this machine and not on the cluster at {ADDRESS}: TensorFlow runs the network, on this machine's "
        "GPU."
    )
