"""A page's token: the same for its session, of no use to another, and gone with the session."""

import pytest
from streamlit import runtime

from pages.ui.server.token import PageTokens


class Runtime:
    """Says which sessions there are, as Streamlit's does; `exists` and `get_instance` stand for its module."""

    def __init__(self) -> None:
        self.active: set[str] = set()

    def is_active_session(self, session: str) -> bool:
        return session in self.active


@pytest.fixture
def running(monkeypatch):
    made = Runtime()
    monkeypatch.setattr(runtime, "exists", lambda: True)
    monkeypatch.setattr(runtime, "get_instance", lambda: made)
    return made


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("pages.ui.server.token.time.monotonic", lambda: now[0])
    return now


def test_a_session_has_one_token_and_no_two_have_the_same():
    tokens = PageTokens()
    first = tokens.give("one", "")
    assert tokens.give("one", "") == first
    assert tokens.give("two", "") != first
    assert tokens.holds(first, "")
    for other in ("", first[:-1], f"{first} "):
        assert not tokens.holds(other, "")


def test_a_token_is_of_one_sign_in():
    tokens = PageTokens()
    first = tokens.give("one", "anna")
    assert tokens.holds(first, "anna")
    assert not tokens.holds(first, "ben")
    assert not tokens.holds(first, "")
    second = tokens.give("one", "ben")
    assert second != first
    assert not tokens.holds(first, "anna")
    assert tokens.holds(second, "ben")


def test_a_token_outlives_a_broken_connection_and_ends_with_its_session(running, clock):
    tokens = PageTokens()
    running.active = {"one"}
    token = tokens.give("one", "")
    clock[0] += 3600
    assert tokens.holds(token, "")
    running.active = set()
    clock[0] += 119
    assert tokens.holds(token, "")
    clock[0] += 2
    assert not tokens.holds(token, "")
    tokens.give("two", "")
    assert list(tokens._by_session) == ["two"]
