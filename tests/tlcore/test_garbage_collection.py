"""The search for garbage stays away while something is built, and comes back whatever happens."""

import gc
import sys
import threading

import pytest

from tlcore.environment import spare_modules, uncollected


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
            leave.wait(60)

    with uncollected():
        other = threading.Thread(target=hold)
        other.start()
        assert entered.wait(60)
    leave.set()
    other.join(60)
    assert gc.isenabled()


def test_modules_are_passed_over_once_for_every_time_that_some_were_loaded(monkeypatch):
    frozen = gc.get_freeze_count()
    monkeypatch.setitem(sys.modules, "a module of this test", None)
    try:
        spare_modules()
        spared = gc.get_freeze_count()
        assert spared > frozen
        kept = [[] for _ in range(1000)]
        spare_modules()
        assert gc.get_freeze_count() <= spared, f"{len(kept)} lists were passed over although no module was loaded"
    finally:
        gc.unfreeze()
