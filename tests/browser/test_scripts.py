"""The parts of the components' scripts by themselves, in Chromium: what goes into a batch, a list, a key, a request."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Playwright

from pages.ui.components.assets import read_assets
from tests.browser.harness import open_browser

UPLOAD = "components/requests.js", "components/drop_zone/entries.js", "components/drop_zone/upload.js"
GRID = "components/grid/choices.js", "components/grid/viewer.js", "components/grid/post.js"


@pytest.fixture(scope="module")
def blank(chromium: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(chromium, tmp_path_factory.mktemp("scripts") / "profile") as context:
        yield context.pages[0]


@pytest.fixture
def run(blank: Page) -> Callable[..., Any]:
    """Return a function that runs scripts in an empty page, then a body that can name what they declare."""

    def run(files: tuple[str, ...], body: str, markup: str = "") -> Any:
        blank.set_content(markup)
        script = read_assets(*files).replace("export default function ", "function shown")
        return blank.evaluate(f"async () => {{ {script}\n{body} }}")

    return run


def test_a_drop_is_named_after_its_first_three_without_the_endings_of_archives(run):
    said = run(UPLOAD, "return [['a.zip', 'b'], ['a.tar.gz'], ['a', 'b', 'c', 'd'], []].map(nameOf);")
    assert said == ["a, b", "a", "a, b, c…", ""]


def test_a_folder_is_walked_to_its_last_file_and_what_cannot_be_read_is_told(run):
    found = run(
        UPLOAD,
        """
        const file = (path) => ({ fullPath: path, file: (done) => done(path) });
        const broken = { fullPath: "/top/broken.jpg", file: (done, fail) => fail(new Error("gone")) };
        const folder = (path, entries) => ({ fullPath: path, isDirectory: true, createReader: () => {
          const left = [...entries];
          return { readEntries: (done) => done(left.splice(0, 100)) };
        } });
        const many = Array.from({ length: 250 }, (_, number) => file(`/top/cats/${number}.jpg`));
        const found = [];
        const dropped = [folder("/top", [folder("/top/cats", many), broken]), file("/alone.jpg")];
        await walk(dropped, (item) => found.push(item));
        return found;
        """,
    )
    assert [item["path"] for item in found] == [
        *(f"top/cats/{number}.jpg" for number in range(250)),
        "top/broken.jpg",
        "alone.jpg",
    ]
    assert [item["reason"] for item in found if "reason" in item] == ["the browser could not read it"]


def test_a_walk_that_was_given_up_ends_at_once(run):
    walked = """
        const stop = new DOMException("stopped", "AbortError");
        const gone = { fullPath: "/a", file: (done, fail) => fail(stop) };
        return walk([gone], () => {}).then(() => "went on", (problem) => problem.name);
        """
    assert run(UPLOAD, walked) == "AbortError"


def test_batches_hold_200_files_or_16_mib_and_a_larger_file_goes_alone(run):
    batched = (
        "const of = (sizes) => [...batches(sizes.map((size) => ({ file: { size } })))].map((each) => each.length);"
    )
    mib = 1024**2
    assert run(UPLOAD, f"{batched} return of(new Array(450).fill(1));") == [200, 200, 50]
    assert run(UPLOAD, f"{batched} return of([{mib}, {20 * mib}, {mib}, {15 * mib}, 1]);") == [1, 1, 2, 1]
    assert run(UPLOAD, f"{batched} return of([]);") == []
    unsent = "return [...batches(new Array(150).fill({ reason: 'too large' }))].length;"
    assert run(UPLOAD, unsent) == 1, "what is listed without its bytes weighs nothing"


def test_what_is_too_large_or_an_unread_archive_is_listed_with_the_reason(run):
    reasons = run(
        UPLOAD,
        """
        const upload = new Upload(() => {});
        upload.ticket = { max_image_bytes: 5e6, max_archive_bytes: 9e6 };
        const weighed = (path, size) => {
          const item = { path, file: { size } };
          upload.weigh(item);
          return item.reason ?? null;
        };
        const files = [["a.jpg", 5e6], ["b.jpg", 6e6], ["c.ZIP", 8e6], ["d.tgz", 1e7], ["e.7z", 1], ["f.zip.001", 1]];
        return [files.map((each) => weighed(...each)), upload.totalFiles, upload.totalBytes];
        """,
    )
    unread = "it is an archive of a kind, or in parts, that is not read: unpack it and add the folder"
    assert reasons == [[None, "larger than 5 MB", None, "larger than 9 MB", unread, unread], 6, 13e6]


# A server for uploads that keeps the list of every batch; `answer` says what comes of a request.
SERVER = """
    const batchesSent = [];
    pause = () => Promise.resolve();
    fetch = async (url, { body, headers }) => {
      if (url.endsWith("/finish")) return answer(url, JSON.parse(body));
      const bytes = await body.arrayBuffer();
      const length = new DataView(bytes).getUint32(0);
      const list = JSON.parse(new TextDecoder().decode(bytes.slice(4, 4 + length)));
      batchesSent.push({ list, bytes: bytes.byteLength - 4 - length, token: headers["x-thaw-token"] });
      return answer(url, list);
    };
    const said = (content, status = 200) => new Response(JSON.stringify(content), { status });
    const upload = new Upload(() => {});
    upload.ticket = { url: "/upload/1", token: "secret", target: { role: "main" }, junk: "\\\\.ds_store$",
      max_files: 1000, max_image_bytes: 1e6, max_archive_bytes: 1e6 };
    const photos = (names) => (found) => names.forEach((name) => found({ path: name, file: new File(["1234"], name) }));
