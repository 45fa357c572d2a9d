"""From a mistake to its fix on the Mistakes page: looked at closely, moved or excluded, undone, learnt from anew."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.figures import answer_figure
from pages.ui.mistakes import fixing, pager
from tests.support.judged_runs import DATASET, LABELS, add, field, run_of
from tests.support.judged_runs import store as store
from tests.support.mistakes import cards, grids, look_closer, mistakes, open_photo, say
from tests.support.pages import BOLD, TAG, add_dataset, add_run, drawn_html, press, visit, words
from tests.support.pages import expert as expert
from thaw.datasets import edits
from thaw.datasets.run_split import read_split
from thaw.prediction.answers import list_likeliest
from thaw.runs.results import predictions_file
from thaw.storage.facts import RunFacts
from thaw.storage.store import Store
from tlcore.features.cache import FeatureCache
from tlcore.settings import FineTuneSettings, HeadSettings

SETTINGS = HeadSettings(dropout=0.35, seed=4, epochs=7)
RETRAIN = "Retrain the head with these fixes"


@pytest.fixture
def run_id(store: Store) -> str:
    """A run that takes the first three of its sixteen validation images for the other class."""
    add(store, each=40)
    return run_of(store, SETTINGS, {"validation": 3})


def standing(store: Store, image_id: str) -> tuple[str, bool]:
    (found,) = [image for image in store.every_image(DATASET) if image.id == image_id]
    return found.label, found.excluded


def figures_by_alt(page: AppTest) -> dict[str, dict[str, object]]:
    drawn = [json.loads(each.proto.json) for each in page.get("bidi_component") if "drawing" in each.proto.json]
    return {figure["alt"]: json.loads(figure["drawing"]) for figure in drawn}


def know_features(store: Store, run_id: str) -> None:
    """Give the photos of a run features by which each training photo is less like those that judge than the last."""
    parts = read_split(store, store.run(run_id))
    cache = FeatureCache(store.workspace.features, {"of": "the test"}, [(2,)], ["float32"])
    every = [*parts.training, *parts.validation]
    angles = np.linspace(0, 1.5, len(parts.training)).tolist() + [0.0] * len(parts.validation)
    cache.append(
        [image.content for image in every], [np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)]
    )
    store.add_facts(run_id, {"feature_cache": {"folder": cache.folder.name, "channels": 2}})


def gallery(page: AppTest) -> dict[str, object]:
    (data,) = [json.loads(each.proto.json) for each in page.get("bidi_component") if '"cards"' in each.proto.json]
    return data


def buttons(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_nothing_is_fixed_or_looked_at_before_it_is_asked_for(store, run_id):
    page = visit("mistakes", run=run_id)
    assert not page.exception
    assert buttons(page) == ["**rose** taken for **tulip**: 3 times"]
    assert not grids(page)
    assert "thaw-large" not in drawn_html(page)
    worst = mistakes(store, run_id)[0]
    assert [card["id"] for card in cards(page)] == [each.image_id for each in mistakes(store, run_id)]
    first = cards(page)[0]
    assert say(first) == f"{worst.predicted}, 90% sure. Really {worst.true}."
    assert (first["alt"], first["note"]) == (worst.name.rpartition("/")[2], "")
    strong = [part["text"] for line in first["lines"] for part in line if part["strong"]]
    assert strong == [worst.predicted, worst.true]


def test_a_pair_of_classes_that_are_mixed_up_shows_its_photos_and_the_way_back(store, run_id):
    page = press(visit("mistakes", run=run_id), "**rose** taken for **tulip**: 3 times")
    assert not page.exception
    assert {say(card) for card in cards(page)} == {"tulip, 90% sure. Really rose."}
    assert [each.value for each in page.selectbox] == ["rose", "tulip"]
    assert gallery(page)["reveal"] == 1
    press(page, "Show all")
    assert [each.value for each in page.selectbox] == [None, None]
    assert "Show all" not in buttons(page)


def test_the_overlay_shows_where_the_model_looks_and_three_photos_most_like_it(store, run_id):
    know_features(store, run_id)
    worst = mistakes(store, run_id)[0]
    drawn = drawn_html(look_closer(store, run_id))
    number = sorted(LABELS).index(worst.predicted)
    assert f'src="/thaw/heat/{run_id}/{DATASET}/{worst.image_id}/{number}"' in drawn
    assert f'alt="Heat map over the photo: where it is bright speaks most for {worst.predicted}"' in drawn
    assert drawn.count("<figcaption title=") == 3
    assert f"**{worst.predicted}**, 90% sure. Really **{worst.true}**." in words(look_closer(store, run_id))


def test_the_browser_goes_back_to_the_card_of_what_is_closed(store, run_id):
    page = look_closer(store, run_id)
    assert (gallery(page)["closed"], gallery(page)["last"]) == (0, "")
    last = mistakes(store, run_id)[1].image_id
    page.session_state[pager.CLOSED] = (1, last)
    page.run()
    assert (gallery(page)["closed"], gallery(page)["last"]) == (1, last)


def test_a_closer_look_shows_the_picture_its_origin_and_the_likeliest_classes(store, run_id):
    worst = mistakes(store, run_id)[0]
    page = look_closer(store, run_id)
    assert f'<div class="thaw-large"><img src="/thaw/image/{DATASET}/{worst.image_id}"' in drawn_html(page)
    said = words(page)
    assert f"From `{worst.name}` · 300 x 300 pixels" in said
    assert f"True kind: **{worst.true}** (10.0%)" in said
    assert f"Predicted: **{worst.predicted}** (90.0%)" in said
    drawing = figures_by_alt(page)[f"{worst.predicted} 90.0%; {worst.true} 10.0%"]
    (bars,) = drawing["data"]
    assert drawing["layout"]["yaxis"]["ticktext"] == [worst.predicted, f"{worst.true} (true)"]
    assert bars["text"] == ["90%", "10%"]
    assert "Before fine-tuning" not in said


@pytest.mark.usefixtures("expert")
def test_before_and_after_fine_tuning_are_both_told(store, run_id):
    worst = mistakes(store, run_id)[0]
    store.set_fine_tune(run_id, FineTuneSettings(2, learning_rate=1e-5).to_json())
    folder = store.workspace.run(run_id)
    with np.load(folder / predictions_file(1, "validation")) as kept:
        ids, head = kept["image_ids"], kept["probabilities"]
    tuned = head * 0.5 + 0.25
    np.savez(folder / predictions_file(2, "validation"), image_ids=ids, probabilities=tuned)
    store.set_result(run_id, 2)
    page = look_closer(store, run_id)
    assert f"Before fine-tuning: **{worst.predicted}** (90.0%). After it: **{worst.predicted}** (70.0%)." in words(page)
    drawing = figures_by_alt(page)[f"{worst.predicted} 70.0%; {worst.true} 30.0%"]
    assert [bars["name"] for bars in drawing["data"]] == ["head (phase 1)", "fine-tuned (phase 2)"]
    assert [bars["text"] for bars in drawing["data"]] == [["90%", "10%"], ["70%", "30%"]]


def test_the_five_likeliest_of_many_classes_are_drawn_from_the_top():
    shares = np.array([0.05, 0.3, 0.1, 0.25, 0.02, 0.18, 0.1], dtype=np.float32)
    assert list_likeliest(shares) == [1, 3, 5, 2, 6]
    drawing = answer_figure.likeliest_classes([f"c{n}" for n in range(7)], {1: shares}, 1, "c5")
    assert list(drawing.layout.yaxis.ticktext) == ["c1", "c3", "c5 (true)", "c2", "c6"]


def test_the_nearest_training_photos_are_shown_and_can_be_fixed(store, run_id):
    parts, worst = read_split(store, store.run(run_id)), mistakes(store, run_id)[0]
    assert not grids(look_closer(store, run_id))
    know_features(store, run_id)
    (neighbours,) = grids(look_closer(store, run_id)).values()
    assert [tile["id"] for tile in neighbours["tiles"]] == [image.id for image in parts.training[:5]]
    assert neighbours["tiles"][0]["caption"] == f"{parts.training[0].label}, 100% alike"
    move = next(action for action in neighbours["actions"] if action["name"] == "move")
    assert move["choices"][0]["value"] == worst.true
    assert [action["name"] for action in neighbours["actions"]] == ["exclude", "move"]
    edits.exclude_images(store, DATASET, [parts.training[0].id])
    (neighbours,) = grids(look_closer(store, run_id)).values()
    assert neighbours["tiles"][0]["badge"] == "excluded since"


def test_a_mistake_is_moved_to_the_predicted_class_told_and_undone(store, run_id):
    worst = mistakes(store, run_id)[0]
    page = look_closer(store, run_id)
    assert field(page, "selectbox", "It belongs to")[0].value == worst.predicted
    press(page, "Move it there")
    assert not page.exception
    assert standing(store, worst.image_id) == (worst.predicted, False)
    assert [edit.kind for edit in store.edits(DATASET)] == ["move"]
    assert "**1 fix** since this run saw the data set: 1 photo moved to another kind." in words(page)
    assert f"moved to {worst.predicted} since" in cards(page)[0]["note"]
    # It may be moved on, and the class that it is in by now is not offered.
    assert field(page, "selectbox", "It belongs to")[0].options == [worst.true]
    press(page, "Undo")
    assert standing(store, worst.image_id) == (worst.true, False)
    assert "since this run saw" not in words(page)
    assert not cards(page)[0]["note"]


def test_a_mistake_is_excluded_told_and_undone(store, run_id):
    worst = mistakes(store, run_id)[1]
    page = press(look_closer(store, run_id, place=1), "Exclude it")
    assert standing(store, worst.image_id) == (worst.true, True)
    assert "**1 fix** since this run saw the data set: 1 photo excluded." in words(page)
    assert cards(page)[1]["note"] == "excluded since"
    assert not {"Exclude it", "Move it there"} & set(buttons(page))
    press(page, "Undo")
    assert standing(store, worst.image_id) == (worst.true, False)
    assert {"Exclude it", "Move it there"} <= set(buttons(page))


def test_several_are_fixed_at_once_by_what_the_model_says(store, run_id):
    found = mistakes(store, run_id)
    page = visit("mistakes", run=run_id)
    page.session_state[f"several of {run_id}"] = True
    (several,) = grids(page.run()).values()
    assert [tile["id"] for tile in several["tiles"]] == [each.image_id for each in found]
    assert several["tiles"][0]["caption"] == f"{found[0].true} → {found[0].predicted}"
    assert [action["name"] for action in several["actions"]] == ["agree", "exclude", "move"]
    assert len({action["key"] for action in several["actions"]}) == 3
    predicted = {each.image_id: each.predicted for each in found}
    fixing.act(store, store.dataset(DATASET), predicted, "agree", [each.image_id for each in found], None)
    assert {standing(store, each.image_id)[0] == each.predicted for each in found} == {True}
    fixing.act(store, store.dataset(DATASET), predicted, "move", [found[0].image_id], found[0].true)
    fixing.act(store, store.dataset(DATASET), predicted, "exclude", [found[1].image_id], None)
    page.run()
    (several,) = grids(page).values()
    assert [tile["badge"] for tile in several["tiles"]] == [
        "",
        "excluded since",
        f"moved to {found[2].predicted} since",
    ]
    assert "**2 fixes** since this run saw the data set: 1 photo moved to another kind and 1 photo excluded." in words(
        page
    )


def test_retrain_starts_the_same_head_anew_and_shows_how_it_goes(store, run_id, monkeypatch):
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    page = look_closer(store, run_id)
    assert RETRAIN not in buttons(page)
    press(press(page, "Exclude it"), RETRAIN)
    assert not page.exception
    retrained = store.runs()[0]
    assert retrained.id != run_id
    assert retrained.head == SETTINGS
    assert (retrained.dataset_id, retrained.facts.retrained_from) == (DATASET, run_id)
    assert page.query_params["run"] == run_id
    assert "the new score appears here" in words(page)
    assert "Cancel" in buttons(page)
    assert RETRAIN not in buttons(page)
    # The page stays usable: the same mistakes are there, and another fix can be made meanwhile.
    assert field(page, "selectbox", "It belongs to") or cards(page)
    store.fail_job(store.latest_job(retrained.id).id, "The disk is full.")
    page.run()
    assert "The disk is full" in page.error[0].value
    assert RETRAIN in buttons(page)


def test_other_changes_are_offered_to_be_learnt_from_as_well(store, run_id):
    edits.exclude_images(store, DATASET, [store.images(DATASET)[0].id])
    assert RETRAIN in buttons(visit("mistakes", run=run_id))
    edits.undo(store, DATASET)
    page = visit("mistakes", run=run_id)
    assert "Retrain the head on the data as they are now" in buttons(page)
    assert "Undo" not in buttons(page)


def test_the_new_run_tells_what_was_fixed_and_broken_after_a_reload_too(store, run_id):
    edits.exclude_images(store, DATASET, [read_split(store, store.run(run_id)).training[0].id])
    retrained = run_of(store, SETTINGS, {"validation": 1})
    assert "Retrained" not in words(visit("mistakes", run=retrained))
    store.add_facts(retrained, {"retrained_from": run_id})
    said = words(visit("mistakes", run=retrained))
    assert "Retrained: the head gets **93.8%** right of 16 photos that judged both heads" in said
    assert "**81.2%** before. **2 fixed** and **0 broken**" in said
    assert "no more than chance may do" in said
    assert RETRAIN not in buttons(visit("mistakes", run=retrained))


def switch(page: AppTest) -> object:
    (found,) = [each for each in page.toggle if each.label.startswith("As I go")]
    return found


def test_as_i_go_retrains_after_every_fix_one_at_a_time_and_the_last_fixes_win(store, run_id, monkeypatch):
    monkeypatch.setattr("thaw.jobs.lifecycle.launch", lambda *_: None)
    page = look_closer(store, run_id)
    press(page, "Exclude it")
    assert len(store.runs()) == 1
    switch(page).set_value(True).run()
    first = store.runs()[0]
    assert first.facts.retrained_from == run_id
    assert RETRAIN not in buttons(page)
    open_photo(page, run_id, mistakes(store, run_id)[1].image_id)
    press(page, "Exclude it")
    assert len(store.runs()) == 2
    store.update_job(store.latest_job(first.id).id, status="stopped")
    page.run()
    second = store.runs()[0]
    assert second.facts == RunFacts(retrained_from=run_id, asked_at_version=store.dataset(DATASET).version)
    # What failed is not begun again by itself, only at the next fix or a press.
    store.fail_job(store.latest_job(second.id).id, "The disk is full.")
    page.run()
    assert len(store.runs()) == 3
    assert RETRAIN in buttons(page)


def test_the_rounds_are_drawn_with_their_effect_and_undone(store, run_id):
    excluded = read_split(store, store.run(run_id)).training[0].id
    edits.exclude_images(store, DATASET, [excluded])
    retrained = run_of(store, SETTINGS, {"validation": 1})
    store.add_facts(retrained, {"retrained_from": run_id})
    store.update_job(store.add_job("head", {}, DATASET, retrained), status="finished")
    page = visit("mistakes", run=run_id)
    alts = figures_by_alt(page)
    assert "Accuracy before the first round and after each: 81.2%, 93.8%" in alts
    changed = alts["Change of the share found of each kind: rose +25.0 points; tulip +0.0 points"]
    assert changed["data"][0]["text"] == ["+25.0", "+0.0"]
    table = page.dataframe[0].value
    assert table["what was fixed"].tolist() == ["1 excluded"]
    assert table[["before", "after"]].to_numpy().tolist() == [["81.2%", "93.8%"]]
    press(page, "Undo round 1")
    assert standing(store, excluded)[1] is False
    assert "Undo round 1" not in buttons(page)
    press(page, "See the mistakes of the new head")
    assert page.query_params["run"] == retrained


def test_names_are_literal_in_a_closer_look(store):
    images = add_dataset(store)
    page = open_photo(visit("mistakes"), add_run(store, images), images[0].id)
    press(page, "Move it there")
    assert not page.exception
    assert TAG not in drawn_html(page)
    for kind in (page.markdown, page.caption, page.info):
        for element in kind:
            outside_code = "".join(str(element.value).split("`")[::2])
            assert BOLD not in outside_code
            assert TAG not in outside_code
