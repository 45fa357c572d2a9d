"""The command that tells how good a run's result is."""

import pytest

from tests.support.boxes.detectors import DATASET, add_boxed, add_detector_run, add_tuned
from tests.support.command_line import ask
from tests.support.judged_runs import add, run_of
from tests.support.pages import store
from tlcore.errors import RunError, SettingsError
from tlcore.settings import HeadSettings, detection_settings

__all__ = ["store"]


def test_of_a_detector_it_counts_objects_by_kind(store):
    run_id = add_detector_run(store, add_boxed(store))

    told = ask(store, "evaluate", run_id)

    assert (told["images"], told["objects"], told["found"], told["missed"], told["false_alarms"]) == (3, 3, 1, 2, 1)
    assert told["classes"]["apple"]["found"] == 1
    assert told["classes"]["pear"] == {
        "objects": 1,
        "found": 0,
        "confused": 0,
        "missed": 1,
        "false_alarms": 1,
        "ap50": 0.0,
    }
    assert 0 < told["ap50_95"] < told["ap50"] < 0.5
    assert told["counting_error"] == 1.0
    assert ask(store, "evaluate", run_id, "--confidence", "0.7")["false_alarms"] == 0


def test_of_a_classifier_it_tells_the_accuracy_and_its_bounds(store):
    add(store, each=20)
    told = ask(store, "evaluate", run_of(store, HeadSettings(), {}))

    assert told["accuracy"] == 1
    assert told["interval"][0] < 1
    assert all(each["f1"] == 1 for each in told["classes"].values())


def test_what_cannot_be_evaluated_is_refused(store):
    run_id = add_detector_run(store, add_boxed(store))
    with pytest.raises(SettingsError, match="from 0 to 1"):
        ask(store, "evaluate", run_id, "--confidence", "1.5")
    bare = store.add_run(
        store.run(run_id).dataset_id, "efficientnet-lite0", detection_settings("efficientnet-lite0").to_json()
    )
    with pytest.raises(RunError, match="which has none yet"):
        ask(store, "evaluate", bare)


@pytest.mark.parametrize("words", [("mistakes",), ("probe",), ("find-rate",)])
def test_what_is_for_classes_is_refused_for_a_detector(store, words):
    run_id = add_detector_run(store, add_boxed(store))
    with pytest.raises(RunError, match="a detector"):
        ask(store, *words, run_id)


def test_detectors_are_listed_and_compared_by_what_they_find(store):
    images = add_boxed(store)
    first, second = (add_detector_run(store, images) for _ in range(2))
    add_tuned(store, second)

    newest, oldest, told = *ask(store, "runs"), ask(store, "compare", first, second)

    counted = ("task", "ap50", "objects", "found", "confused", "missed", "false_alarms")
    assert [oldest[name] for name in counted] == ["detect", 0.4, 3, 1, 0, 2, 1]
    assert [newest[name] for name in counted] == ["detect", 0.7, 3, 2, 0, 1, 0]
    assert "val_accuracy" not in newest
    assert told["ap50"] == {"A": pytest.approx(0.252, abs=0.001), "B": pytest.approx(0.752, abs=0.001)}
    assert (told["found"], told["objects"]) == ({"A": 1, "B": 2}, {"A": 3, "B": 3})
    assert told["verdict"][0].startswith("B is 50.0 points better than A by AP50.")
    assert told["warning"] is None
    assert {row["setting"] for row in told["settings"] if row["differs"]} >= {"Unfrozen layers"}


def test_a_detector_and_a_classifier_are_not_compared(store):
    run_id = add_detector_run(store, add_boxed(store))
    other = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())

    with pytest.raises(RunError, match="Expected runs that do the same: tell classes apart, or find objects"):
        ask(store, "compare", run_id, other)


def test_the_card_of_a_detector_is_written(store, tmp_path):
    run_id = add_detector_run(store, add_boxed(store))

    files = ask(store, "card", run_id, "--to", tmp_path / "card")["files"]

    assert "object detector, 2 classes" in (tmp_path / "card" / "model_card.md").read_text()
    assert len(files) == 2 + 2 + 3
