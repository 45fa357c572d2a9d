import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.support.boxes import detectors
from tests.support.pages import BOLD, DATASET, TAG, add_dataset, add_run, compare, drawn_html, visit, words
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.storage.store import Store
from tlcore.settings import FineTuneSettings, HeadSettings


def add_settings(store: Store, head: HeadSettings) -> str:
    """Add a run of these settings that says the same of every image as any other."""
    run_id = add_run(store, store.images(DATASET))
    with store._transaction() as connection:
        connection.execute(
            "UPDATE runs SET head = ?, backbone = ? WHERE id = ?", (head.to_json(), head.backbone, run_id)
        )
    return run_id


def settings_table(page: AppTest) -> list[dict]:
    return page.dataframe[1].value.to_dict("records")


def figures(page: AppTest) -> list[dict]:
    sent = [json.loads(component.proto.json) for component in page.get("bidi_component") if component.proto.json]
    return [json.loads(data["drawing"]) for data in sent if "drawing" in data]


@pytest.fixture
def pair(store: Store) -> tuple[str, str]:
    add_dataset(store)
    return add_settings(store, HeadSettings()), add_settings(store, HeadSettings(backbone="mobilenet-v2", dropout=0.5))


def test_one_run_is_not_compared(store):
    add_run(store, add_dataset(store))
    page = visit("compare")
    assert not page.exception
    assert "It takes two runs" in words(page)


@pytest.mark.usefixtures("expert")
def test_the_newest_two_runs_are_compared_at_first_and_go_into_the_address(store, pair):
    page = visit("compare")
    assert not page.exception
    assert page.query_params["compare"] == f"{pair[1]},{pair[0]}"
    listed = page.dataframe[0].value.to_dict("records")
    assert [row["Run"] for row in listed] == [pair[1], pair[0]]
    assert [row["Backbone"] for row in listed] == ["MobileNetV2", "EfficientNet-Lite0"]
    assert [row["Validation photos"] for row in listed] == ["90.0%", "90.0%"]


@pytest.mark.usefixtures("expert")
def test_runs_of_the_address_are_compared_and_unknown_ones_left_out(store, pair):
    third = add_settings(store, HeadSettings(seed=5))
    page = compare(pair[0], "run-nonsense", third)
    assert page.query_params["compare"] == f"{third},{pair[0]}"
    assert list(settings_table(page)[0]) == ["", "Setting", "A", "B"]


@pytest.mark.usefixtures("expert")
def test_what_differs_comes_first_and_is_marked_in_words(store, pair):
    rows = settings_table(compare(*pair))
    assert [(row[""], row["Setting"], row["A"], row["B"]) for row in rows[:2]] == [
        ("≠ differs", "Backbone", "MobileNetV2", "EfficientNet-Lite0"),
        ("≠ differs", "Dropout", "0.5", "0.2"),
    ]
    assert {row[""] for row in rows[2:]} == {"same"}


@pytest.mark.usefixtures("expert")
def test_the_figure_has_a_line_a_run_that_says_what_differs(store, pair):
    (drawing,) = figures(compare(*pair))
    assert [trace["name"] for trace in drawing["data"]][::2] == [
        "A: backbone MobileNetV2, dropout 0.5",
        "B: backbone EfficientNet-Lite0, dropout 0.2",
    ]


def test_the_summary_and_the_warning_are_in_words(store, pair):
    page = compare(*pair)
    assert "equally good" in page.info[0].value
    assert not page.warning
    other = add_settings(store, HeadSettings(seed=5))
    folder = store.workspace.run(other)
    parts = json.loads((folder / "split.json").read_text())
    judged = parts["training"][:5] + parts["validation"][5:]
    (folder / "split.json").write_text(json.dumps({"training": parts["training"][5:], "validation": judged}))
    predictions = dict(np.load(folder / "predictions-1.npz"))
    ids = np.array([image_id for image_id, _ in judged])
    np.savez(folder / "predictions-1.npz", **predictions | {"image_ids": ids})
    page = compare(pair[0], other)
    assert "another seed" in page.warning[0].value


