"""The switch between the two depths of language: where it is kept, and that it takes effect at once."""

import json

from streamlit.testing.v1 import AppTest

from pages.ui.components.expert import expert as switch
from tests.support.pages import PAGES, add_dataset, visit
from tests.support.pages import store as store


def stands(page: AppTest) -> bool:
    """Say how the switch stands, which must be what the browser is told to keep."""
    (toggle,) = [each for each in page.toggle if each.label == "Expert"]
    sent = [json.loads(each.proto.json) for each in page.get("bidi_component") if each.proto.json]
    (kept,) = [data["value"] for data in sent if data.get("name") == switch.COOKIE]
    assert kept == str(int(toggle.value))
    return toggle.value


def press_switch(page: AppTest) -> AppTest:
    return page.toggle(key=switch.SWITCH).set_value(not stands(page)).run()


def test_pages_are_plain_until_the_switch_is_pressed_and_every_page_has_it(store):
    add_dataset(store)
    for name in PAGES:
        page = visit(name)
        assert not page.exception
        assert not stands(page)


def test_the_choice_holds_on_other_pages_and_can_be_taken_back(store):
    add_dataset(store)
    page = press_switch(visit("data"))
    assert stands(page)
    page.switch_page("../head.py").run()
    assert stands(page)
    press_switch(page)
    assert not stands(page)
    page.switch_page("../data.py").run()
    assert not stands(page)


def test_the_cookie_of_the_browser_decides_as_a_session_begins(store, monkeypatch):
    kept = {switch.COOKIE: "1"}
    monkeypatch.setattr(switch.st.context.__class__, "cookies", property(lambda _: kept))
    page = visit("disk")
    assert stands(page)
    kept[switch.COOKIE] = "0"
    assert stands(page.run()), "a session does not change by itself"
    assert not stands(visit("disk"))


def test_an_address_asks_for_a_depth_until_the_switch_is_pressed(store, monkeypatch):
    monkeypatch.setattr(switch.st.context.__class__, "cookies", property(lambda _: {switch.COOKIE: "1"}))
    page = visit("disk", expert="0")
    assert not stands(page)
    assert stands(press_switch(page))
    assert switch.PARAMETER not in page.query_params
    assert stands(visit("disk", expert="1"))


def test_the_word_list_opens_beside_the_switch(store):
    page = visit("disk")
    assert not [each for each in page.markdown if "- **rounds** (epochs): " in each.value]
    page.session_state[switch.WORDS_PANEL] = True
    page.run()
    (listed,) = [each for each in page.markdown if "- **rounds** (epochs): " in each.value]
    assert "- **ready-made eye** (backbone): " in listed.value
