"""Signing in, in the browser and with a real provider: nothing before it, all after it, nothing after signing out."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, expect

from tests.browser.harness import DESKTOP, PATIENCE_MS, Server, Watch, load_pictures, settle, wait_until
from tests.browser.journey import see_page
from tests.browser.remote.provider import Provider, running_provider, write_secrets
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as made:
        yield made


@pytest.fixture(scope="module")
def server(
    chromium: Playwright, provider: Provider, tmp_path_factory: pytest.TempPathFactory, tiny_photos: Path
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("signing-in")
    started = Server(folder / "workspace", options=[f"--secrets.files={folder / 'secrets.toml'}"])
    (folder / "secrets.toml").write_text(write_secrets(provider, started.url))
    store = Store(open_workspace(started.workspace))
    work(store, store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": "Secret photos"}))
    started.start()
    yield started
    started.stop()


def sign_in(page: Page, server: Server, who: str) -> None:
    page.goto(f"{server.url}/data")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=who, exact=True).click()
    page.wait_for_url(f"{server.url}/**")


def picture_of(server: Server) -> str:
    store = Store(open_workspace(server.workspace))
    image = store.images(store.datasets()[0].id)[0]
    return f"{server.url}/thaw/image/{image.folder}/{image.id}"


def cookies_of(context: BrowserContext, server: Server) -> dict[str, str]:
    return {each["name"]: each["value"] for each in context.cookies(server.url)}


def test_nothing_is_shown_before_someone_on_the_list_signs_in(
    server: Server, browser: BrowserContext, watch: Watch
) -> None:
    asked: list[Request] = []
    browser.on("request", lambda request: asked.append(request))
    page = browser.pages[0]
    for place in ("", "/data", "/mistakes"):
        page.goto(f"{server.url}{place}")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        settle(page)
        assert "Secret photos" not in page.content()
    assert [each.url for each in asked if "/thaw/" in each.url] == []
    assert httpx.get(picture_of(server)).status_code == 401
    for who in ("eve", "mallory"):
        sign_in(page, server, who)
        expect(page.get_by_text("not on the list")).to_be_visible()
        page.goto(f"{server.url}/data")
        expect(page.get_by_text("not on the list")).to_be_visible()
        assert "Secret photos" not in page.content()
        assert httpx.get(picture_of(server), cookies=cookies_of(browser, server)).status_code == 403
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert not [each for each in watch.errors if "404" not in each]


def test_who_signs_in_sees_all_and_who_signs_out_leaves_nothing_behind(
    server: Server, provider: Provider, browser: BrowserContext, program: Browser
) -> None:
    asked: list[Request] = []
    browser.on("request", lambda request: asked.append(request))
    page, left = browser.pages[0], provider.signed_out
    sign_in(page, server, "anna")
    expect(page.get_by_text("Signed in as anna@lab.example")).to_be_visible()
    other = browser.new_page()
    other.goto(f"{server.url}/data")
    see_page(other, "data")
    expect(other.locator("body")).to_contain_text("Secret photos")
    load_pictures(other)
    # A copy of all that this browser has, and the token that its page was given.
    wait_until(lambda: any("x-thaw-token" in each.headers for each in asked), PATIENCE_MS / 1000, "a token")
    sent = next(each for each in asked if "x-thaw-token" in each.headers)
    copied = {"origin": server.url, "x-thaw-token": sent.headers["x-thaw-token"]}
    cookies = cookies_of(browser, server)

    def replay(cookies: dict[str, str]) -> int:
        return httpx.post(sent.url, content=sent.post_data, headers=copied, cookies=cookies).status_code

    assert (replay(cookies), httpx.get(picture_of(server), cookies=cookies).status_code) == (200, 200)
    bens = program.new_context(viewport=DESKTOP)
    bens.set_default_timeout(PATIENCE_MS)
    sign_in(bens.new_page(), server, "ben")
    expect(bens.pages[0].get_by_text("Signed in as ben@team.example")).to_be_visible()
    assert replay(cookies_of(bens, server)) == 403
    assert replay({}) == 401
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    # Thaw's page may be there before the provider has heard.
    wait_until(lambda: provider.signed_out > left, PATIENCE_MS / 1000, "the provider's goodbye")
    assert (replay(cookies), httpx.get(picture_of(server), cookies=cookies).status_code) == (401, 401)
    # The other tab finds out at its next word with the server.
    other.get_by_text("Expert", exact=True).click()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    assert "Secret photos" not in other.content()
    assert httpx.get(picture_of(server), cookies=cookies_of(bens, server)).status_code == 200
    bens.close()