"""


def test_an_upload_lists_what_it_does_not_send_and_asks_for_the_import(run):
    job, sent, asked = run(
        UPLOAD,
        f"""
        let asked;
        const answer = (url, what) => {{ asked = what; return said({{ job: "job-1" }}); }};
        {SERVER}
        const job = await upload.run(photos(["a/1.jpg", "a/.DS_Store", "a/2.jpg"]), "mine");
        return [job, batchesSent, asked];
        """,
    )
    assert job == "job-1"
    assert asked == {"name": "mine", "role": "main"}
    assert sent == [
        {
            "list": [
                {"number": 0, "path": "a/1.jpg", "size": 4},
                {"number": 1, "path": "a/.DS_Store", "reason": "hidden, or a system file"},
                {"number": 2, "path": "a/2.jpg", "size": 4},
            ],
            "bytes": 8,
            "token": "secret",
        }
    ]


def test_a_batch_that_fails_is_sent_again_file_by_file(run):
    sent = run(
        UPLOAD,
        f"""
        const answer = (url, what) => {{
          if (what.length > 1) throw new TypeError("network");
          return said({{ job: "job-1" }});
        }};
        {SERVER}
        await upload.run(photos(["1.jpg", "2.jpg"]), "mine");
        return batchesSent.map((batch) => batch.list.map((each) => each.number));
        """,
    )
    assert sent == [[0, 1], [0], [1]]


@pytest.mark.parametrize(
    ("answer", "asked", "told"),
    [
        ("said({ error: 'The disk is full.' }, 507)", 1, "The disk is full."),
        ("Promise.reject(new TypeError('network'))", 5, "The connection to Thaw was lost."),
    ],
)
def test_a_refusal_is_final_and_silence_is_asked_again(run, answer, asked, told):
    words, requests = run(
        UPLOAD,
        f"""
        const answer = () => {answer};
        {SERVER}
        const words = await upload.run(photos(["1.jpg"]), "mine").then(() => "", (problem) => problem.message);
        return [words, batchesSent.length];
        """,
    )
    assert words.startswith(told)
    assert requests == asked, "once in its batch, then four times alone" if asked > 1 else ""


def test_no_file_and_too_many_are_refused_before_anything_is_sent(run):
    words = run(
        UPLOAD,
        f"""
        const answer = () => said({{}});
        {SERVER}
        const told = (names) => upload.run(photos(names), "mine").catch((problem) => problem.message);
        return [await told([]), await told(new Array(1001).fill("a.jpg")), batchesSent.length];
        """,
    )
    assert words == [
        "No files were found there. Add a folder that holds one sub-folder a class.",
        "At most 1,000 files fit into one upload; this has 1,001.",
        0,
    ]


def test_time_is_told_in_seconds_then_in_minutes(run):
    assert run(UPLOAD, "return [0.2, 59, 60, 61, 600].map(inWords);") == ["1 s", "59 s", "1 min", "2 min", "10 min"]


def test_actions_go_one_at_a_time_and_none_twice(run):
    sent = run(
        GRID,
        """
        const sent = [];
        const post = new Post((message) => sent.push(message));
        for (const action of ["go", "go", "exclude", "exclude"]) post.add({ action });
        const waiting = [sent.length, post.waiting.length];
        post.answered("of another page");
        const unanswered = sent.length;
        post.answered(sent[0].number);
        post.answered(sent[1].number);
        post.add({ action: "go" });
        post.leave();
        return [waiting, unanswered, sent.map((each) => each.action), new Set(sent.map((each) => each.number)).size];
        """,
    )
    assert sent == [[1, 1], 1, ["go", "exclude", "go"], 3]


CHOICES = """
    const choices = new Choices(document.body);
    const key = (name, more = {}) => choices.press({ key: name, preventDefault: () => {}, ...more });
    const marked = () => choices.list.children[choices.marked]?.textContent ?? null;
    const open = (names) => {
      const taken = [];
      const offered = names.map((name) => ({ shown: name, value: name.toLowerCase() }));
      choices.open("Move to", offered, (value) => taken.push(value));
      return taken;
    };
