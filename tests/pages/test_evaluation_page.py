"""The Evaluation page on a run of twenty images with two mistakes."""

import numpy as np
import pytest

from pages.ui.figures import evaluation_figures
from tests.support.judged_runs import judged_run
from tests.support.pages import BOLD, TAG, add_dataset, add_run, drawn_html, figures, press, visit, words
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.runs.decision import read_decision
from tlcore.evaluation.metrics import Curve


@pytest.mark.usefixtures("expert")
def test_a_model_is_told_with_its_interval_its_classes_and_their_small_number(store):
    add_run(store, add_dataset(store))
    page = visit("evaluation")
    assert not page.exception
    said = words(page)
    assert "gets **86.7%** of 15 photos right" in said
    assert "95% interval" in said
    assert "It is surer than it should be" in said, "by its own confidence: no correction was kept"
    assert "2 classes have fewer than 30 photos here" in said
    table = page.dataframe[0].value
    assert sorted(table["images"]) == [5, 10]
    assert table["found (recall)"][0].startswith("80.0% (")
    assert table["right when named (precision)"][1].startswith("90.0% (")


@pytest.mark.usefixtures("expert")
def test_every_figure_is_drawn(store):
    run_id = add_run(store, add_dataset(store))
    page = visit("evaluation")
    assert [len(each["data"]) for each in figures(page)] == [2, 2, 2, 2], "no correction that did not help"
    # Of the curves, which nobody may want to see, only once their panel is open.
    page.session_state[f"curves panel {run_id}"] = True
    drawn = figures(page.run())
    assert [len(each["data"]) for each in drawn] == [2, 2, 2, 2, 2, 2]
    intervals = drawn[0]["data"][0]
    assert intervals["x"] == [0.8, 0.9]
    assert all(each > 0 for each in intervals["error_x"]["array"])


def test_a_curve_of_many_points_is_drawn_by_some_of_them_with_both_its_ends():
    values = np.linspace(0, 1, 50_000)
    drawn = evaluation_figures.curve(Curve(values, values**2, 1 / 3), "false alarms", "found", (0.0, 1.0)).data[1]
    assert len(drawn.x) == evaluation_figures.MOST_POINTS
    assert (drawn.x[0], drawn.y[0], drawn.x[-1], drawn.y[-1]) == (0, 0, 1, 1)
    np.testing.assert_allclose(drawn.y, drawn.x**2)
    few = evaluation_figures.curve(Curve(values[:7], values[:7], 0.1), "false alarms", "found", (0.0, 1.0)).data[1]
    assert list(few.x) == list(values[:7])


@pytest.mark.usefixtures("expert")
def test_a_threshold_is_told_and_kept_with_the_run(store):
    run_id = add_run(store, add_dataset(store))
    page = visit("evaluation")
    assert "It answers **100.0%** of the photos, and **86.7%** of its answers are right." in words(page)
    page.slider[0].set_value(0.9).run()
    press(page, "Keep this threshold")
    kept = read_decision(store.run(run_id))
    assert (kept.phase, kept.threshold) == (1, 0.9)
    assert kept.temperature > 0
    assert "no answer below 90%" in words(page)
    assert visit("evaluation").slider[0].value == 0.9


def test_a_threshold_that_nothing_reaches_is_no_error(store):
    add_run(store, add_dataset(store))
    page = visit("evaluation")
    page.slider[0].set_value(1.0).run()
    assert not page.exception
    assert "It answers" in words(page)


@pytest.mark.usefixtures("expert")
def test_other_sets_of_photos_are_evaluated_too(store):
    judged_run(store)
    page = visit("evaluation")
    said = words(page)
    assert (
        "On the holdout, photos from other days, it gets **60.0%** of 40 right, **33.8 points less** than on "
        "validation (8.6 to 50.1): expect that in the field."
    ) in said
    assert "taken after all the others, it gets **95.0%** of 20 right: 1.2 points more than on validation" in said
    assert "no difference that chance could not explain" in said
    sets = next(each for each in figures(page) if each["layout"]["yaxis"]["ticktext"][0] == "all classes")
    assert [trace["name"] for trace in sets["data"]] == ["validation photos", "newest photos", "holdout photos"]
    assert [trace["x"][0] for trace in sets["data"]] == [0.9375, 0.95, 0.6]
    page.get("button_group")[0].set_value("holdout").run()
    assert "gets **60.0%** of 40 photos right (holdout photos)" in words(page)


def test_names_are_literal(store):
    add_run(store, add_dataset(store))
    page = visit("evaluation")
    assert TAG not in drawn_html(page)
    for element in (*page.markdown, *page.info, *page.caption):
        outside_code = "".join(str(element.value).split("`")[::2])
        assert BOLD not in outside_code
        assert TAG not in outside_code
