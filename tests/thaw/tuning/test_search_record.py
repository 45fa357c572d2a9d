"""What a search tries, the file that keeps it, the order of its table, and the advice that follows."""

import dataclasses
import json
import shlex

import pytest

from thaw.cli.commands import app
from thaw.tuning.search_record import (
    SEARCH_FILE,
    Combination,
    Search,
    SearchPlan,
    SearchSettings,
    SearchTrial,
    advise,
    name_photos,
    rank,
    read_search,
    write_search,
)
from tlcore.errors import RunError, SettingsError
from tlcore.photos import Photo
from tlcore.settings import HeadSettings
from tlcore.splits.splits import Split

LITE0, LITE1 = "efficientnet-lite0", "efficientnet-lite1"
PLAN = SearchPlan("photos", 12, 3, {"keras": "3"})


def trial(backbone=LITE0, rate=1e-3, accuracy=0.5, loss=1.0):
    return SearchTrial(backbone, rate, "none", accuracy, loss, 4, 5, True, 1.5)


def photo(content, label="rose"):
    return Photo(content, label, f"{content}.jpg", content, 9, 9)


def test_every_combination_is_tried_once():
    settings = SearchSettings([LITE0, LITE1, LITE0], [1e-3, 3e-3], ["none", "light"], epochs=7, seed=2)
    assert len(settings.combinations) == 8
    assert {(each.backbone, each.learning_rate, each.augmentation) for each in settings.combinations} == {
        (backbone, rate, recipe) for backbone in (LITE0, LITE1) for rate in (1e-3, 3e-3) for recipe in ("none", "light")
    }
    assert settings.head(Combination(LITE1, 3e-3, "light")) == HeadSettings(
        LITE1, learning_rate=3e-3, augmentation="light", epochs=7, seed=2
    )


def test_the_default_rates_lie_around_that_of_a_head():
    rates = SearchSettings([LITE0]).rates
    assert min(rates) < HeadSettings().learning_rate < max(rates)
    assert HeadSettings().learning_rate in rates


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"backbones": []}, "at least one of the backbones"),
        ({"rates": [1e-3, 7.0]}, r"learning rate between 1e-06 and 1\. Received: learning_rate=7"),
        ({"augmentations": ["light", "photo"]}, "augmentation to be one of: none.*Received: augmentation='photo'"),
        ({"epochs": 0}, "epochs between 1 and 1000"),
    ],
)
def test_what_no_head_could_learn_with_is_refused(wrong, words):
    with pytest.raises(SettingsError, match=words):
        SearchSettings(**{"backbones": [LITE0]} | wrong)


def test_a_search_is_kept_as_it_stands_and_knows_what_is_missing(tmp_path):
    assert read_search(tmp_path) is None
    asked = SearchSettings([LITE0, LITE1], [1e-3], ["none"]).combinations
    search = Search(PLAN, asked, [trial()])
    write_search(tmp_path, search)
    assert read_search(tmp_path) == search
    assert read_search(tmp_path).missing == [Combination(LITE1, 1e-3, "none")]
    assert [path.name for path in tmp_path.iterdir()] == [SEARCH_FILE]


@pytest.mark.parametrize("spoil", ["cut", "version", "field", "list"])
def test_a_record_that_cannot_be_read_is_told_with_the_remedy(tmp_path, spoil):
    write_search(tmp_path, Search(PLAN, [], [trial()]))
    file = tmp_path / SEARCH_FILE
    text, kept = file.read_text(), json.loads(file.read_text())
    kept["trials"][0]["colour"] = "blue"
    other = {"cut": text[:-9], "version": text.replace('"version": 1', '"version": 9'), "list": "[1]"}
    file.write_text(other.get(spoil, json.dumps(kept)))
    with pytest.raises(
        RunError, match=r"Expected the record of a search in .*search\.json, version 1.*Remove the file"
    ):
        read_search(tmp_path)


def test_the_best_comes_first_by_accuracy_and_then_by_loss():
    best, second, third, worst = (
        trial(rate=1e-2, accuracy=0.9, loss=2.0),
        trial(loss=0.1),
        trial(loss=0.2),
        trial(accuracy=0),
    )
    assert rank([worst, third, best, second]) == [best, second, third, worst]


def test_the_advice_is_a_command_that_trains_with_these_settings():
    best = dataclasses.replace(trial(LITE1, 3.0517578125e-4), augmentation="mirror,crop=0.2")
    program, _, name, *words = shlex.split(advise("data-1", best, PLAN))[1:]
    assert (program, name) == ("-m", "train")
    given = app.get_command(app.make_context("thaw", [name]), name).make_context(name, words).params
    chosen = {name: value for name, value in given.items() if value not in (None, False)}
    assert chosen == {
        "dataset": "data-1",
        "backbone": LITE1,
        "learning_rate": 3.0517578125e-4,
        "augmentation": "mirror,crop=0.2",
        "epochs": 12,
        "seed": 3,
    }


def test_other_photos_other_kinds_and_other_sides_are_another_plan():
    one, two, three = photo("a"), photo("b"), photo("c")
    name = name_photos(Split([one, two], [three], ["rose"]))
    assert name_photos(Split([two, one], [three], ["rose"])) == name
    others = [
        Split([one], [three], ["rose"]),
        Split([one, three], [two], ["rose"]),
        Split([one, photo("b", "tulip")], [three], ["rose"]),
        Split([one, photo("d")], [three], ["rose"]),
    ]
    assert len({name, *map(name_photos, others)}) == 5
