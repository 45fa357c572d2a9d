import dataclasses
import json

import pytest

from tests.support.comparisons import entry, judged, split
from thaw.runs import comparison, significance
from tlcore.settings import FineTuneSettings, HeadSettings


def test_rows_that_differ_come_first_and_say_so():
    tuned = FineTuneSettings(layers=41, learning_rate=1e-5)
    rows = comparison.compare_settings(
        [entry("A"), entry("B", head=HeadSettings(backbone="mobilenet-v2", dropout=0.5), tuned=tuned, image_size=96)]
    )
    differing = [row.differs for row in rows]
    assert differing == sorted(differing, reverse=True)
    by_name = {row.name: row for row in rows}
    assert {name: row.values for name, row in by_name.items() if row.differs} == {
        "Backbone": ["efficientnet-lite0", "mobilenet-v2"],
        "Image size (pixels)": [224, 96],
        "Dropout": [0.2, 0.5],
        "Unfrozen layers": [0, 41],
    }
    # What a run does not have is no difference: the unfrozen layers say it already.
    assert by_name["Fine-tuning: learning rate"].values == [None, 1e-5]


def test_a_fine_tuning_that_brought_nothing_is_no_difference_between_the_models():
    tuned = FineTuneSettings(layers=41, learning_rate=1e-5)
    plain, kept = (entry(letter, judged([True] * 4), tuned=tuned) for letter in "AB")
    kept = dataclasses.replace(kept, run=dataclasses.replace(kept.run, result_phase=1))
    assert comparison.differences(entry("C", judged([True] * 4)), kept) == []
    differing = comparison.differences(plain, kept)
    assert {"Unfrozen layers", "Phase of the model that is judged"} <= set(differing)
    # The table of settings still has what was tried.
    layers = next(row for row in comparison.compare_settings([plain, kept]) if row.name == "Unfrozen layers")
    assert layers.values == [41, 41]


def test_every_setting_of_both_phases_has_a_row():
    rows = comparison.compare_settings([entry("A", tuned=FineTuneSettings()), entry("B")])
    settings = [*json.loads(HeadSettings().to_json()), *(json.loads(FineTuneSettings().to_json()))]
    assert len(rows) >= len(settings)
    assert len({row.name for row in rows}) == len(rows)


def test_two_data_sets_of_one_name_differ():
    assert comparison.differences(entry("A"), entry("B", dataset="data-2")) == ["Data set"]
    assert comparison.differences(entry("A"), entry("B")) == []


# By the binomial distribution, two-sided: 0 of 6 have p = 3.1%, 1 of 9 3.9%, 5 of 20 4.1%, 39 of 100 3.5%; one more is
# above 5% each time.
@pytest.mark.parametrize(("disagreed", "lead"), [(0, None), (5, None), (6, 6), (8, 8), (9, 7), (20, 10), (100, 22)])
def test_the_least_clear_lead_is_that_of_the_sign_test(disagreed, lead):
    assert significance.least_clear_lead(disagreed) == lead


def test_a_stricter_level_asks_for_a_larger_lead():
    assert significance.least_clear_lead(20, 0.05 / 7) == 14


@pytest.mark.parametrize(("first", "second", "clear"), [(15, 5, True), (14, 6, False), (5, 15, True), (10, 10, False)])
def test_on_the_same_images_only_those_tell_on_which_the_models_differ(first, second, clear):
    verdict = significance.judge(*split(70, first, second, 10))
    assert verdict.paired
    assert (verdict.first_alone, verdict.second_alone, verdict.images) == (first, second, (100, 100))
    assert verdict.points == pytest.approx(first - second)
    assert verdict.margin == pytest.approx(10)
    assert verdict.clear is clear


def test_few_images_tell_nothing():
    verdict = significance.judge(*split(90, 5, 0, 5))
    assert verdict.margin is None
    assert not verdict.clear


def test_different_images_are_judged_as_two_shares():
    first, second = judged([True] * 90 + [False] * 10), judged([True] * 70 + [False] * 30, first=1000)
    verdict = significance.judge(first, second)
    assert not verdict.paired
    # By hand: 1.96 * sqrt(91 * 11 / 102**3 + 71 * 31 / 102**3).
    assert verdict.margin == pytest.approx(100 * 1.959964 * (3202 / 102**3) ** 0.5)
    assert verdict.clear
    assert significance.judge(first, second, comparisons=7).margin > verdict.margin


def test_a_changed_label_makes_other_images():
    assert significance.same_images(judged([True] * 4), judged([False] * 4))
    assert not significance.same_images(judged([True] * 4), judged([True] * 4, relabelled=(2,)))


def test_the_summary_tells_who_is_better_what_differs_and_what_chance_does():
    first, second = split(260, 30, 10, 20)
    (told,) = comparison.summarise([entry("A", second), entry("B", first, HeadSettings(backbone="mobilenet-v2"))])
    assert told == (
        "B is 6.2 points better than A. They differ in backbone. On the same 320 validation images, B alone is right "
        "on 30 and A alone on 10; with so many that differ, a difference under 4.4 points is within chance, and this "
        "one is beyond it."
    )


def test_the_summary_is_honest_where_nothing_can_be_told():
    first, second = split(90, 2, 2, 6)
    told = comparison.summarise([entry("A", first), entry("B", second), entry("C")])
    assert told[0].startswith("A and B are equally good. Their settings are the same.")
    assert told[0].endswith("4 that differ are too few to tell the better one: this is within chance.")
    assert told[1] == "C has no model yet."
    assert comparison.summarise([entry("A", first)]) == []


def test_runs_judged_on_different_images_are_told_apart_with_the_reason():
    same = judged([True] * 10)
    seed = entry("C", judged([True] * 10, first=5), HeadSettings(seed=1))
    older = entry("D", judged([True] * 9), dataset_version=3)
    assert comparison.warn([entry("A", same), entry("B", same), entry("E")]) is None
    assert comparison.warn([entry("A", same), entry("B", same), seed, older]) == (
        "Not all were judged on the same validation images: A and B on some; C on others (another seed); "
        "D on others (another version of the data set). A part of the difference may be luck of the draw."
    )
