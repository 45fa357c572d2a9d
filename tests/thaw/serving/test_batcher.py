"""The line in front of the network: who shares a batch, who is turned away, and that nothing is lost at the end."""

import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest

from thaw.serving.batcher import LARGEST_BATCH, MOST_WAITING, Batcher
from thaw.serving.limits import Refused


class Network:
    """Means as probabilities; waits while `door` is shut, and notes the size of every batch."""

    def __init__(self):
        self.door = threading.Event()
        self.door.set()
        self.entered = threading.Semaphore(0)
        self.sizes = []

    def __call__(self, pixels):
        self.sizes.append(len(pixels))
        self.entered.release()
        assert self.door.wait(20)
        return pixels.mean(axis=(1, 2)).astype(np.float32)

    def shut(self, batcher):
        """Shut the door behind one picture, so that what comes next stands in line; return that picture's future."""
        self.door.clear()
        future = batcher.submit(pictures(7))
        assert self.entered.acquire(timeout=20)
        return future


def pictures(*shades):
    return np.stack([np.full((4, 4, 3), shade, np.uint8) for shade in shades])


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def batcher(network):
    with Batcher(network, lambda size: None) as started:
        yield started
        network.door.set()


def shades_of(future):
    return future.result(20)[:, 0].tolist()


def test_a_lone_picture_does_not_wait_for_company(batcher, network):
    assert shades_of(batcher.submit(pictures(5))) == [5]
    assert network.sizes == [1]


def test_what_waits_together_shares_a_batch_and_each_gets_its_own_answer(batcher, network):
    first = network.shut(batcher)
    futures = [batcher.submit(pictures(*range(start, start + 3))) for start in (10, 20, 30)]
    assert batcher.waiting == 9
    network.door.set()
    assert shades_of(first) == [7]
    assert [shades_of(future) for future in futures] == [[10, 11, 12], [20, 21, 22], [30, 31, 32]]
    assert network.sizes == [1, 6, 3]
    assert batcher.waiting == 0


def test_a_large_order_is_cut_into_batches(batcher, network):
    shades = list(range(2 * LARGEST_BATCH + 1))
    assert shades_of(batcher.submit(pictures(*shades))) == shades
    assert network.sizes == [LARGEST_BATCH, LARGEST_BATCH, 1]


def test_a_full_line_refuses_at_once_and_takes_orders_again_later(batcher, network):
    first = network.shut(batcher)
    waiting = [batcher.submit(pictures(1)) for _ in range(MOST_WAITING)]
    started = time.monotonic()
    with pytest.raises(Refused, match=f"{MOST_WAITING} pictures in line") as refused:
        batcher.submit(pictures(2))
    # What waited for the network would wait until the door opens, which is below.
    assert time.monotonic() - started < 10
    assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})
    network.door.set()
    assert all(shades_of(future) == [1] for future in waiting)
    assert shades_of(first) == [7]
    assert shades_of(batcher.submit(pictures(3))) == [3]


def test_a_cancelled_order_is_never_computed(batcher, network):
    first = network.shut(batcher)
    given_up, kept = batcher.submit(pictures(1, 2)), batcher.submit(pictures(3))
    assert given_up.cancel()
    network.door.set()
    assert shades_of(kept) == [3]
    assert shades_of(first) == [7]
    assert network.sizes == [1, 1]
    with pytest.raises(CancelledError):
        given_up.result(1)


def test_a_batch_that_fails_costs_only_itself():
    def network(pixels):
        if pixels[0, 0, 0, 0] == 13:
            raise MemoryError("no room for it")
        return pixels.mean(axis=(1, 2))

    with Batcher(network) as batcher:
        with pytest.raises(MemoryError, match="no room for it"):
            batcher.submit(pictures(13)).result(20)
        assert shades_of(batcher.submit(pictures(14))) == [14]
        assert batcher.alive


def test_closing_answers_what_stands_in_line_and_takes_no_more(network):
    batcher = Batcher(network)
    with batcher:
        network.shut(batcher)
        waiting = [batcher.submit(pictures(shade)) for shade in (1, 2)]
        threading.Timer(0.2, network.door.set).start()
    assert [shades_of(future) for future in waiting] == [[1], [2]]
    assert not batcher.alive
    with pytest.raises(Refused, match="stopping"):
        batcher.submit(pictures(3))
