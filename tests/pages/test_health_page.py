"""The Health and Near-duplicates tabs: what they say, and what their buttons and actions change."""

import dataclasses
import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.data import duplicates, findings, grouping, leakage
from tests.support.pages import drawn_html, toggles, visit, words
from tests.support.pages import expert as expert
from thaw.datasets import edits
from thaw.storage.datasets import Arrival
from thaw.storage.facts import Accuracy, CheckFacts
from thaw.storage.records import Check, Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.splits.groups import GroupRules

DATASET = "data-0123456789ab"
HOSTILE = "**b** <img src=x onerror=alert(1)>"
FACTS = {
    "naive": {"mean": 0.971, "low": 0.95, "high": 0.984, "folds": 5},
    "grouped": {"mean": 0.913, "low": 0.88, "high": 0.93, "folds": 5},
    "images": 80,
    "groups": 3,
    "grouped_images": 9,
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    return Store(open_workspace())


def image(number: int, label: str, **facts: object) -> Image:
    plain = Image(
        f"img-{number:012x}",
        label,
        f"{label}/dog{number // 10}_{number}.jpg",
        f"{number:064x}",
        400,
        300,
        suffix=".jpg",
        folder=DATASET,
        brightness=120.0,
        contrast=60.0,
        sharpness=900.0,
    )
    return dataclasses.replace(plain, **facts)


def add(store: Store, *odd: Image, each: int = 20) -> None:
    """A data set of two classes in which only the `odd` images have something about them."""
    images = [image(number, ("rose", "tulip")[number % 2]) for number in range(2 * each)]
    store.add_dataset(DATASET, "photos", "folder", Arrival([*images, *odd]))


def open_tab(topic: str, **opened: bool) -> AppTest:
    page = visit("data")
    page.session_state[f"tabs of {DATASET}"] = next(tab.label for tab in page.tabs if tab.label.startswith(topic))
    for about, is_open in opened.items():
        page.session_state[f"finding {DATASET} {about}"] = is_open
    page.run()
    assert not page.exception
    return page


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label.startswith(label)).click().run()
    assert not page.exception
    return page


def grids(page: AppTest) -> list[dict]:
    """Return what the picture grids of a page hold."""
    sent = [json.loads(component.proto.json) for component in page.get("bidi_component") if component.proto.json]
    return [data for data in sent if "tiles" in data]


def titles(page: AppTest) -> list[str]:
    """Return the titles of the findings' panels."""
    return [panel.label.replace("\\", "") for panel in page.expander if panel.proto.id.count("finding ")]


@pytest.mark.usefixtures("expert")
def test_a_data_set_without_fault_is_called_so(store):
    add(store)
    page = open_tab("Health (0)")
    assert "Nothing stands out" in words(page)
    assert "every class has 20 images. Class weights stay off" in words(page)


def test_findings_are_panels_whose_pictures_are_drawn_when_opened(store):
    add(store, image(90, "rose", sharpness=3.21), image(91, "rose", brightness=9.6, contrast=7.0))
    page = open_tab("Health (2)")
    assert titles(page) == ["1 image is blurred, far more than the others", "1 image is very dark"]
    assert not grids(page)
    (grid,) = grids(open_tab("Health", blurry=True))
    assert [(tile["id"], tile["caption"]) for tile in grid["tiles"]] == [(image(90, "rose").id, "sharpness 3.2")]
    assert [(action["name"], action["key"]) for action in grid["actions"]] == [
        ("exclude", "x"),
        ("move", "m"),
        ("ignore", "i"),
    ]


def test_more_than_a_hundred_pictures_are_paged(store):
    add(store, *(image(900 + n, "rose", width=900 + n, height=100) for n in range(101)), each=100)
    page = open_tab("Health", narrow=True)
    (grid,) = grids(page)
    assert len(grid["tiles"]) == findings.PICTURES_A_PAGE
    assert grid["tiles"][0]["caption"] == "10.0 to 1"


def test_all_pictures_of_a_finding_can_be_excluded_and_it_comes_back_with_undo(store):
    add(store, image(90, "rose", sharpness=3.0), image(91, "tulip", sharpness=2.0))
    page = press(open_tab("Health", blurry=True), "Exclude all 2")
    assert store.dataset(DATASET).excluded == 2
    assert "Nothing stands out" in words(page)
    edits.undo(store, DATASET)
    assert titles(open_tab("Health (1)")) == ["2 images are blurred, far more than the others"]


def test_ignored_pictures_stay_and_are_not_told_of_again(store):
    add(store, image(90, "rose", sharpness=3.0))
    page = press(open_tab("Health", blurry=True), "Ignore all")
    assert "Nothing stands out" in words(page)
    assert store.dataset(DATASET).excluded == 0


