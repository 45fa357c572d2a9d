"""The box editor in the browser: drawn by mouse, touch and keys, kept as it changes, and never lost."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, CDPSession, Page, Playwright, expect

from tests.browser.harness import PATIENCE_MS, PATIENCE_S, PHONE, ROOT, Server, wait_until

pytestmark = pytest.mark.kept_profile

# Shares of the photo that a pixel of the pointer, or one of the page's layout, makes up at most.
NEAR = 0.01
STEP = 0.005

Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("boxes"), script=ROOT / "tests" / "browser" / "boxes_app.py")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def tell(server: Server) -> Callable[..., Json]:
    """Return a function that prepares the server, by `drawn` and `failing`, and returns the boxes that it keeps."""

    def tell(**asked: Any) -> Json:
        return httpx.post(f"{server.url}/prepare", json=asked, headers={"origin": server.url}).json()

    return tell


@pytest.fixture
def editor(page: Page, server: Server, tell: Callable[..., Json], request: pytest.FixtureRequest) -> Page:
    """The editor with two kinds, an apple on the first photo and nothing on the third."""
    tell(drawn={"photo-0": [box("apple", 0.1, 0.2, 0.2, 0.3)], "photo-2": [], "photo-4": [box("pear")]}, failing=[])
    show(page, server, request)
    return page


def show(page: Page, server: Server, request: pytest.FixtureRequest, photo: int = 0, more: str = "") -> None:
    page.goto(f"{server.url}/?dataset={request.node.name}{more}")
    page.locator(".strip button").nth(photo).click()
    expect(page.locator(".strip button").nth(photo)).to_have_attribute("aria-current", "true")
    expect(page.locator(".stage:not(.waiting)")).to_be_visible()
    see_photo(page, photo)


def see_photo(page: Page, number: int) -> None:
    """Wait until a photo can be drawn on: what is on it follows its name then."""
    expect(page.locator(f'.stage[aria-label^="IMG_{number:04}.jpg, "]')).to_be_visible()


def box(label: str, x: float = 0.4, y: float = 0.4, width: float = 0.2, height: float = 0.2) -> Json:
    return {"label": label, "x": x, "y": y, "width": width, "height": height}


def named(page: Page) -> list[str]:
    return page.locator(".box").evaluate_all("all => all.map((each) => each.getAttribute('aria-label'))")


def point(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a point of the photo lies on the page."""
    photo = page.locator(".stage img").bounding_box()
    assert photo
    return photo["x"] + x * photo["width"], photo["y"] + y * photo["height"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*point(page, *start))
    page.mouse.down()
    for part in (0.3, 0.7, 1):
        page.mouse.move(*point(page, *(a + part * (b - a) for a, b in zip(start, end, strict=True))))
    page.mouse.up()


def expect_kept(tell: Callable[..., Json], photo: int, *boxes: Json) -> None:
    """Wait until the server keeps these boxes on a photo, as near as a pixel allows."""

    def is_kept() -> bool:
        kept = tell().get(f"photo-{photo}")
        return kept is not None and len(kept) == len(boxes) and all(map(is_near, kept, boxes))

    def is_near(one: Json, other: Json) -> bool:
        edges = ("x", "y", "width", "height")
        return one["label"] == other["label"] and all(abs(one[edge] - other[edge]) < NEAR for edge in edges)

    wait_until(is_kept, PATIENCE_S, f"{boxes} on photo {photo}")


def test_a_box_is_drawn_moved_and_resized_by_the_mouse_and_kept_each_time(editor: Page, tell: Callable) -> None:
    drag(editor, (0.5, 0.2), (0.7, 0.6))
    apple = box("apple", 0.1, 0.2, 0.2, 0.3)
    expect_kept(tell, 0, apple, box("apple", 0.5, 0.2, 0.2, 0.4))
    assert named(editor) == ["apple, box 1 of 2", "apple, box 2 of 2"]
    drag(editor, (0.6, 0.4), (0.7, 0.5))
    expect_kept(tell, 0, apple, box("apple", 0.6, 0.3, 0.2, 0.4))
    drag(editor, (0.8, 0.7), (0.9, 0.6))
    expect_kept(tell, 0, apple, box("apple", 0.6, 0.3, 0.3, 0.3))
    # Beyond the photo's edge it ends there.
    drag(editor, (0.75, 0.45), (1.3, 0.45))
    expect_kept(tell, 0, apple, box("apple", 0.7, 0.3, 0.3, 0.3))
    expect(editor.locator(".saved")).to_have_text("Saved")


