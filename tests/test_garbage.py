"""The search for garbage stays away while something is built, and comes back whatever happens."""

import gc
import threading

import pytest

from tlcore.garbage import uncollected


def test_nothing_is_collected_inside_and_all_is_as_before_after_it():
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_comes_back_after_a_failure():
    @uncollected()
    def fail():
        assert not gc.isenabled()
        raise ValueError("on purpose")

    for _ in range(2):
        with pytest.raises(ValueError, match="on purpose"):
            fail()
        assert gc.isenabled()


def test_it_stays_away_where_it_was_away():
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_comes_back_when_two_threads_were_inside():
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with uncollected():
            entered.set()
            leave.wait(10)

    with uncollected():
        other = threading.Thread(target=hold)
        other.start()
        assert entered.wait(10)
    leave.set()
    other.join(10)
    assert gc.isenabled()