def only_finding(store: Store) -> findings.Finding:
    (finding,) = findings.examine(store.images(DATASET), 224, edits.ignored(store, DATASET))
    return finding


def test_actions_of_the_grid_exclude_move_and_ignore_the_chosen(store):
    add(store, *(image(90 + n, "rose", sharpness=3.0 + n) for n in range(3)))
    excluded, moved, ignored = (each.id for each in only_finding(store).images)
    for action, chosen, choice in (("exclude", excluded, None), ("move", moved, "tulip"), ("ignore", ignored, None)):
        findings.act(store, store.dataset(DATASET), only_finding(store), action, [chosen], choice)
    stand = {each.id: (each.label, each.excluded) for each in store.every_image(DATASET)}
    assert stand[excluded] == ("rose", True)
    assert stand[moved] == ("tulip", False)
    assert [each.id for each in only_finding(store).images] == [moved]


def doubt(store: Store, *numbers: int) -> list[str]:
    """Record a check that takes pictures of roses for tulips, the first the surest; return their ids."""
    ids = [image(number, "rose").id for number in numbers]
    facts = FACTS | {
        "label_errors": [
            {"image": image_id, "given": "rose", "suggested": "tulip", "margin": 0.9 - 0.1 * place}
            for place, image_id in enumerate(ids)
        ]
    }
    store.add_check(DATASET, "efficientnet-lite0", store.dataset(DATASET).version, facts)
    return ids


def test_pictures_that_a_check_doubts_are_told_with_the_class_they_seem_to_be(store):
    add(store)
    ids = doubt(store, 4, 0, 2)
    page = open_tab("Health (1)", mislabelled=True)
    assert titles(page) == ["3 images are perhaps in the wrong kind"]
    (grid,) = grids(page)
    assert [(tile["id"], tile["caption"]) for tile in grid["tiles"]] == [(each, "rose, perhaps tulip") for each in ids]
    assert [action["name"] for action in grid["actions"]] == ["agree", "exclude", "move", "ignore"]
    move = next(action for action in grid["actions"] if action["name"] == "move")
    assert [choice["value"] for choice in move["choices"]] == ["tulip", "rose"]


def test_a_doubted_picture_is_told_of_no_more_once_moved_excluded_or_ignored_and_again_after_undo(store):
    add(store)
    agreed, moved, excluded, ignored = doubt(store, 6, 0, 2, 4)
    open_tab("Health (1)")
    dataset, check = store.dataset(DATASET), store.latest_check(DATASET)
    for left, (action, chosen, choice) in enumerate(
        (("agree", agreed, None), ("move", moved, "tulip"), ("exclude", excluded, None), ("ignore", ignored, None))
    ):
        (finding,) = findings.examine(store.images(DATASET), 224, edits.ignored(store, DATASET), check)
        assert len(finding.images) == 4 - left
        findings.act(store, dataset, finding, action, [chosen], choice)
    assert {each.label for each in store.images(DATASET) if each.id in (agreed, moved)} == {"tulip"}
    assert "Nothing stands out" in words(open_tab("Health (0)"))
    edits.undo(store, DATASET)
    assert titles(open_tab("Health (1)")) == ["1 image is perhaps in the wrong kind"]


def test_a_change_that_another_tab_made_impossible_is_told_and_does_no_harm(store):
    add(store)
    findings.merge(store, store.dataset(DATASET), ["rose", "gone"], "rose")
    assert not store.edits(DATASET)


def conflict() -> tuple[Image, Image]:
    return image(90, "rose", lookalike="img-a"), image(91, "tulip", lookalike="img-a")


def test_a_picture_in_two_classes_is_numbered_and_ignored_as_one(store):
    add(store, *conflict())
    (grid,) = grids(open_tab("Health", conflict=True))
    assert [(tile["caption"], tile["badge"]) for tile in grid["tiles"]] == [
        ("rose", "picture 1"),
        ("tulip", "picture 1"),
    ]
    findings.act(store, store.dataset(DATASET), only_finding(store), "ignore", [conflict()[0].id], None)
    assert "Nothing stands out" in words(open_tab("Health (0)"))


def test_of_copies_one_of_each_is_kept(store):
    add(store, *(image(90 + n, "rose", content="c" * 64) for n in range(3)))
    press(open_tab("Health", copies=True), "Keep one of each: exclude 2")
    left = [each.id for each in store.images(DATASET) if each.content == "c" * 64]
    assert left == [image(90, "rose").id]


def test_twins_can_be_merged(store):
    add(store, *(image(90 + n, "Rose") for n in range(10)))
    page = open_tab("Health (1)", **{"twins Rose/rose": True})
    assert drawn_html(page).count("/thaw/thumbnail/") == 22
    press(page, "Merge into `rose`")
    assert store.dataset(DATASET).classes == {"rose": 30, "tulip": 20}