def test_a_slip_of_the_mouse_draws_nothing_and_within_a_box_another_can_be_drawn(editor: Page, tell: Callable) -> None:
    drag(editor, (0.6, 0.6), (0.603, 0.604))
    drag(editor, (0.6, 0.6), (0.7, 0.602))
    expect(editor.locator(".spoken")).to_have_text("Too small: drag further to draw a box.")
    expect(editor.locator(".box")).to_have_count(1)
    drag(editor, (0.15, 0.3), (0.25, 0.4))
    expect_kept(tell, 0, box("apple", 0.1, 0.2, 0.2, 0.3), box("apple", 0.15, 0.3, 0.1, 0.1))
    editor.mouse.click(*point(editor, 0.8, 0.8))
    expect(editor.locator(".box[aria-pressed=true]")).to_have_count(0)
    editor.mouse.click(*point(editor, 0.2, 0.35))
    chosen = editor.locator(".box[aria-pressed=true]")
    expect(chosen).to_have_attribute("aria-label", "apple, box 2 of 2")


def test_all_of_it_goes_by_the_keyboard(editor: Page, tell: Callable) -> None:
    editor.locator(".stage").focus()
    editor.keyboard.press("Tab")
    expect(editor.locator(".box")).to_be_focused()
    editor.keyboard.press("ArrowRight")
    editor.keyboard.press("ArrowDown")
    editor.keyboard.press("Shift+ArrowLeft")
    editor.keyboard.press("Shift+ArrowDown")
    moved = box("apple", 0.1 + STEP, 0.2 + STEP, 0.2 - STEP, 0.3 + STEP)
    wait_until(
        lambda: tell()["photo-0"] == [{k: pytest.approx(v) if k != "label" else v for k, v in moved.items()}],
        PATIENCE_S,
        "the steps",
    )
    expect(editor.locator(".spoken")).to_have_text("11% from the left, 21% from the top, 20% wide, 31% high")
    editor.keyboard.press("n")
    expect_kept(tell, 0, moved, box("apple"))
    editor.keyboard.press("2")
    expect_kept(tell, 0, moved, box("pear"))
    expect(editor.locator(".box:focus")).to_have_attribute("aria-label", "pear, box 2 of 2")
    editor.keyboard.press("Delete")
    expect_kept(tell, 0, moved)
    expect(editor.locator(".box:focus")).to_have_attribute("aria-label", "apple, box 1 of 1")
    editor.keyboard.press("Control+z")
    expect_kept(tell, 0, moved, box("pear"))
    editor.keyboard.press("Control+z")
    expect_kept(tell, 0, moved, box("apple"))
    editor.keyboard.press("Control+Shift+z")
    expect_kept(tell, 0, moved, box("pear"))
    editor.keyboard.press("PageDown")
    see_photo(editor, 1)
    editor.locator(".stage").focus()
    editor.keyboard.press("Enter")
    expect_kept(tell, 1, box("pear"))


def test_photos_are_gone_through_copied_to_and_said_to_show_nothing(editor: Page, tell: Callable) -> None:
    expect(editor.locator(".done")).to_have_text("3 of 5 photos done")
    marks = editor.locator(".strip button")
    assert [each.get_attribute("aria-label") for each in marks.all()][:3] == [
        "IMG_0000.jpg, photo 1 of 5, 1 box",
        "IMG_0001.jpg, photo 2 of 5, not drawn yet",
        "IMG_0002.jpg, photo 3 of 5, nothing on it",
    ]
    editor.get_by_role("button", name="Next photo").click()
    see_photo(editor, 1)
    editor.get_by_role("button", name="Copy from previous photo").click()
    expect_kept(tell, 1, box("apple", 0.1, 0.2, 0.2, 0.3))
    expect(editor.locator(".done")).to_have_text("4 of 5 photos done")
    editor.get_by_role("button", name="Next not done").click()
    expect(editor.locator(".place")).to_have_text("4 of 5")
    see_photo(editor, 3)
    nothing = editor.get_by_role("button", name="Nothing on this photo")
    nothing.click()
    expect_kept(tell, 3)
    expect(nothing).to_have_attribute("aria-pressed", "true")
    expect(editor.locator(".done")).to_have_text("5 of 5 photos done")
    nothing.click()
    wait_until(lambda: "photo-3" not in tell(), PATIENCE_S, "the photo to wait again")
    expect(marks.nth(3)).to_have_attribute("aria-label", "IMG_0003.jpg, photo 4 of 5, not drawn yet")


