"""Whether everyone can use every page: what axe-core says with all that a page holds unfolded, in both colour schemes
and on a phone; what is cut where there is little room, too small to be hit, moves for those who asked for stillness, or
is focused unseen."""

import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.browser.harness import DESKTOP, IDLE, PATIENCE_S, PHONE, ROOT, Server, settle, wait_in_page
from tests.browser.journey import look_closer_at_first
from tests.support.boxes import detectors
from tests.support.pages import DATASET, PAGES
from tests.support.piles import add_pile
from thaw.jobs import starts
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.boxes import Box

pytestmark = pytest.mark.kept_profile

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
# Every element that is seen, those of the components too; the menu of a phone lies beside the page until it is opened.
SEEN = """
const within = (each) => (each.shadowRoot ? all(each.shadowRoot) : []);
const all = (root) => [...root.querySelectorAll("*")].flatMap((each) => [each, ...within(each)]);
const above = (each) => each.parentElement ?? each.getRootNode().host;
const isSeen = (each) => each.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && !each.closest("[data-testid='stSidebar'], #js-plotly-tester, [role='progressbar'] *, .thaw-spoken, .spoken");
const seen = all(document).filter(isSeen);
const tell = (each) => each.outerHTML.slice(0, 150);
"""
# What lies outside of the window, unless in a part of the page that scrolls by itself.
CUT = f"""() => {{ {SEEN}
    const scrolls = (each) => each && each.dataset?.testid !== "stMain"
        && ((["auto", "scroll"].includes(getComputedStyle(each).overflowX) && each.scrollWidth > each.clientWidth)
            || scrolls(above(each)));
    const isOut = (each) => {{
        const {{ left, right, width, height }} = each.getBoundingClientRect();
        return width > 1 && height > 1 && (left < -1 || right > innerWidth + 1);
    }};
    return seen.filter((each) => isOut(each) && !scrolls(each)).map(tell);
}}"""
# A label is a target for what stands in it.
SMALL = f"""() => {{ {SEEN}
    const target = (each) => each.closest("label") ?? each;
    const least = (each) => {{
        const {{ width, height }} = target(each).getBoundingClientRect();
        return Math.min(width, height);
    }};
    // The others are for screen readers alone, or lie within one that is found.
    const isFound = (each) => least(each) > 1 && each.getAttribute("tabindex") !== "-1";
    const targets = "button, a[href], input:not([type='range']), select, summary, [role='button'], [role='tab']";
    return seen.filter((each) => each.matches(targets) && isFound(each) && least(each) < 24 - 0.01).map(tell);
}}"""
MOVES = f"""() => {{ {SEEN}
    const seconds = (value) => Math.max(...value.split(",").map(parseFloat));
    return seen.filter((each) => {{
        const {{ transitionDuration, animationDuration }} = getComputedStyle(each);
        return Math.max(seconds(transitionDuration), seconds(animationDuration)) > 0.01;
    }}).map(tell);
}}"""
# Of the components: one that is focused by keyboard has a ring, around itself or around a part of it.
UNSEEN_FOCUS = f"""() => {{ {SEEN}
    const rings = (each) => {{
        const {{ outlineStyle, outlineWidth, boxShadow }} = getComputedStyle(each);
        return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none";
    }};
    const focusable = "button, a[href], input:not([type='range']), select, summary, [tabindex='0']";
    const ours = seen.filter((each) => each.matches(focusable) && !each.disabled && each.getRootNode() !== document);
    return ours.filter((each) => {{
        each.focus();
        const isFocused = each.getRootNode().activeElement === each;
        return isFocused && ![each, ...each.querySelectorAll("*")].some(rings);
    }}).map(tell);
}}"""
LAID_OUT_S = 5
CLICKED_S = 5
NARROW, DOUBLED = {"width": 320, "height": 640}, {"width": 640, "height": 400}
FOLDED = "details:not([open]) > summary"
OPENED = "(summary) => !summary.isConnected || summary.parentElement.open"
PAPER = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


@pytest.fixture(scope="module")
def server(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Server]:
    """A server with a pile, and with real photos, a run of both phases on them and another of the head alone; before
    them photos with boxes and a detector's run."""
    started = Server(tmp_path_factory.mktemp("axe-workspace"), unasked=False)
    ask(started, "import", str(photos))
    store = Store(open_workspace(started.workspace))
    (dataset,) = store.datasets()
    detectors.add_tuned(store, detectors.add_detector_run(store, detectors.add_boxed(store)))
    for seed in ("1", "0"):
        ask(started, "train", dataset.id, "--epochs", "3", "--seed", seed)
    ask(started, "finetune", newest_run(store), "--layers", "4", "--epochs", "2", "--insist")
    work(store, starts.add_trial(store, "map", newest_run(store), {}))
    add_pile(store)
    started.start()
    yield started
    started.stop()


