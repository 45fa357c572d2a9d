"""The Map page on forty images with three mistakes: before, while and after its map is made, and what it shows."""

import json

import numpy as np
import pytest

from pages.ui import fixing, map_figure
from pages.ui.map_points import UNJUDGED, MapPoints
from tests.test_data_page import press
from tests.test_evaluation_page import figures
from tests.test_evaluation_sets import DATASET, add, run_of
from tests.test_evaluation_sets import store as store
from tests.test_mistakes_page import grids
from tests.test_pages import BOLD, TAG, add_dataset, add_run, drawn_html, visit, words
from tlcore import edits, jobs
from tlcore.cache import FeatureCache
from tlcore.evaluation import find_mistakes, read_predictions
from tlcore.mapper import run_map
from tlcore.settings import HeadSettings

GRID = "Photos chosen on the map, to fix"


def cache_features(store, run_id):
    """Keep made-up features of every image of a run, as its phase 1 would."""
    every = store.every_image(store.run(run_id).dataset_id)
    features = np.random.default_rng(2).normal(size=(len(every), 6)).astype(np.float32)
    cache = FeatureCache(store.workspace.features, {"of": "the test"}, [(6,)], ["float32"])
    cache.append([image.content for image in every], [features])
    store.add_facts(run_id, {"feature_cache": {"folder": cache.folder.name, "channels": 6}})


def make_map(store, run_id):
    cache_features(store, run_id)
    job_id = jobs.add_trial(store, "map", run_id, {})
    run_map(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error


@pytest.fixture
def run_id(store):
    add(store)
    return run_of(store, HeadSettings(validation_split=0.5), {"validation": 3})


def choose(page, start):
    box = next(each for each in page.selectbox if each.label == "Photos below")
    option = next(option for option in box.options if option.startswith(start))
    return box.select(option).run()


def tiles(page):
    return grids(page)[GRID]["tiles"] if GRID in grids(page) else []


def test_a_run_without_a_map_offers_to_make_it_and_says_how_the_last_attempt_ended(store, run_id):
    page = visit("map", run=run_id)
    assert not page.exception
    assert [button.label for button in page.button] == ["Make the map"]
    run_map(store, jobs.add_trial(store, "map", run_id, {}))
    page = visit("map", run=run_id)
    assert "Expected the cached features of a trained head" in page.error[0].value.replace("\\", "")


def test_a_map_in_the_making_shows_its_progress_and_can_be_stopped(store, run_id):
    job_id = jobs.add_trial(store, "map", run_id, {})
    store.update_job(job_id, stage="arranging the map (percent)", done=30, total=120, rate=10.0)
    page = visit("map", run=run_id)
    assert "Arranging the map" in str(page.get("progress")[0].proto)
    press(page, "Stop")
    assert store.job(job_id).stop_requested


def test_every_image_is_a_point_and_mistakes_have_a_ring(store, run_id):
    make_map(store, run_id)
    page = visit("map", run=run_id)
    assert not page.exception
    (drawing,) = figures(page)
    assert [trace["name"] for trace in drawing["data"]] == ["rose", "tulip", "mistake"]
    assert [len(trace["hovertext"]) for trace in drawing["data"]] == [20, 20, 3]
    assert "Arranged by t-SNE" in words(page)
    assert not tiles(page)


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
    page = choose(visit("map", run=run_id), "Every mistake (3)")
    wrong = {each.image_id: each for each in find_mistakes(read_predictions(store, store.run(run_id)))}
    assert {tile["id"]: tile["caption"] for tile in tiles(page)} == {
        image_id: f"{each.true} → {each.predicted}" for image_id, each in wrong.items()
    }
    assert len(tiles(choose(page, "tulip (20)"))) == 20


def test_one_marked_image_is_drawn_large(store, run_id):
    make_map(store, run_id)
    page = visit("map", run=run_id)
    first = find_mistakes(read_predictions(store, store.run(run_id)))[0]
    page.session_state[f"marked on the map of {run_id}"] = [first.image_id]
    page.run()
    assert [tile["id"] for tile in tiles(page)] == [first.image_id]
    assert f'<div class="thaw-large"><img src="/thaw/image/{DATASET}/{first.image_id}"' in drawn_html(page)
    assert f"Class: **{first.true}**  \nPredicted: **{first.predicted}** (90.0%)" in words(page)


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
    page = choose(visit("map", run=run_id), "rose (20)")
    assert [action["name"] for action in grids(page)[GRID]["actions"]] == ["exclude", "move"]


def test_excluded_images_leave_the_map_and_moved_ones_say_so(store, run_id):
    make_map(store, run_id)
    gone, moved = store.images(DATASET, "rose")[:2]
    edits.exclude_images(store, DATASET, [gone.id])
    edits.move_images(store, DATASET, [moved.id], "tulip")
    page = choose(visit("map", run=run_id), "rose (19)")
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


def test_very_many_classes_are_told_apart_and_the_rest_are_others():
    points = many_points(2000, 60)
    drawn = map_figure.draw_map(points, np.arange(2000), map_figure.BY_CLASS, "").data
    looks = [(trace.marker.color, trace.marker.symbol) for trace in drawn]
    assert len(set(looks)) == len(looks) == map_figure.MOST_CLASSES + 1
    assert drawn[0].name == "other classes"
    assert sorted(np.concatenate([trace.customdata for trace in drawn[:-1]])) == list(range(2000))


def test_a_map_of_32000_images_stays_light():
    points = many_points(32_000, 100)
    assert len(map_figure.draw_map(points, np.arange(32_000), map_figure.BY_CLASS, "").to_json()) < 3_000_000