def test_the_first_kind_is_asked_for_and_kinds_keep_their_keys(
    page: Page, server: Server, tell: Callable, request: pytest.FixtureRequest
) -> None:
    tell(drawn={}, failing=[])
    show(page, server, request)
    asked = page.get_by_label("What do you want to find and count?")
    asked.fill("tree")
    asked.press("Enter")
    expect(asked).to_be_hidden()
    drag(page, (0.2, 0.2), (0.4, 0.4))
    page.keyboard.press("Escape")
    page.get_by_label("Add a kind").fill("apple")
    page.get_by_label("Add a kind").press("Enter")
    drag(page, (0.5, 0.5), (0.7, 0.7))
    drawn = box("tree", 0.2, 0.2, 0.2, 0.2), box("apple", 0.5, 0.5, 0.2, 0.2)
    expect_kept(tell, 0, *drawn)
    page.reload()
    expect(page.locator(".box")).to_have_count(2)
    expect(page.locator(".kinds button").first).to_have_accessible_name("tree, 1 on this photo")
    expect(page.locator(".kinds button").nth(1)).to_have_accessible_name("apple, 1 on this photo")


def test_what_could_not_be_saved_is_told_kept_and_saved_again(editor: Page, tell: Callable, watch: Any) -> None:
    tell(failing=[400])
    drag(editor, (0.5, 0.5), (0.7, 0.7))
    expect(editor.get_by_role("alert")).to_contain_text("The disk is full. Your boxes are kept here meanwhile.")
    expect(editor.locator(".saved")).to_have_text("Not saved")
    expect(editor.locator(".box")).to_have_count(2)
    editor.get_by_role("button", name="Save again").click()
    expect_kept(tell, 0, box("apple", 0.1, 0.2, 0.2, 0.3), box("apple", 0.5, 0.5, 0.2, 0.2))
    expect(editor.locator(".saved")).to_have_text("Saved")
    expect(editor.get_by_role("alert")).to_be_hidden()
    # The browser says of the refusal that it was one.
    assert all("400" in each for each in watch.errors)
    watch.errors.clear()


def test_two_windows_that_draw_on_one_photo_lose_nothing(editor: Page, tell: Callable, watch: Any) -> None:
    theirs, mine = box("pear", 0.7, 0.7, 0.1, 0.1), box("apple", 0.5, 0.2, 0.2, 0.2)
    apple = box("apple", 0.1, 0.2, 0.2, 0.3)
    tell(drawn={"photo-0": [apple, theirs]})
    drag(editor, (0.5, 0.2), (0.7, 0.4))
    expect(editor.get_by_role("alert")).to_contain_text(
        "IMG_0000.jpg was changed in another window: 2 boxes there, 2 here."
    )
    assert tell()["photo-0"] == [apple, theirs], "nothing is written over before the person has said so"
    editor.get_by_role("button", name="Keep both").click()
    expect_kept(tell, 0, apple, mine, theirs)
    editor.get_by_role("button", name="Undo").click()
    expect_kept(tell, 0, apple, mine)
    tell(drawn={"photo-0": [theirs]})
    editor.keyboard.press("Escape")
    editor.mouse.click(*point(editor, 0.6, 0.3))
    editor.keyboard.press("Delete")
    editor.get_by_role("button", name="Take the others").click()
    expect(editor.locator(".box")).to_have_count(1)
    assert named(editor) == ["pear, box 1 of 1"]
    editor.get_by_role("button", name="Undo").click()
    expect_kept(tell, 0, apple)
    watch.errors.clear()


def test_a_photo_is_zoomed_and_what_is_drawn_then_lies_where_it_was_drawn(editor: Page, tell: Callable) -> None:
    editor.mouse.move(*point(editor, 0.6, 0.6))
    before = point(editor, 0.6, 0.6)
    editor.mouse.wheel(0, -400)
    expect(editor.locator(".fit")).not_to_have_text("100%")
    assert point(editor, 0.6, 0.6) == pytest.approx(before, abs=2), "what is under the pointer stays there"
    drag(editor, (0.55, 0.55), (0.65, 0.65))
    expect_kept(tell, 0, box("apple", 0.1, 0.2, 0.2, 0.3), box("apple", 0.55, 0.55, 0.1, 0.1))
    editor.keyboard.press("0")
    expect(editor.locator(".fit")).to_have_text("100%")
    editor.keyboard.press("+")
    expect(editor.locator(".fit")).to_have_text("150%")