"""


def test_a_list_is_searched_without_accents_and_case_and_walked_by_keys(run):
    seen = run(
        GRID,
        f"""
        {CHOICES}
        const taken = open(["Ångström", "Zebra", "Apple"]);
        choices.input.value = " ANGS ";
        choices.filter();
        const found = [...choices.list.children].map((row) => row.textContent);
        choices.input.value = "";
        choices.filter();
        key("ArrowUp");
        const top = marked();
        key("PageDown");
        const bottom = marked();
        key("Enter", {{ repeat: true }});
        const held = taken.length;
        key("Enter");
        return [found, top, bottom, held, taken, choices.box.open];
        """,
        read_assets("components/grid/grid.html"),
    )
    assert seen == [["Ångström"], "Ångström", "Apple", 0, ["apple"], False]


def test_a_long_list_says_what_it_hides_and_an_empty_one_that_nothing_matches(run):
    notes = run(
        GRID,
        f"""
        {CHOICES}
        open(Array.from({{ length: 250 }}, (_, number) => `class ${{number}}`));
        const long = [choices.list.children.length, choices.note.textContent];
        choices.input.value = "none of them";
        choices.filter();
        key("Enter");
        return [...long, choices.list.children.length, choices.note.textContent, choices.box.open];
        """,
        read_assets("components/grid/grid.html"),
    )
    assert notes == [200, "50 more: type to narrow the list.", 0, "Nothing matches. Change the words above.", True]


def test_the_large_picture_stays_within_the_list_and_closes_with_its_tile(run):
    seen = run(
        GRID,
        """
        const tiles = ["a", "b", "c"].map((id) => ({ id, name: id, caption: "said", badge: "", picture: "data:," }));
        const grid = { tiles, index: 0, range: 1, selected: new Set(["b"]), focus() {}, reveal() {},
          activate(index) { this.index = index; },
          toggle(index) { this.selected.add(this.tiles[index].id); } };
        const viewer = new Viewer(document.body, grid);
        const key = (name) => viewer.press({ key: name, target: document.body, preventDefault: () => {} });
        const place = () => [viewer.find(".place").textContent, viewer.find(".pick-this").textContent];
        viewer.open();
        const places = [place()];
        for (const name of ["ArrowLeft", "ArrowRight", "End", "ArrowDown", " ", "Home"]) {
          key(name);
          places.push(place());
        }
        grid.tiles = [];
        viewer.refresh();
        return [places, grid.range, viewer.box.open];
        """,
        read_assets("components/grid/grid.html"),
    )
    places = ["1 of 3", "1 of 3", "2 of 3", "3 of 3", "3 of 3", "3 of 3", "1 of 3"]
    picked = ["Select", "Select", "Selected ✓", "Select", "Select", "Selected ✓", "Select"]
    assert seen == [[list(each) for each in zip(places, picked, strict=True)], None, False]


def test_what_is_marked_in_a_figure_is_told_by_its_corners(run):
    outlines = run(
        ("components/figure/figure.js",),
        """
        const box = { type: "rect", x0: 0, y0: 1, x1: 2, y1: 3 };
        return [box, { type: "path", path: "M1,2L3,4.5L-5,6Z" }].map(corners);
        """,
    )
    assert outlines == [[[0, 1], [2, 1], [2, 3], [0, 3]], [[1, 2], [3, 4.5], [-5, 6]]]


def test_a_bar_keeps_its_row_while_its_class_is_among_the_likeliest(run):
    rows = run(
        ("components/requests.js", "components/webcam/camera.js", "components/webcam/bars.js"),
        """
        const bars = new Bars(document.querySelector("ul"));
        const draw = (...shares) => {
          bars.draw(shares.map(([number, share]) => ({ number, label: `class ${number}`, share })));
          return bars.rows.map((row) => `${row.name.textContent} ${row.share.textContent}`);
        };
        const rows = [draw([1, 0.7], [2, 0.3]), draw([3, 0.6], [1, 0.4])];
        return [...rows, [explain({ name: "NotFoundError" }), inPercent(0.336)]];
        """,
        "<ul></ul>",
    )
    assert rows[:2] == [["class 1 70%", "class 2 30%"], ["class 1 40%", "class 3 60%"]]
    assert rows[2] == ["No camera was found. Connect one, then start the camera again.", "34%"]


def test_a_box_lies_where_the_mirrored_video_shows_it_and_kinds_are_counted_most_first(run):
    seen = run(
        ("components/requests.js", "components/webcam/camera.js", "components/webcam/counter.js"),
        """
        const found = ["pear", "apple", "fig", "apple"].map((label) => ({ label }));
        const box = makeBox({ label: "<b>", confidence: 0.876, x: 0.125, y: 0.25, width: 0.25, height: 0.5 });
        const edges = ["left", "top", "width", "height"].map((side) => box.style[side]);
        return [countByLabel(found), edges, box.textContent];
        """,
    )
    assert seen == [[["apple", 2], ["fig", 1], ["pear", 1]], ["62.5%", "25%", "25%", "50%"], "<b> 88%"]
