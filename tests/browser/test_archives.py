"""Archives in the browser: several dropped or chosen together, and the question in which language their names are."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.harness import PATIENCE_S, drop, wait_until
from tests.browser.journey import JOB_MS, see_page
from tests.support.pictures.corpus import jpeg, zip_of
from tests.support.pictures.raw_zip import raw_zip
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

PHOTOS = 3


def test_one_archive_a_class_is_dropped_and_others_are_chosen(page: Page, server, tmp_path: Path) -> None:
    for number, label in enumerate(("cats", "dogs")):
        (tmp_path / f"{label}.zip").write_bytes(zip_of({f"{n}.jpg": jpeg(10 * number + n) for n in range(PHOTOS)}))
    (tmp_path / "more.7z").write_bytes(b"7z")
    see_page(page, "data")
    drop(page, *sorted(tmp_path.glob("*.*")))
    expect(page.get_by_role("heading", name="cats, dogs, more.7z")).to_be_visible(timeout=JOB_MS)
    dataset = Store(open_workspace(server.workspace)).datasets()[0]
    assert dataset.classes == {"cats": PHOTOS, "dogs": PHOTOS}
    assert dataset.set_aside == 1
    ask_about_names(page, server, tmp_path)


def ask_about_names(page: Page, server, tmp_path: Path) -> None:
    """Choose an archive whose names could be Polish, Danish or Portuguese, and say which."""
    names = [f"{label}/{n}.jpg".encode("cp852") for label in ("Koń", "Mysz") for n in range(PHOTOS)]
    content = raw_zip({name: jpeg(50 + number) for number, name in enumerate(names)})
    page.locator(".zip-input").set_input_files({"name": "horses.zip", "mimeType": "application/zip", "buffer": content})
    expect(page.get_by_text("In which language are these names?")).to_be_visible()
    expect(page.get_by_text("Koń")).to_be_visible()
    page.get_by_role("button", name="Polish").click()
    expect(page.get_by_role("heading", name="horses")).to_be_visible(timeout=JOB_MS)
    store = Store(open_workspace(server.workspace))
    wait_until(
        lambda: store.datasets()[0].classes == {"Koń": PHOTOS, "Mysz": PHOTOS}, PATIENCE_S, "the classes in Polish"
    )