def test_suggestions_are_taken_turned_down_and_corrected(
    page: Page, server: Server, tell: Callable[..., Json], request: pytest.FixtureRequest
) -> None:
    pear, apple, far = box("pear", 0.1, 0.1), box("apple", 0.4, 0.4), box("apple", 0.7, 0.1)
    proposed = [pear | {"confidence": 0.62}, apple | {"confidence": 0.914}, far | {"confidence": 0.3}]
    tell(drawn={"photo-0": [apple]}, failing=[], suggested={"photo-0": proposed, "photo-1": proposed})
    show(page, server, request, 1, "&suggests")
    bar = page.get_by_role("group", name="Suggestions")
    expect(bar).to_contain_text("3 suggestions, surest first")
    assert named(page) == [
        "Suggested: apple, 91% sure, suggestion 1 of 3",
        "Suggested: pear, 62% sure, suggestion 2 of 3",
        "Suggested: apple, 30% sure, suggestion 3 of 3",
    ]
    expect(page.locator(".kinds button[aria-pressed=true]")).to_have_accessible_name("apple")
    page.keyboard.press("a")
    expect_kept(tell, 1, apple)
    expect(page.locator(".kinds button[aria-pressed=true]")).to_have_accessible_name("pear")
    expect(page.locator(".box:focus")).to_have_attribute("aria-label", "Suggested: pear, 62% sure, suggestion 1 of 2")
    page.keyboard.press("x")
    expect(page.locator(".box:focus")).to_have_attribute("aria-label", "Suggested: apple, 30% sure, suggestion 1 of 1")
    drag(page, (0.8, 0.2), (0.75, 0.7))
    expect_kept(tell, 1, apple, box("apple", 0.65, 0.6))
    expect(bar.get_by_role("button")).to_have_count(0)
    for left in (1, 2):
        page.keyboard.press("Control+z")
        expect(page.locator(".suggested")).to_have_count(left)
    page.locator(".suggested").first.focus()
    page.keyboard.press("Enter")
    expect_kept(tell, 1, apple, pear)
    # What lies on a box of its kind is no news.
    page.keyboard.press("PageUp")
    see_photo(page, 0)
    expect(page.locator(".box")).to_have_count(1)
    page.get_by_role("button", name="Suggest boxes").click()
    expect(page.locator(".suggested")).to_have_count(2)
    bar.get_by_role("button", name="Accept all").click()
    expect_kept(tell, 0, apple, pear, far)
    page.get_by_role("button", name="Suggest boxes").click()
    expect(bar.get_by_role("status")).to_have_text("No suggestions for this photo.")
    expect(bar.get_by_role("button")).to_have_count(0)


def test_the_next_photo_is_the_one_of_whose_boxes_the_model_is_surest(
    page: Page, server: Server, tell: Callable[..., Json], request: pytest.FixtureRequest
) -> None:
    sure = {1: 0.4, 3: 0.9, 4: 0.6}
    proposed = {f"photo-{number}": [box("apple") | {"confidence": share}] for number, share in sure.items()}
    tell(drawn={"photo-2": []}, failing=[], suggested=proposed)
    show(page, server, request, 1, "&suggests")
    page.get_by_role("button", name="Next, surest first").click()
    see_photo(page, 3)
    expect(page.locator(".suggested")).to_have_count(1)
    # Where all is turned down there is nothing to be sure of any more.
    page.keyboard.press("x")
    page.keyboard.press("g")
    see_photo(page, 4)
    expect(page.locator(".suggested")).to_have_count(1)
    page.keyboard.press("a")
    expect_kept(tell, 4, box("apple"))
    page.keyboard.press("g")
    see_photo(page, 1)


@pytest.fixture
def touched(program: Browser, server: Server, tell: Callable, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The editor on a phone."""
    tell(drawn={"photo-0": [box("apple", 0.1, 0.2, 0.2, 0.3)]}, failing=[])
    context = program.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    show(page, server, request)
    yield page
    context.close()


def touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


def test_a_finger_draws_and_two_zoom_without_drawing(touched: Page, tell: Callable) -> None:
    session = touched.context.new_cdp_session(touched)
    touched.locator(".stage").scroll_into_view_if_needed()
    touch(session, "touchStart", point(touched, 0.5, 0.5))
    touch(session, "touchMove", point(touched, 0.6, 0.65))
    touch(session, "touchMove", point(touched, 0.8, 0.8))
    touch(session, "touchEnd")
    drawn = box("apple", 0.1, 0.2, 0.2, 0.3), box("apple", 0.5, 0.5, 0.3, 0.3)
    expect_kept(tell, 0, *drawn)
    touch(session, "touchStart", point(touched, 0.3, 0.1))
    near = point(touched, 0.3, 0.1), point(touched, 0.5, 0.1)
    touch(session, "touchStart", *near)
    touch(session, "touchMove", (near[0][0] - 30, near[0][1]), (near[1][0] + 30, near[1][1]))
    touch(session, "touchEnd")
    expect(touched.locator(".fit")).not_to_have_text("100%")
    expect(touched.locator(".box")).to_have_count(2)
    assert touched.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    session.detach()