def ask(server: Server, *words: str) -> None:
    command = [sys.executable, "-m", "thaw", *words, "--workspace", str(server.workspace)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def newest_run(store: Store) -> str:
    return store.runs()[0].id


def work_for(name: str, store: Store) -> dict[str, str]:
    """Return what a page is asked to show: what it is made for."""
    if name in ("pile", "boxes"):
        return {"dataset": DATASET}
    if name == "find":
        return {"run": next(run.id for run in store.runs() if run.dataset_id == detectors.DATASET)}
    return {"run": newest_run(store)}


def unfold(page: Page) -> None:
    """Open every panel of a page, those within others too."""
    folded = page.locator(FOLDED).locator("visible=true")
    tries_until = time.monotonic() + PATIENCE_S
    while folded.count():
        assert time.monotonic() < tries_until, "a panel stayed folded"
        panel = folded.first.element_handle()
        panel.click()
        # One that comes anew with what it holds is another element. A page that is drawn again just as it is clicked
        # misses the click, and a person clicks once more.
        clicked_until = time.monotonic() + CLICKED_S
        while not panel.evaluate(OPENED) and time.monotonic() < clicked_until:
            time.sleep(0.05)
        page.wait_for_selector(IDLE)
    settle(page)


def find_faults(page: Page) -> list[str]:
    """Return what is wrong with a page: what axe finds in the light scheme, in the dark one, which has other colours
    alone, and on a phone; what is small there, cut in a narrow window and at twice the size, moves, or has no ring."""
    load_axe(page)
    found = ask_axe(page, "light", *RULES)
    paper = page.evaluate(PAPER)
    page.emulate_media(color_scheme="dark")
    wait_in_page(page, f"{PAPER} !== '{paper}'")
    settle(page)
    # Colours that are still on their way from one scheme to the other are nobody's.
    wait_in_page(page, "document.getAnimations().every((each) => !(each instanceof CSSTransition))")
    found += ask_axe(page, "dark", "color-contrast")
    page.set_viewport_size(PHONE)
    settle(page)
    found += ask_axe(page, "phone", *RULES)
    found += [f"small: {each}" for each in page.evaluate(SMALL)]
    for size in (DOUBLED, NARROW):
        page.set_viewport_size(size)
        settle(page)
        found += [f"cut at {size['width']} px: {each}" for each in find_cut(page)]
    page.emulate_media(reduced_motion="reduce")
    found += [f"moves: {each}" for each in page.evaluate(MOVES)]
    page.keyboard.press("Tab")
    return found + [f"focused unseen: {each}" for each in page.evaluate(UNSEEN_FOCUS)]


def find_cut(page: Page) -> list[str]:
    """Return what stays cut: what is laid out by a script follows a window's new width some frames later."""
    tries_until = time.monotonic() + LAID_OUT_S
    while (cut := page.evaluate(CUT)) and time.monotonic() < tries_until:
        settle(page)
    return list(cut)


def load_axe(page: Page) -> None:
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))


def ask_axe(page: Page, where: str, *rules: str) -> list[str]:
    return [f"{where}: {fault}" for fault in page.evaluate(ASK_AXE, [rules, NOT_OURS])]


def open_at(page: Page, server: Server, name: str, **asked: str) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    page.set_viewport_size(DESKTOP)
    page.goto(f"{server.url}/{name}?" + "&".join(f"{key}={value}" for key, value in asked.items()))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)


@pytest.mark.parametrize("name", ["", "thaw", *PAGES])
def test_everyone_can_use_a_page_with_all_that_it_holds(page: Page, server: Server, name: str) -> None:
    open_at(page, server, name, **work_for(name, Store(open_workspace(server.workspace))), expert="1")
    unfold(page)
    assert find_faults(page) == []
    # A figure says what it shows, which is in numbers.
    told = [str(each.get_attribute("aria-label")) for each in page.locator(".thaw-plot").all()]
    assert [alt for alt in told if not any(letter.isdigit() for letter in alt)] == []


@pytest.mark.parametrize("name", ["", "thaw", *PAGES])
def test_axe_finds_nothing_on_a_page_in_plain_words(page: Page, server: Server, name: str) -> None:
    open_at(page, server, name, **work_for(name, Store(open_workspace(server.workspace))))
    load_axe(page)
    assert ask_axe(page, "light", *RULES) == []


def test_everyone_can_use_the_overlay_of_a_photo(page: Page, server: Server) -> None:
    open_at(page, server, "mistakes", run=newest_run(Store(open_workspace(server.workspace))))
    look_closer_at_first(page)
    settle(page)
    assert find_faults(page) == []


def test_everyone_can_use_the_editor_of_a_photo_with_boxes(page: Page, server: Server) -> None:
    store = Store(open_workspace(server.workspace))
    photo = store.images(DATASET, role="pile")[0]
    drawn = [Box("a", 0.02, 0.02, 0.03, 0.03), Box("cat and dog together", 0.5, 0.5, 0.4, 0.4)]
    store.set_boxes(DATASET, photo.id, drawn, store.boxes_on(DATASET, photo.id))
    open_at(page, server, "boxes", dataset=DATASET)
    page.locator(".strip button").first.click()
    expect(page.locator(".box")).to_have_count(len(drawn))
    assert find_faults(page) == []


def test_everyone_can_use_what_is_offered_where_no_boxes_are_drawn(page: Page, server: Server) -> None:
    open_at(page, server, "find", run=newest_run(Store(open_workspace(server.workspace))))
    assert find_faults(page) == []


@pytest.mark.parametrize("tab", ["Near-duplicates", "Edit"])
def test_everyone_can_use_what_is_behind_the_tabs_of_the_data(page: Page, server: Server, tab: str) -> None:
    open_at(page, server, "data", run=newest_run(Store(open_workspace(server.workspace))), expert="1")
    page.get_by_text(tab, exact=True).first.click()
    page.wait_for_selector(IDLE)
    unfold(page)
    assert find_faults(page) == []
