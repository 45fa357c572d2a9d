"""The entrance: what a page draws for nobody, for someone who is not on the list, and for someone who is."""

import pytest

from pages.ui.server import sign_in
from tests.support.pages import PAGES, add_dataset, add_run, visit, words
from tests.support.pages import store as store
from tests.support.serving.signing_in import Secrets
from tests.support.serving.signing_in import secrets as secrets
from thaw.storage.store import Store

ANNA = sign_in.SignIn("1", "anna@lab.example", True)
EVE = sign_in.SignIn("2", "eve_*x*@evil.example", False)
NOBODY = sign_in.SignIn("3", "", False)


@pytest.fixture
def asking(store: Store, secrets: Secrets, monkeypatch: pytest.MonkeyPatch):
    """Return a function that says who looks at the pages, of a workspace with a run."""
    add_run(store, add_dataset(store))
    secrets()
    assert sign_in.read_rules() is not None
    return lambda who: monkeypatch.setattr(sign_in, "current", lambda: who)


def buttons(page) -> list[str]:
    return [each.label for each in page.button]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_draws_anything_for_who_is_not_let_in(asking, name):
    for who, drawn in ((None, "Sign in"), (EVE, "Sign out")):
        asking(who)
        page = visit(name)
        assert not page.exception
        assert buttons(page) == [drawn]
        assert [each.value for each in page.title] == ["Thaw"]
        assert not page.get("bidi_component")
        assert "photos**" not in words(page)


def test_who_is_not_on_the_list_is_told_as_whom(asking):
    asking(EVE)
    assert "`eve_*x*@evil.example`" in words(visit("data"))
    asking(NOBODY)
    assert "without an e-mail address" in words(visit("data"))


def test_who_is_on_the_list_sees_the_page_and_the_way_out(asking):
    asking(ANNA)
    page = visit("data")
    assert "Signed in as `anna@lab.example`" in words(page)
    assert "Sign out" in buttons(page)
    assert [each.value for each in page.title] == ["Data"]
    assert "photos**" in words(page) + str([each.value for each in page.header])


def test_where_nobody_signs_in_there_is_no_entrance(asking, secrets: Secrets):
    secrets(None, None)
    page = visit("data")
    assert not {"Sign in", "Sign out"} & set(buttons(page))
