"""An identity provider on this machine: OpenID Connect with a page of accounts, one use of each code, and PKCE."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.browser.harness import wait_until

CLIENT_ID, CLIENT_SECRET = "thaw", secrets.token_urlsafe(16)
ACCOUNTS = {
    "anna": {"email": "anna@lab.example", "email_verified": True},
    "ben": {"email": "ben@team.example", "email_verified": True},
    "eve": {"email": "eve@elsewhere.example", "email_verified": True},
    "mallory": {"email": "anna@lab.example", "email_verified": False},
}


class Provider:
    """What the provider keeps: its key, and the codes that have been given out and not used."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.asked: dict[str, dict[str, str]] = {}
        self.address = ""
        self.signed_out = 0
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.describe),
                Route("/keys", self.list_keys),
                Route("/authorize", self.show_accounts),
                Route("/choose", self.choose),
                Route("/token", self.give_token, methods=["POST"]),
                Route("/leave", self.sign_out),
            ]
        )

    def describe(self, _: Request) -> Response:
        places = {"authorization": "authorize", "token": "token", "end_session": "leave"}
        return JSONResponse(
            {
                "issuer": self.address,
                "jwks_uri": f"{self.address}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
            | {f"{name}_endpoint": f"{self.address}/{place}" for name, place in places.items()}
        )

    def list_keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    def show_accounts(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["client_id"], asked["response_type"], asked["code_challenge_method"]) == (
            CLIENT_ID,
            "code",
            "S256",
        )
        links = "".join(
            f'<p><a href="/choose?{urlencode(asked | {"who": who})}">{who}</a></p>'.replace("&", "&amp;")
            for who in ACCOUNTS
        )
        return HTMLResponse(f"<!doctype html><title>Who are you?</title><h1>Who are you?</h1>{links}")

    def choose(self, request: Request) -> Response:
        asked = dict(request.query_params)
        code = secrets.token_urlsafe(16)
        self.asked[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def give_token(self, request: Request) -> Response:
        async with request.form() as form:
            sent = {name: str(value) for name, value in form.items()}
        basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        asked = self.asked.pop(sent["code"], None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).decode().rstrip("=")
        if basic != f"{CLIENT_ID}:{CLIENT_SECRET}" or asked is None or proof != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= {"sub": asked["who"]} | ACCOUNTS[asked["who"]]
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def sign_out(self, request: Request) -> Response:
        self.signed_out += 1
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 302)


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Run a provider on a free port of this machine."""
    made = Provider()
    server = uvicorn.Server(uvicorn.Config(made.app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, 60, "the provider")
    made.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join()


def write_secrets(provider: Provider, thaw_url: str) -> str:
    """Return the secrets.toml of a Thaw at an address where people sign in with this provider."""
    auth = {
        "redirect_uri": f"{thaw_url}/oauth2callback",
        "cookie_secret": secrets.token_urlsafe(32),
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "server_metadata_url": f"{provider.address}/.well-known/openid-configuration",
    }
    lines = ["[auth]", *(f"{name} = {json.dumps(value)}" for name, value in auth.items())]
    return "\n".join([*lines, "[thaw]", 'allowed = ["anna@lab.example", "@team.example"]', ""])