@pytest.mark.usefixtures("expert")
def test_runs_between_which_photos_were_fixed_are_judged_by_the_same_classes(store):
    add_dataset(store)
    first = add_settings(store, HeadSettings())
    folder = store.workspace.run(first)
    sides = json.loads((folder / "split.json").read_text())
    labels = json.loads((folder / "labels.json").read_text())
    image_id, label = sides["validation"][0]
    second = add_settings(store, HeadSettings())
    moved = labels[(labels.index(label) + 1) % len(labels)]
    sides["validation"][0] = [image_id, moved]
    (store.workspace.run(second) / "split.json").write_text(json.dumps(sides))
    page = compare(first, second)
    said = words(page)
    assert not page.warning
    assert "Photos were moved to another class or excluded between these runs." in said
    (line,) = (line for line in said.splitlines() if "told as" in line)
    assert line.startswith("**B**")
    assert "(told as 86.7%, by the photos and classes of that time)" in line
    assert "On the same 15 validation images" in page.info[0].value


def test_a_run_without_a_model_is_listed_and_said_to_have_none(store, pair):
    waiting = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())
    page = compare(pair[0], waiting)
    assert "A has no model yet" in page.info[0].value


@pytest.mark.usefixtures("expert")
def test_a_fine_tuned_run_shows_both_rates(store, pair):
    store.set_fine_tune(pair[0], FineTuneSettings(layers=41, learning_rate=1e-5).to_json())
    row = visit("compare").dataframe[0].value.to_dict("records")[1]
    assert (row["Rates"], row["Unfrozen"]) == ("0.001, then 1e-05", 41)


def test_one_ticked_run_asks_for_another(store, pair):
    page = compare(pair[0])
    assert "at least two" in page.info[0].value
    assert len(page.dataframe) == 1


def test_names_are_literal(store, pair):
    page = compare(*pair)
    assert TAG not in drawn_html(page)
    for element in page.markdown:
        outside_code = "".join(element.value.split("`")[::2])
        assert BOLD not in outside_code
        assert "**photos**" not in outside_code
    assert page.dataframe[0].value["Data set"].tolist() == ["**photos**", "**photos**"]


@pytest.mark.usefixtures("expert")
def test_the_comparison_can_be_downloaded(store, pair):
    (button,) = compare(*pair).get("download_button")
    assert button.proto.label == "Comparison as CSV"


@pytest.fixture
def found_pair(store: Store) -> tuple[str, str]:
    """Two runs of detectors on the same photos: the newer one has let its eye adapt, and finds more."""
    images = detectors.add_boxed(store)
    run_ids = detectors.add_detector_run(store, images), detectors.add_detector_run(store, images)
    detectors.add_tuned(store, run_ids[1])
    return run_ids


@pytest.mark.usefixtures("expert")
def test_detectors_are_listed_and_compared_by_what_they_find(store, found_pair):
    page = compare(*found_pair)
    assert not page.exception
    listed = page.dataframe[0].value.to_dict("records")
    assert [row["Validation photos"] for row in listed] == ["2 of 3 found, AP50 75.2%", "1 of 3 found, AP50 25.2%"]
    said = words(page).replace("\\", "")
    assert "**2 of 3 found, AP50 75.2%**, 0 false alarms" in said
    assert "A is 50.0 points better than B by AP50. They differ in unfrozen layers" in said
    (drawing,) = figures(page)
    assert drawing["layout"]["yaxis"]["title"]["text"] == "validation AP50"
    rows = settings_table(page)
    assert {row["Setting"] for row in rows if row[""] == "≠ differs"} == {
        *("Unfrozen layers", "Phase of the model that is judged"),
    }
    assert "Dropout" not in {row["Setting"] for row in rows}


def test_detectors_are_compared_in_plain_words_too(store, found_pair):
    page = compare(*found_pair)
    assert not page.exception
    said = page.info[0].value.replace("\\", "")
    assert "On the same 3 exam photos (validation images), A alone finds 1 and B alone 0 of the objects" in said
    (drawing,) = figures(page)
    assert drawing["layout"]["yaxis"]["title"]["text"] == "AP50 on the exam photos"


def test_a_detector_is_not_compared_with_a_classifier(store, found_pair):
    classifier = store.add_run(detectors.DATASET, "efficientnet-lite0", HeadSettings().to_json())
    page = compare(classifier, found_pair[0])
    assert not page.exception
    assert "Some of these runs tell kinds apart, others find and count things" in page.info[0].value
    assert not figures(page)


def test_the_first_choice_are_two_runs_that_do_the_same(store, found_pair):
    store.set_result(store.add_run(detectors.DATASET, "efficientnet-lite0", HeadSettings().to_json()), 1)
    page = visit("compare")
    assert not page.exception
    assert page.query_params["compare"] == f"{found_pair[1]},{found_pair[0]}"
