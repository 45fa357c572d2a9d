"""Joining a cluster and looking at its machines: what is wrong is said in words, before any work starts."""

import pytest

from tests.support.cluster.nodes import free_port
from thaw.cluster.connection import LEAST_FREE_BYTES, connect, find_fault, own_versions, require_address
from thaw.cluster.node import SAME, describe, hash_file
from thaw.cluster.runner import ClusterError
from tlcore import __version__


@pytest.mark.parametrize(
    ("address", "place"),
    [("lab:6379", ("lab", 6379)), ("10.0.0.1:1", ("10.0.0.1", 1)), ("[::1]:6379", ("::1", 6379)), ("auto", None)],
)
def test_an_address_is_a_host_and_a_port_or_auto(address, place):
    assert require_address(address) == place


@pytest.mark.parametrize("address", ["lab", "ray://lab:10001", "lab:port", "lab:70000", "local", ""])
def test_what_is_no_address_is_told_with_the_form_of_one(address):
    with pytest.raises(ClusterError, match="Expected the address of a Ray cluster as HOST:PORT"):
        require_address(address)


def test_where_nothing_listens_that_is_told_with_the_address():
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError, match=f"Expected a Ray cluster at {address}. Received: no answer"):
        connect(address)


def test_this_machine_describes_itself():
    said = describe(SAME, __file__)
    assert said["versions"] == own_versions(SAME)
    assert said["versions"]["thaw"] == __version__
    assert said["witness"] == hash_file(__file__)
    assert said["free_bytes"] > 0
    assert describe((), "/nowhere")["witness"] is None


OWN = {"python": "3.11.7", "numpy": "2.4.6", "thaw": "1.0"}


@pytest.mark.parametrize(
    ("there", "free", "words"),
    [
        ({}, LEAST_FREE_BYTES, None),
        ({"numpy": None, "thaw": None}, LEAST_FREE_BYTES, "lab-2 is left out: it lacks numpy, thaw. Install"),
        ({"numpy": "2.4.5"}, LEAST_FREE_BYTES, "it has numpy 2.4.5 where this machine has 2.4.6. Install the same"),
        ({"python": "3.11.8"}, LEAST_FREE_BYTES, "it has python 3.11.8 where this machine has 3.11.7"),
        ({}, LEAST_FREE_BYTES - 1, "lab-2 is left out: its disk has 500 MB left"),
    ],
)
def test_a_machine_that_is_unfit_is_named_with_the_remedy(there, free, words):
    found = find_fault("lab-2", {"versions": OWN | there, "free_bytes": free}, OWN)
    assert found == words if words is None else words in found


def test_what_this_machine_lacks_no_other_needs():
    assert find_fault("lab-2", {"versions": {"a": "1"}, "free_bytes": LEAST_FREE_BYTES}, {"a": None}) is None
