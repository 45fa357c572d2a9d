"""Who has signed in: the rules in Streamlit's secrets, the signed cookie of a browser, and the sign-ins that are over.

Streamlit (`st.login`) speaks with the identity provider and keeps what that says in a signed cookie for 30 days. It
looks at the cookie only as a session begins; Thaw looks at every run of a script, every request and every message.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit import config
from streamlit.auth_util import get_cookie_with_chunks, validate_auth_credentials
from streamlit.errors import StreamlitAuthError
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from pages.ui.server.addresses import address
from thaw.serving.hosts import LOOPBACK
from tlcore.errors import SettingsError

CALLBACK = "oauth2callback"
DEFAULT_PROVIDER = "default"
SETTINGS = frozenset({"allowed", "hours", "email_without_proof"})
LEAST_SECRET_CHARACTERS = 32
HOURS = 12.0
MOST_HOURS = 24.0 * 30


@dataclass(frozen=True)
class Rules:
    """How people sign in: those on the list, as "anna@lab.example" or, for all of a domain, "@lab.example"; where."""

    allowed: frozenset[str]
    hours: float
    email_without_proof: bool
    providers: tuple[str, ...]
    cookie_secret: str
    redirect_uri: str

    @property
    def by_https(self) -> bool:
        """Say whether the browser reaches Thaw by HTTPS, so that its cookies may go by nothing else."""
        return self.redirect_uri.startswith("https://")


@dataclass(frozen=True)
class SignIn:
    """One sign-in of one person in one browser: `mark` tells it from all others, `allowed` whether the list has it."""

    mark: str
    email: str
    allowed: bool


@cache
def read_rules() -> Rules | None:
    """Return how people sign in, or None where nobody has to.

    Read once: a file that is changed or lost while the server runs opens nothing. Raise SettingsError where the secrets
    cannot be read or do not say enough, so that a slip of the pen does not leave the door open.
    """
    if not st.secrets.load_if_toml_exists():
        broken = [path for path in config.get_option("secrets.files") if Path(path).exists()]
        if broken:
            raise SettingsError(
                f"Expected a TOML file. Received: {broken[0]}, which cannot be read. Mend or remove it."
            )
        return None
    secrets = st.secrets.to_dict()
    auth, own = secrets.get("auth"), secrets.get("thaw")
    if auth is None and own is None:
        return None
    if not isinstance(auth, Mapping) or not isinstance(own, Mapping):
        raise SettingsError(
            "Expected both [auth], how people sign in, and [thaw], who is allowed, in secrets.toml. "
            f"Received: only {'[thaw]' if auth is None else '[auth]'}. docs/remote.md shows them."
        )
    return _read_sections(auth, own)


def current() -> SignIn | None:
    """Return the sign-in of the browser whose script runs or whose request is answered, or None."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return ASKING.get()
    return read_sign_in(st.context.cookies, st.context.headers.get("host") or "")


def owner() -> str:
    """Return what tells whose script or request this is: the mark of the sign-in, or "" where nobody signs in."""
    asking = current() if read_rules() is not None else None
    return asking.mark if asking is not None else ""


def read_sign_in(cookies: Mapping[str, str], host: str) -> SignIn | None:
    """Return the sign-in that the cookies of a request to `host` prove, or None: none, forged, too old or ended."""
    rules = read_rules()
    if rules is None or host.lower() != urlsplit(rules.redirect_uri).netloc.lower():
        return None

    def read(name: str) -> bytes | None:
        value = cookies.get(name, "").encode("latin-1", "replace")
        return decode_signed_value(rules.cookie_secret, name, value, rules.hours / 24)

    kept = get_cookie_with_chunks(read, USER_COOKIE_NAME)
    try:
        told = json.loads(kept or b"null")
    except ValueError:
        return None
    if not isinstance(told, dict) or told.get("is_logged_in") is not True:
        return None
    mark = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    if mark in _ended:
        return None
    email = told.get("email")
    email = email.strip().lower() if isinstance(email, str) else ""
    return SignIn(mark, email, _is_allowed(rules, email, told.get("email_verified")))