def test_twins_that_are_two_classes_are_left_alone(store):
    add(store, *(image(90 + n, "Rose") for n in range(10)))
    page = press(open_tab("Health (1)", **{"twins Rose/rose": True}), "They are two kinds")
    assert "Nothing stands out" in words(page)
    assert set(store.dataset(DATASET).classes) == {"Rose", "rose", "tulip"}


@pytest.mark.usefixtures("expert")
def test_unbalanced_classes_are_told_with_the_ratio_and_the_remedy(store):
    add(store, *(image(90 + n, "rose") for n in range(60)))
    page = open_tab("Health (1)", **{"unbalanced rose/tulip": True})
    assert "**4.0 times**" in words(page)
    assert "Class weights will be on" in words(page)
    assert "cannot do well by guessing" in words(page)
    press(page, "This is as it should be")
    assert "Nothing stands out" in words(open_tab("Health (0)"))


def test_class_names_are_literal_in_titles_and_buttons(store):
    add(store, *(image(90 + n, HOSTILE) for n in range(10)), *(image(190 + n, HOSTILE.upper()) for n in range(10)))
    page = open_tab("Health (1)", **{f"twins {HOSTILE.upper()}/{HOSTILE}": True})
    for text in [
        *(panel.label for panel in page.expander),
        *(button.label for button in page.button),
        *(each.value for each in page.markdown),
    ]:
        outside_code = "".join(text.split("`")[::2])
        assert HOSTILE not in outside_code


@pytest.mark.usefixtures("expert")
def test_groups_are_rows_of_pictures_the_largest_first(store):
    add(
        store,
        image(90, "rose", lookalike="img-a"),
        image(91, "rose", lookalike="img-a", width=4000),
        image(92, "rose", similar="img-b"),
        image(93, "tulip", similar="img-b"),
        image(94, "tulip", similar="img-b"),
    )
    page = open_tab("Near-duplicates")
    assert "**2 groups** of near-duplicates with **5** of 45 images" in words(page)
    rows = [each.value for each in page.markdown if " images, " in each.value and "·" in each.value]
    assert rows == [
        "**rose**, **tulip** · 3 images, the same scene to the backbone :orange-badge[in several classes]",
        "**rose** · 2 images, nearly the same picture",
    ]
    press(page, "Keep the first, exclude 1")
    assert [each.id for each in store.images(DATASET, excluded=True)] == [image(90, "rose").id]


@pytest.mark.usefixtures("expert")
def test_groups_are_paged_and_chosen_from_in_a_grid(store):
    add(store, *(image(100 + n, "rose", lookalike=f"img-{n // 2}") for n in range(2 * duplicates.GROUPS_A_PAGE + 2)))
    page = open_tab("Near-duplicates")
    assert drawn_html(page).count("<figure") == 2 * duplicates.GROUPS_A_PAGE
    assert not grids(page)
    toggles(page)[0].set_value(True).run()
    (grid,) = grids(page)
    assert len(grid["tiles"]) == 2
    duplicates.act(store, store.dataset(DATASET), "exclude", [grid["tiles"][1]["id"]], None)
    duplicates.act(store, store.dataset(DATASET), "move", [grid["tiles"][0]["id"]], "tulip")
    assert [each.id for each in store.images(DATASET, excluded=True)] == [grid["tiles"][1]["id"]]
    assert grid["tiles"][0]["id"] in [each.id for each in store.images(DATASET, "tulip")]


@pytest.mark.usefixtures("expert")
def test_groups_found_by_a_run_are_shown_although_the_data_set_did_not_change(store):
    add(store)
    assert "No near-duplicates" in words(open_tab("Near-duplicates"))
    job_id = store.add_job("check", {}, DATASET)
    store.set_similar(DATASET, {image(0, "rose").id: image(0, "rose").id, image(2, "rose").id: image(0, "rose").id})
    store.update_job(job_id, status="finished")
    assert "**1 group** of near-duplicates" in words(open_tab("Near-duplicates"))


@pytest.mark.usefixtures("expert")
def test_the_measurement_is_told_in_words_with_both_intervals(store):
    add(store)
    store.add_check(DATASET, "efficientnet-lite0", store.dataset(DATASET).version, FACTS)
    said = words(open_tab("Near-duplicates"))
    assert "would have claimed 97.1% (95% interval 95.0 to 98.4%)" in said
    assert "**91.3% (95% interval 88.0 to 93.0%)**" in said
    assert "**5.8 points** of the claim were copies looked up" in said
    assert "5 folds over 80 images, seen through EfficientNet-Lite0" in said
    assert "may be chance" not in said
    assert "has changed since" not in said
    edits.exclude_images(store, DATASET, [image(0, "rose").id])
    assert "has changed since this was measured" in words(open_tab("Near-duplicates"))


