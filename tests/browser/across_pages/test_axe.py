"""What axe-core says of every page with all that it holds unfolded, in both colour schemes and on a phone."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.browser.harness import DESKTOP, IDLE, PHONE, ROOT, Server, settle, wait_in_page
from tests.browser.journey import look_closer_at_first
from tests.support.pages import DATASET, PAGES
from tests.support.piles import add_pile
from thaw.jobs import starts
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# In Streamlit's own markup, out of the reach of a page: rule -> what it is said of.
NOT_OURS = {
    # The header of a table's column of ticks has no text and takes none.
    "empty-table-header": "[data-testid='stDataFrame'] th[aria-colindex='1']",
    # The zone of a file uploader is both decoration and focusable; the button in it is what the keyboard and a screen
    # reader use.
    "presentation-role-conflict": "[data-testid='stFileUploaderDropzone']",
    # The groups of a phone's menu stand between the list and its items.
    "list": "[data-testid='stSidebarNavItems']",
    "listitem": "[data-testid='stSidebarNavItems'] li",
}
ASK_AXE = """async ([rules, notOurs]) => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"], runOnly: rules, elementRef: true });
    return violations.flatMap(({ id, nodes }) =>
        nodes
            .filter(({ element }) => !(notOurs[id] && element.matches(notOurs[id])))
            .map(({ html, failureSummary }) => `${id}: ${html.slice(0, 150)}: ${failureSummary}`),
    );
}"""
FOLDED = "details:not([open]) > summary"
PAPER = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


@pytest.fixture(scope="module")
def server(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Server]:
    """A server with a pile, and with real photos, a run of both phases on them and another of the head alone."""
    started = Server(tmp_path_factory.mktemp("axe-workspace"))
    ask(started, "import", str(photos))
    store = Store(open_workspace(started.workspace))
    (dataset,) = store.datasets()
    for seed in ("1", "0"):
        ask(started, "train", dataset.id, "--epochs", "3", "--seed", seed)
    ask(started, "finetune", newest_run(store), "--layers", "4", "--epochs", "2", "--insist")
    work(store, starts.add_trial(store, "map", newest_run(store), {}))
    add_pile(store)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def browser(kept_profile: BrowserContext) -> BrowserContext:
    return kept_profile


def ask(server: Server, *words: str) -> None:
    command = [sys.executable, "-m", "thaw", *words, "--workspace", str(server.workspace)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def newest_run(store: Store) -> str:
    return store.runs()[0].id


def unfold(page: Page) -> None:
    """Open every panel of a page, those within others too."""
    folded = page.locator(FOLDED).locator("visible=true")
    while left := folded.count():
        folded.first.click()
        expect(folded).not_to_have_count(left)
        page.wait_for_selector(IDLE)
    settle(page)


def find_faults(page: Page) -> list[str]:
    """Return what axe finds on a page: in the light scheme, in the dark one, which has other colours alone, and on a
    phone."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = ask_axe(page, "light", *RULES)
    paper = page.evaluate(PAPER)
    page.emulate_media(color_scheme="dark")
    wait_in_page(page, f"{PAPER} !== '{paper}'")
    settle(page)
    found += ask_axe(page, "dark", "color-contrast")
    page.set_viewport_size(PHONE)
    settle(page)
    return found + ask_axe(page, "phone", *RULES)


def ask_axe(page: Page, where: str, *rules: str) -> list[str]:
    return [f"{where}: {fault}" for fault in page.evaluate(ASK_AXE, [rules, NOT_OURS])]


def open_at(page: Page, server: Server, name: str, **asked: str) -> None:
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)
    page.goto(f"{server.url}/{name}?" + "&".join(f"{key}={value}" for key, value in asked.items()))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)


@pytest.mark.parametrize("name", ["", "thaw", *PAGES])
def test_axe_finds_nothing_on_a_page(page: Page, server: Server, name: str) -> None:
    store = Store(open_workspace(server.workspace))
    asked = {"dataset": DATASET} if name == "pile" else {"run": newest_run(store)}
    open_at(page, server, name, **asked)
    unfold(page)
    assert find_faults(page) == []
    # A figure says what it shows, which is in numbers.
    told = [str(each.get_attribute("aria-label")) for each in page.locator(".thaw-plot").all()]
    assert [alt for alt in told if not any(letter.isdigit() for letter in alt)] == []


def test_axe_finds_nothing_in_the_overlay_of_a_photo(page: Page, server: Server) -> None:
    open_at(page, server, "mistakes", run=newest_run(Store(open_workspace(server.workspace))))
    look_closer_at_first(page)
    settle(page)
    assert find_faults(page) == []


@pytest.mark.parametrize("tab", ["Near-duplicates", "Edit"])
def test_axe_finds_nothing_behind_the_tabs_of_the_data(page: Page, server: Server, tab: str) -> None:
    open_at(page, server, "data", run=newest_run(Store(open_workspace(server.workspace))))
    page.get_by_text(tab, exact=True).first.click()
    page.wait_for_selector(IDLE)
    unfold(page)
    assert find_faults(page) == []
