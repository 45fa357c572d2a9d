"""The Map page on forty images with three mistakes: before, while and after its map is made, and what it shows."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from pages.ui.components.figure.lasso import Marking
from pages.ui.mistakes import fixing, map_figure, map_points
from pages.ui.mistakes.map_points import MOST_DRAWN, UNJUDGED, MapPoints
from tests.support.judged_runs import DATASET, add, run_of
from tests.support.judged_runs import store as store
from tests.support.maps import add_large_map, make_map
from tests.support.mistakes import grids
from tests.support.pages import BOLD, TAG, add_dataset, add_run, drawn_html, figures, press, toggles, visit, words
from tests.support.pages import expert as expert
from thaw.datasets import edits
from thaw.jobs import starts
from thaw.runs.results import read_predictions
from thaw.worker import work
from tlcore.evaluation.predictions import find_mistakes
from tlcore.progress import Stage
from tlcore.settings import HeadSettings

GRID = "Photos chosen on the map, to fix"


@pytest.fixture
def run_id(store):
    add(store)
    return run_of(store, HeadSettings(validation_split=0.5), {"validation": 3})


def points_drawn(page):
    (drawing,) = figures(page)
    return sum(len(trace["hovertext"]) for trace in drawing["data"] if trace["name"] != "mistake")


def choose(page, start):
    box = next(each for each in page.selectbox if each.label == "Photos below")
    option = next(option for option in box.options if option.startswith(start))
    return box.select(option).run()


def tiles(page):
    return grids(page)[GRID]["tiles"] if GRID in grids(page) else []


@pytest.mark.usefixtures("expert")
def test_a_run_without_a_map_offers_to_make_it_and_says_how_the_last_attempt_ended(store, run_id):
    page = visit("map", run=run_id)
    assert not page.exception
    assert [button.label for button in page.button] == ["Make the map"]
    work(store, starts.add_trial(store, "map", run_id, {}))
    page = visit("map", run=run_id)
    assert "Expected the cached features of a trained head" in page.error[0].value.replace("\\", "")


def test_a_map_in_the_making_shows_its_progress_and_can_be_stopped(store, run_id):
    job_id = starts.add_trial(store, "map", run_id, {})
    store.update_job(job_id, stage=Stage.ARRANGING_MAP, done=30, total=120, rate=10.0)
    page = visit("map", run=run_id)
    assert "Arranging the map" in str(page.get("progress")[0].proto)
    press(page, "Stop")
    assert store.job(job_id).stop_requested


def test_a_head_that_was_retrained_has_the_map_of_the_head_before(store, run_id):
    make_map(store, run_id)
    gone = store.images(DATASET, "rose")[0]
    edits.exclude_images(store, DATASET, [gone.id])
    retrained = run_of(store, HeadSettings(validation_split=0.5), {"validation": 1})
    store.add_facts(retrained, {"feature_cache": asdict(store.run(run_id).facts.feature_cache)})
    page = visit("map", run=retrained)
    assert not page.exception
    (drawing,) = figures(page)
    assert [len(trace["hovertext"]) for trace in drawing["data"]] == [19, 20, 1]


@pytest.mark.usefixtures("expert")
def test_every_image_is_a_point_and_mistakes_have_a_ring(store, run_id):
    make_map(store, run_id)
    page = visit("map", run=run_id)
    assert not page.exception
    (drawing,) = figures(page)
    assert [trace["name"] for trace in drawing["data"]] == ["rose", "tulip", "mistake"]
    assert [len(trace["hovertext"]) for trace in drawing["data"]] == [20, 20, 3]
    assert "Arranged by t-SNE" in words(page)
    assert not tiles(page)


@pytest.mark.usefixtures("expert")
@pytest.mark.parametrize(
    ("colouring", "names"),
    [
        (map_figure.BY_ERROR, ["not judged (training)", "right", "wrong"]),
        (map_figure.BY_CONFIDENCE, ["not judged (training)", "judged", "mistake"]),
        (map_figure.BY_SIDE, ["training", "validation", "mistake"]),
    ],
)
def test_points_are_coloured_by_what_is_asked_for(store, run_id, colouring, names):
    make_map(store, run_id)
    page = visit("map", run=run_id)
    page.get("button_group")[0].set_value(colouring).run()
    (drawing,) = figures(page)
    assert [trace["name"] for trace in drawing["data"] if trace["hovertext"]] == names


def test_mistakes_and_classes_are_shown_below_without_the_mouse(store, run_id):
    make_map(store, run_id)
    page = choose(visit("map", run=run_id), "Every mistake")
    wrong = {each.image_id: each for each in find_mistakes(read_predictions(store, store.run(run_id)))}
    assert {tile["id"]: tile["caption"] for tile in tiles(page)} == {
        image_id: f"{each.true} → {each.predicted}" for image_id, each in wrong.items()
    }
    assert len(tiles(choose(page, "tulip"))) == 20


def test_one_marked_image_is_drawn_large(store, run_id):
    make_map(store, run_id)
    page = visit("map", run=run_id)
    first = find_mistakes(read_predictions(store, store.run(run_id)))[0]
    page.session_state[f"marked on the map of {run_id}"] = [first.image_id]
    page.run()
    assert [tile["id"] for tile in tiles(page)] == [first.image_id]
    assert f'<div class="thaw-large"><img src="/thaw/image/{DATASET}/{first.image_id}"' in drawn_html(page)
    assert f"Kind: **{first.true}**  \nPredicted: **{first.predicted}** (90.0%)" in words(page)


def test_mistakes_are_moved_to_what_the_model_says_and_photos_that_it_gets_right_stay(store, run_id):
    make_map(store, run_id)
    page = choose(visit("map", run=run_id), "Every mistake")
    assert [action["name"] for action in grids(page)[GRID]["actions"]] == ["agree", "exclude", "move"]
    mistake = find_mistakes(read_predictions(store, store.run(run_id)))[0]
    right = next(image for image in store.images(DATASET, mistake.true) if image.id != mistake.image_id)
    predicted = {mistake.image_id: mistake.predicted}
    fixing.act(store, store.dataset(DATASET), predicted, "agree", [mistake.image_id, right.id], None)
    labels = {image.id: image.label for image in store.images(DATASET)}
    assert (labels[mistake.image_id], labels[right.id]) == (mistake.predicted, mistake.true)


def test_where_the_model_makes_no_mistake_there_is_nothing_to_agree_to(store):
    add(store)
    run_id = run_of(store, HeadSettings(validation_split=0.5), {"validation": 0})
    make_map(store, run_id)
    page = choose(visit("map", run=run_id), "rose")
    assert [action["name"] for action in grids(page)[GRID]["actions"]] == ["exclude", "move"]


def test_excluded_images_leave_the_map_and_moved_ones_say_so(store, run_id):
    make_map(store, run_id)
    gone, moved = store.images(DATASET, "rose")[:2]
    edits.exclude_images(store, DATASET, [gone.id])
    edits.move_images(store, DATASET, [moved.id], "tulip")
    page = choose(visit("map", run=run_id), "rose")
    badges = {tile["id"]: tile["badge"] for tile in tiles(page)}
    assert gone.id not in badges
    assert badges[moved.id] == "moved to tulip since"
    assert "**2 fixes** since this run saw the data set" in words(page)


def test_names_are_literal(store):
    run_id = add_run(store, add_dataset(store))
    make_map(store, run_id)
    page = choose(visit("map", run=run_id), "Every mistake")
    assert not page.exception
    assert TAG not in drawn_html(page)
    assert TAG not in json.dumps(figures(page)[0])
    assert all(BOLD not in "".join(str(each.value).split("`")[::2]) for each in (*page.markdown, *page.caption))


def many_points(number, classes):
    chance = np.random.default_rng(0)
    true = chance.integers(0, classes, number)
    judged = np.arange(number) % 5 == 0
    return MapPoints(
        [],
        [f"class {each}" for each in range(classes)],
        chance.uniform(-1, 1, (number, 2)).astype(np.float32),
        true,
        np.where(judged, chance.integers(0, classes, number), UNJUDGED),
        np.where(judged, chance.uniform(size=number), np.nan),
        judged.astype(int),
        np.array([f"picture number {each}.jpg<br>class {true[each]}" for each in range(number)], dtype=object),
        "t-SNE",
    )


def test_of_very_many_points_a_part_is_drawn_with_every_mistake_and_every_stray():
    points = many_points(20_000, 5)
    # Every class in a corner of its own, but for one of the last which lies amid the first.
    points.places[:] = (
        points.places / 10 + np.array([[-0.8, -0.8], [0.8, 0.8], [0.8, -0.8], [-0.8, 0.8], [0, 0]])[points.true]
    )
    stray = np.flatnonzero((points.true == 4) & (points.predicted == UNJUDGED))[0]
    points.places[stray] = [-0.8, -0.8]
    points.predicted[points.predicted != UNJUDGED] = points.true[points.predicted != UNJUDGED]
    wrong = np.arange(0, 20_000, 100)
    points.predicted[wrong] = (points.true[wrong] + 1) % 5
    rows = np.arange(20_000)
    drawn = map_points.thin(points, rows)
    assert len(drawn) == len(np.unique(drawn)) == MOST_DRAWN
    assert list(drawn) == sorted(drawn)
    assert set(wrong) | {stray} <= set(drawn)
    cells = {tuple(place) for place in (points.places * 20).round().astype(int)}
    assert {tuple(place) for place in (points.places[drawn] * 20).round().astype(int)} == cells


def test_what_is_drawn_stays_the_same_when_others_leave_and_few_are_all_drawn():
    points = many_points(8_000, 3)
    before = set(map_points.thin(points, np.arange(8_000)))
    after = set(map_points.thin(points, np.delete(np.arange(8_000), 5)))
    assert len(before & after) > 0.99 * MOST_DRAWN
    few = np.arange(0, 8_000, 2)
    assert map_points.thin(points, few) is few


def test_more_mistakes_than_can_be_drawn_are_thinned_too():
    points = many_points(8_000, 3)
    points.predicted[:] = (points.true + 1) % 3
    assert len(map_points.thin(points, np.arange(8_000))) == MOST_DRAWN


def test_a_mark_takes_in_what_is_not_drawn_but_not_what_is_hidden():
    points = many_points(6_000, 3)
    rows = np.arange(6_000)
    drawn = map_points.thin(points, rows)
    box = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    within = np.abs(points.places).max(axis=1) < 0.5
    seen = drawn[within[drawn]].tolist()
    every = map_figure.marked_rows(points, rows, drawn, map_figure.BY_CLASS, Marking(seen, [box], frozenset()))
    assert sorted(every) == np.flatnonzero(within).tolist()
    hidden = frozenset({"class 1"})
    seen = [row for row in seen if points.true[row] != 1]
    some = map_figure.marked_rows(points, rows, drawn, map_figure.BY_CLASS, Marking(seen, [box], hidden))
    assert sorted(some) == np.flatnonzero(within & (points.true != 1)).tolist()
    one = map_figure.marked_rows(points, rows, drawn, map_figure.BY_CLASS, Marking([int(drawn[0])], [], hidden))
    assert one.tolist() == [drawn[0]]
    foreign = Marking([-1, 6_000, 10**9], [], frozenset())
    assert not len(map_figure.marked_rows(points, rows, drawn, map_figure.BY_CLASS, foreign))


def test_a_class_keeps_its_colour_whichever_rows_are_drawn():
    points = many_points(9_000, 60)
    looks = [
        {trace.name: trace.marker.color for trace in map_figure.draw_map(points, rows, map_figure.BY_CLASS, "").data}
        for rows in (np.arange(9_000), map_points.thin(points, np.arange(9_000)), np.arange(100))
    ]
    assert looks[0] == looks[1]
    assert all(looks[0][name] == colour for name, colour in looks[2].items())


def test_a_large_map_opens_with_a_part_of_its_points_and_can_draw_all(store):
    run_id = add_large_map(store, 5_000)
    page = visit("map", run=run_id)
    assert not page.exception
    assert points_drawn(page) == MOST_DRAWN
    assert "4,000 of 5,000 photos are drawn, every mistake among them" in words(page)
    (toggle,) = toggles(page)
    assert toggle.label == "Draw all 5,000 photos"
    toggle.set_value(True).run()
    assert points_drawn(page) == 5_000
    assert "are drawn" not in words(page)
    assert {trace["type"] for trace in figures(page)[0]["data"]} == {"scattergl"}


def test_a_map_of_few_points_has_no_such_choice(store, run_id):
    make_map(store, run_id)
    assert not toggles(visit("map", run=run_id))


def test_very_many_classes_are_told_apart_and_the_rest_are_others():
    points = many_points(2000, 60)
    drawn = map_figure.draw_map(points, np.arange(2000), map_figure.BY_CLASS, "").data
    looks = [(trace.marker.color, trace.marker.symbol) for trace in drawn]
    assert len(set(looks)) == len(looks) == map_figure.MOST_CLASSES + 1
    assert drawn[0].name == "other kinds"
    assert sorted(np.concatenate([trace.customdata for trace in drawn[:-1]])) == list(range(2000))


def test_a_map_of_32000_images_stays_light():
    points = many_points(32_000, 100)
    assert len(map_figure.draw_map(points, np.arange(32_000), map_figure.BY_CLASS, "").to_json()) < 3_000_000