def told(naive: float, grouped: float, groups: int = 3, half: float = 0.05) -> str:
    estimates = (Accuracy(mean, mean - half, mean + half) for mean in (naive, grouped))
    return leakage.verdict(Check("mobilenet-v2", 1, 0.0, CheckFacts(*estimates, images=40, groups=groups)))


@pytest.mark.parametrize("grouped", [0.9, 0.897, 0.92])
def test_figures_that_hardly_differ_are_called_so(grouped):
    assert "hardly differ" in told(0.9, grouped)


def test_a_difference_within_the_intervals_may_be_chance():
    assert "may be chance" in told(0.9, 0.85)
    assert "may be chance" not in told(0.9, 0.75)


def test_without_groups_there_is_nothing_to_leak():
    assert "no look-alikes (near-duplicates) to leak" in told(0.9, 0.9, groups=0)


@pytest.mark.usefixtures("expert")
def test_the_measurement_starts_with_the_choices_and_can_be_stopped(store, monkeypatch):
    add(store)
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    page = visit("data", backbone="mobilenet-v2", seed="7")
    page.session_state[f"tabs of {DATASET}"] = "Near-duplicates"
    press(page.run(), "Measure with cross-validation")
    (job,) = store.jobs("check")
    assert (job.request, job.dataset_id) == ({"backbone": "mobilenet-v2", "seed": 7}, DATASET)
    assert "Measure with cross-validation" not in [button.label for button in page.button]
    press(page, "Stop")
    assert store.job(job.id).stop_requested
    store.update_job(job.id, status="stopped")
    said = words(open_tab("Near-duplicates"))
    assert "What had been computed is kept" in said


@pytest.mark.usefixtures("expert")
def test_a_failed_measurement_tells_why_and_can_be_tried_again(store):
    add(store)
    store.fail_job(store.add_job("check", {}, DATASET), "Expected at least 2 *images*.")
    page = open_tab("Near-duplicates")
    assert r"2 \*images\*" in page.error[0].value
    assert "Measure with cross-validation" in [button.label for button in page.button]


@pytest.mark.usefixtures("expert")
def test_a_pattern_is_tried_out_before_it_is_kept(store):
    add(store)
    page = open_tab("Near-duplicates")
    save = next(button for button in page.button if button.label == "Keep these rules")
    assert save.disabled
    page.text_input(key=f"pattern {DATASET} ").set_value("{group}_*").run()
    assert "fits 40 file names and makes **4 groups** of two or more. The largest: `dog0` (10)" in words(page)
    assert edits.grouping(store, DATASET) == GroupRules()
    press(page, "Keep these rules")
    assert edits.grouping(store, DATASET) == GroupRules("{group}_*")
    assert "**4 groups** of near-duplicates with **40** of 40 images" in words(page)


def _has_burst(page: AppTest) -> bool:
    return any(field.label.startswith("Seconds") for field in page.number_input)


@pytest.mark.usefixtures("expert")
def test_an_impossible_pattern_is_refused_beside_the_field(store):
    add(store)
    page = open_tab("Near-duplicates")
    page.text_input(key=f"pattern {DATASET} ").set_value("no place").run()
    assert "with \\{group\\} once" in page.warning[-1].value
    assert "Keep these rules" not in [button.label for button in page.button]


@pytest.mark.usefixtures("expert")
def test_bursts_are_offered_only_where_photos_have_dates(store):
    add(store)
    assert not _has_burst(open_tab("Near-duplicates"))
    store.add_to_dataset(DATASET, "x", Arrival([image(90 + n, "rose", taken_at=1e9 + 5 * n) for n in range(3)]))
    page = open_tab("Near-duplicates")
    assert "3 of 43 images say when they were taken" in words(page)
    page.number_input(key=f"burst {DATASET} 0.0").set_value(6).run()
    assert "that is 1 group in all" in words(page)
    press(page, "Keep these rules")
    assert edits.grouping(store, DATASET) == GroupRules(burst_seconds=6.0)


@pytest.mark.parametrize(
    ("name", "pattern", "subject"),
    [
        ("anna_03.jpg", "{group}_*", "anna"),
        ("site4-left-2.png", "{group}-*", "site4"),
        ("IMG003.jpg", "{group}_*", "anna"),
    ],
)
def test_patterns_are_explained_by_a_name_of_the_data_set(name, pattern, subject):
    assert f"`{pattern}` reads `{subject}` from" in grouping.explain(name)
