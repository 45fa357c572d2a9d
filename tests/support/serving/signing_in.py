"""Secrets that have people sign in, and the signed cookie that Streamlit gives someone who has."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from pages.ui.server import sign_in

COOKIE_SECRET = "a cookie secret that is long enough for a test"
HOST = "photos.example"
AUTH = {
    "redirect_uri": f"https://{HOST}/oauth2callback",
    "cookie_secret": COOKIE_SECRET,
    "client_id": "thaw",
    "client_secret": "x",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
THAW = {"allowed": ["anna@lab.example", "@team.example"]}

Secrets = Callable[..., None]


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """Return a function that gives this process the secrets `auth` and `thaw`, and forgets sign-ins that ended."""

    def set_secrets(auth: dict[str, Any] | None = AUTH, thaw: dict[str, Any] | None = THAW) -> None:
        told = {name: section for name, section in (("auth", auth), ("thaw", thaw)) if section is not None}
        monkeypatch.setattr(st.secrets, "_secrets", told)
        monkeypatch.setattr(sign_in, "_ended", {})
        sign_in.read_rules.cache_clear()

    yield set_secrets
    sign_in.read_rules.cache_clear()


def cookie_of(email: str = "anna@lab.example", secret: str = COOKIE_SECRET, **claims: Any) -> str:
    """Return the header that a browser sends for someone who signed in with that address."""
    told = {"email": email, "email_verified": True, "sub": "1", "nonce": "n"} | claims
    told = {"origin": f"https://{HOST}", "is_logged_in": True, "provider": "default"} | told
    return f"{USER_COOKIE_NAME}={create_signed_value(secret, USER_COOKIE_NAME, json.dumps(told)).decode()}"
