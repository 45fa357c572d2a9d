"""What tests of the Studio share: a camera that is none, its walls, and the end of its learning."""

import re

from playwright.sync_api import Page, expect

from tests.browser.harness import wait_until
from tests.browser.journey import JOB_MS
from thaw.storage.store import Store

FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
LEARNT = "Learnt. Try it on the right."


def walls(page: Page) -> list[str]:
    expect(page.get_by_test_id("class-wall").first).to_be_visible()
    return [str(wall.get_attribute("data-name")) for wall in page.get_by_test_id("class-wall").all()]


def await_learnt(page: Page, store: Store, label: str) -> int:
    """Wait until all that was brought of a kind is taken in, shown and learnt; return how many photos it has."""
    count = page.locator(f'[data-name="{label}"] .count')
    # The recorder says how many it takes until the last of them have been handed over.
    expect(count).to_have_text(re.compile(r"^\d+ photos$"), timeout=JOB_MS)
    expect(page.locator(".photos .going")).to_be_hidden(timeout=JOB_MS)
    wait_until(lambda: not any(job.active for job in store.jobs("import")), JOB_MS / 1000, "the end of the import")
    dataset = store.datasets()[0]
    expect(count).to_have_text(f"{dataset.classes[label]} photos", timeout=JOB_MS)
    expect(page.locator(".learning .state")).to_have_text(LEARNT, timeout=JOB_MS)
    assert walls(page) == list(dataset.classes)
    return dataset.classes[label]
