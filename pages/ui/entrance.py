"""The entrance, where people sign in: nothing of the workspace is drawn before someone on the list has."""

import streamlit as st

from pages.ui.server import sign_in
from pages.ui.words.names import literal, sentence


def is_open() -> bool:
    """Say whether whoever looks at this page may use Thaw: someone on the list, or anyone where nobody signs in."""
    if sign_in.read_rules() is None:
        return True
    asking = sign_in.current()
    return asking is not None and asking.allowed


def admit() -> None:
    """Draw who is signed in, with the way out; end the script where that is nobody, or nobody on the list."""
    rules = sign_in.read_rules()
    if rules is None:
        return
    asking = sign_in.current()
    if asking is None:
        _ask(rules)
        st.stop()
    if not asking.allowed:
        _refuse(asking)
        st.stop()
    with st.container(key="signed-in", horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.caption(f"Signed in as {literal(asking.email)}", width="content")
        _draw_way_out()


def _ask(rules: sign_in.Rules) -> None:
    st.title("Thaw")
    st.write("Sign in to see photos and models. Whoever looks after this Thaw has said who may.")
    for provider in rules.providers:
        named = "" if provider == sign_in.DEFAULT_PROVIDER else f" with {sentence(provider.title())}"
        if st.button(f"Sign in{named}", key=f"sign in {provider}", type="primary"):
            st.login(None if provider == sign_in.DEFAULT_PROVIDER else provider)


def _refuse(asking: sign_in.SignIn) -> None:
    st.title("Thaw")
    who = f"as {literal(asking.email)}" if asking.email else "without an e-mail address"
    st.error(
        f"You are signed in {who}, and not on the list of those who may use this Thaw, or your address has "
        "not been confirmed. Ask whoever looks after it, or sign out and sign in as someone else.",
        icon=":material/block:",
    )
    _draw_way_out()


def _draw_way_out() -> None:
    if st.button("Sign out", key="sign out", type="tertiary"):
        st.logout()