def end(over: SignIn) -> None:
    """Let a sign-in serve nobody any more, whoever has a copy of its cookie; the cookie's age ends it elsewhere."""
    now = time.monotonic()
    for mark in [mark for mark, ended_s in _ended.items() if now - ended_s > MOST_HOURS * 3600]:
        del _ended[mark]
    _ended[over.mark] = now


def _is_allowed(rules: Rules, email: str, verified: object) -> bool:
    # Some providers let people write any address into their profile, and say so.
    proven = verified in (True, "true") or (verified is None and rules.email_without_proof)
    domain = email.rpartition("@")[2]
    return proven and bool(domain) and not rules.allowed.isdisjoint({email, f"@{domain}"})


def _read_sections(auth: Mapping[str, Any], own: Mapping[str, Any]) -> Rules:
    if find_spec("authlib") is None:
        raise SettingsError(
            "Expected Authlib, with which people sign in. Received: an installation without it. Add it: "
            "pip install --require-hashes -r signin.lock"
        )
    providers = tuple(
        name for name, section in auth.items() if isinstance(section, Mapping) and name != "client_kwargs"
    )
    if "client_id" in auth or not providers:
        providers = (DEFAULT_PROVIDER, *providers)
    try:
        for provider in providers:
            validate_auth_credentials(provider)
    except StreamlitAuthError as problem:
        told = " ".join(str(problem).split())
        raise SettingsError(f"Expected how people sign in below [auth]. Received: {told}") from problem
    secret, hours, unproven = auth["cookie_secret"], own.get("hours", HOURS), own.get("email_without_proof", False)
    if not isinstance(secret, str) or len(secret) < LEAST_SECRET_CHARACTERS:
        raise SettingsError(
            f"Expected a cookie_secret below [auth] of at least {LEAST_SECRET_CHARACTERS} random characters. Received: "
            'a shorter one. Make one: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    if set(own) - SETTINGS:
        raise SettingsError(f"Expected {', '.join(sorted(SETTINGS))} below [thaw]. Received: {sorted(set(own))}.")
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= MOST_HOURS:
        raise SettingsError(f"Expected hours below [thaw], over 0 and at most {MOST_HOURS:g}. Received: {hours!r}.")
    if not isinstance(unproven, bool):
        raise SettingsError(f"Expected email_without_proof below [thaw] to be true or false. Received: {unproven!r}.")
    return Rules(
        _read_allowed(own.get("allowed")),
        float(hours),
        unproven,
        providers,
        secret,
        _read_redirect(auth["redirect_uri"]),
    )


def _read_allowed(listed: object) -> frozenset[str]:
    entries = [str(each).strip().lower() for each in listed] if isinstance(listed, list) else []
    for entry in entries:
        name, at, domain = entry.rpartition("@")
        if not at or not domain or "@" in name or any(letter in entry for letter in "* ,"):
            raise SettingsError(
                'Expected e-mail addresses, or "@" and a domain for all of it, in allowed below [thaw]. '
                f"Received: {entry!r}."
            )
    if not entries:
        raise SettingsError(
            'Expected who is allowed below [thaw], such as allowed = ["anna@lab.example", "@team.example"]. '
            "Received: nobody, so that no one could use Thaw."
        )
    return frozenset(entries)


def _read_redirect(redirect_uri: str) -> str:
    parts, wanted = urlsplit(redirect_uri), address(CALLBACK)
    if parts.path != wanted:
        raise SettingsError(
            f"Expected redirect_uri below [auth] to end in {wanted}, where Thaw is. Received: {redirect_uri!r}. "
            "server.baseUrlPath says below which path Thaw is."
        )
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in LOOPBACK):
        raise SettingsError(
            "Expected redirect_uri below [auth] to begin with https://, or http://localhost, since a cookie that goes "
            f"by plain HTTP can be read on the way. Received: {redirect_uri!r}."
        )
    return redirect_uri


ASKING: ContextVar[SignIn | None] = ContextVar("asking", default=None)
"""The sign-in behind the request that is being answered, which `pages.ui.server.doorkeeper` notes."""
_ended: dict[str, float] = {}
