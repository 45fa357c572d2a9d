"""Who has signed in: what the secrets must say, whose cookie counts, whom the list has, and when a sign-in is over."""

import tomllib

import pytest
import streamlit as st
from starlette.requests import cookie_parser
from streamlit import config
from streamlit.web.server.starlette import starlette_app_utils

from pages.ui.server import sign_in
from tests.support.serving.remote_guide import read_block
from tests.support.serving.signing_in import AUTH, HOST, THAW, Secrets, cookie_of
from tests.support.serving.signing_in import secrets as secrets
from tlcore.errors import SettingsError


def read(cookie: str, host: str = HOST) -> sign_in.SignIn | None:
    return sign_in.read_sign_in(cookie_parser(cookie), host)


def test_without_the_sections_nobody_signs_in(secrets: Secrets):
    secrets(None, None)
    assert sign_in.read_rules() is None
    assert read(cookie_of()) is None
    assert sign_in.owner() == ""


def test_what_the_secrets_say_are_the_rules(secrets: Secrets):
    secrets()
    rules = sign_in.read_rules()
    assert rules is not None
    assert rules.allowed == {"anna@lab.example", "@team.example"}
    assert (rules.hours, rules.email_without_proof, rules.providers, rules.by_https) == (12, False, ("default",), True)
    named = {"redirect_uri": AUTH["redirect_uri"], "cookie_secret": AUTH["cookie_secret"], "lab": AUTH}
    secrets(named, THAW | {"hours": 1})
    rules = sign_in.read_rules()
    assert rules is not None
    assert (rules.providers, rules.hours) == (("lab",), 1)


@pytest.mark.parametrize(
    ("auth", "thaw", "told"),
    [
        (AUTH, None, "only \\[auth\\]"),
        (None, THAW, "only \\[thaw\\]"),
        (AUTH, {}, "nobody"),
        (AUTH, {"allowed": []}, "nobody"),
        (AUTH, {"allowed": "anna@lab.example"}, "nobody"),
        (AUTH, {"allowed": ["anna"]}, "'anna'"),
        (AUTH, {"allowed": ["*@lab.example"]}, "lab.example'"),
        (AUTH, {"allowed": ["@"]}, "'@'"),
        (AUTH, THAW | {"hours": 0}, "hours"),
        (AUTH, THAW | {"hours": True}, "hours"),
        (AUTH, THAW | {"allow": []}, "allow'"),
        (AUTH, THAW | {"email_without_proof": "yes"}, "true or false"),
        (AUTH | {"cookie_secret": "short"}, THAW, "random characters"),
        (AUTH | {"redirect_uri": "https://photos.example/thaw/oauth2callback"}, THAW, "baseUrlPath"),
        (AUTH | {"redirect_uri": "http://photos.example/oauth2callback"}, THAW, "https://"),
        ({name: value for name, value in AUTH.items() if name != "client_secret"}, THAW, "client_secret"),
    ],
)
def test_secrets_that_say_too_little_open_nothing(secrets: Secrets, auth, thaw, told):
    secrets(auth, thaw)
    with pytest.raises(SettingsError, match=told):
        sign_in.read_rules()


def test_a_file_that_cannot_be_read_opens_nothing(tmp_path, monkeypatch):
    (tmp_path / "secrets.toml").write_text("[auth")
    monkeypatch.setattr(st.secrets, "_secrets", None)
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(tmp_path / "secrets.toml")])
    sign_in.read_rules.cache_clear()
    try:
        with pytest.raises(SettingsError, match="cannot be read"):
            sign_in.read_rules()
    finally:
        config.set_option("secrets.files", before)
        sign_in.read_rules.cache_clear()


def test_the_guides_secrets_are_refused_until_they_have_a_secret_of_their_own(secrets: Secrets):
    told = tomllib.loads(read_block("secrets"))
    before = config.get_option("server.baseUrlPath")
    config.set_option("server.baseUrlPath", "thaw")
    try:
        secrets(told["auth"], told["thaw"])
        with pytest.raises(SettingsError, match="random characters"):
            sign_in.read_rules()
        secrets(told["auth"] | {"cookie_secret": AUTH["cookie_secret"]}, told["thaw"])
        rules = sign_in.read_rules()
    finally:
        config.set_option("server.baseUrlPath", before)
    assert rules is not None
    assert (rules.allowed, rules.hours) == ({"anna@lab.example", "@team.example"}, 12)


def test_plain_http_will_do_on_this_machine_alone(secrets: Secrets):
    secrets(AUTH | {"redirect_uri": "http://localhost:8501/oauth2callback"})
    rules = sign_in.read_rules()
    assert rules is not None
    assert not rules.by_https


@pytest.mark.parametrize(
    ("claims", "allowed"),
    [
        ({}, True),
        ({"email": " Anna@LAB.example"}, True),
        ({"email": "ben@team.example"}, True),
        ({"email": "ben@lab.example"}, False),
        ({"email": "ben@evil.team.example"}, False),
        ({"email": "ben@notteam.example"}, False),
        ({"email": "anna@lab.example@evil.example"}, False),
        ({"email": ""}, False),
        ({"email": ["anna@lab.example"]}, False),
        ({"email_verified": False}, False),
        ({"email_verified": "false"}, False),
        ({"email_verified": None}, False),
        ({"email_verified": "true"}, True),
    ],
)
def test_the_list_has_whoever_proved_an_address_on_it(secrets: Secrets, claims, allowed):
    secrets()
    asking = read(cookie_of(**claims))
    assert asking is not None
    assert asking.allowed is allowed


def test_an_address_without_a_word_on_proof_counts_where_the_rules_say_so(secrets: Secrets):
    secrets(thaw=THAW | {"email_without_proof": True})
    assert read(cookie_of(email_verified=None)).allowed
    assert not read(cookie_of(email_verified=False)).allowed


@pytest.mark.parametrize(
    ("cookie", "host"),
    [
        ("", HOST),
        ("_streamlit_user=nothing", HOST),
        ("_streamlit_user=\u20ac", HOST),
        (cookie_of(secret="another secret, of another server"), HOST),
        (cookie_of(is_logged_in=False), HOST),
        (cookie_of(), "localhost:8501"),
    ],
)
def test_what_proves_nothing_is_nobodys(secrets: Secrets, cookie, host):
    secrets()
    assert read(cookie, host) is None


def test_a_sign_in_ends_after_its_hours(secrets: Secrets, monkeypatch):
    secrets(thaw=THAW | {"hours": 0.5})
    cookie = cookie_of()
    assert read(cookie) is not None
    real = starlette_app_utils.time.time
    monkeypatch.setattr(starlette_app_utils.time, "time", lambda: real() + 1805)
    assert read(cookie) is None


def test_who_signs_out_ends_one_sign_in_and_its_copies(secrets: Secrets):
    secrets()
    mine, elsewhere = cookie_of(nonce="1"), cookie_of(nonce="2")
    first, second = read(mine), read(elsewhere)
    assert first.mark != second.mark
    sign_in.end(first)
    assert read(mine) is None
    assert read(elsewhere) == second
