"""The command that searches settings, without a cluster: what it refuses, and what it tells of an earlier search."""

import pytest

from tests.support.command_line import ask
from thaw.cli import search
from thaw.cli.search import MOST_BACKBONES, list_local, read_settings
from thaw.cluster.runner import ClusterError
from thaw.cluster.spreading import VARIABLE
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.tuning.search_record import Combination, Search, SearchPlan, SearchTrial, write_search
from tlcore.errors import BackboneError, DatasetError, RunError, SettingsError
from tlcore.settings import HeadSettings

DEFAULT = HeadSettings().backbone


@pytest.fixture
def listed(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    store = Store(open_workspace(tmp_path / "workspace"))
    store.add_dataset("data-1", "Photos", "here", Arrival([]))
    return store


def test_without_a_cluster_nothing_is_recorded_and_the_way_to_one_is_told(listed):
    with pytest.raises(ClusterError, match=r"Received: none\. `ray start --head` on this machine is enough"):
        ask(listed, "search", "data-1")
    assert not listed.jobs("search")
    with pytest.raises(DatasetError, match="data-none"):
        ask(listed, "search", "data-none", "--show")


@pytest.mark.parametrize(
    ("words", "error", "reason"),
    [
        (("--rates", "1e-3,quick"), SettingsError, "learning rates as numbers .* Received: 'quick'"),
        (("--rates", ","), SettingsError, "at least one of the rates"),
        (("--augmentations", "photo"), SettingsError, "augmentation='photo'"),
        (("--backbones", "efficientnet-lite0,vgg99"), BackboneError, "vgg99"),
        (("--epochs", 0), SettingsError, "epochs=0"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_recorded(listed, words, error, reason):
    with pytest.raises(error, match=reason):
        ask(listed, "search", "data-1", "--cluster", "127.0.0.1:1", *words)
    assert not listed.jobs("search")


def test_what_was_found_is_shown_best_first_with_the_advice_and_the_caution(listed):
    with pytest.raises(RunError, match=r"for which none were\. Search: python -m thaw search data-1 --cluster ADDRESS"):
        ask(listed, "search", "data-1", "--show")
    plan, folder = SearchPlan("photos", 40, 0, {}), listed.workspace.dataset("data-1")
    folder.mkdir(parents=True, exist_ok=True)
    missing, poor = Combination(DEFAULT, 3e-3, "none"), Combination(DEFAULT, 3e-4, "none")
    trials = [
        SearchTrial(
            *vars(poor).values(), accuracy=0.5, loss=0.9, best_epoch=5, epochs=5, stopped_early=True, seconds=1
        ),
        SearchTrial(DEFAULT, 1e-3, "light", 0.75, 0.4, 17, 22, False, 2.0),
    ]
    write_search(folder, Search(plan, [missing, *(trial.combination for trial in trials)], trials))
    shown = ask(listed, "search", "data-1", "--show")
    assert [(each["learning_rate"], each["accuracy"], each["epochs"]) for each in shown["trials"]] == [
        (1e-3, 0.75, 22),
        (3e-4, 0.5, 5),
    ]
    assert shown["missing"] == [vars(missing)]
    assert shown["train"] == (
        f"python -m thaw train data-1 --backbone {DEFAULT} --learning-rate 0.001 --augmentation light --epochs 40 "
        "--seed 0"
    )
    assert "flatters it a little" in shown["caution"]
    assert "holdout" in shown["caution"]


def test_recipes_are_parted_by_semicolons_since_they_have_commas():
    def split(text):
        return read_settings(DEFAULT, None, text, None, None).augmentations

    assert split("none,light") == ["none", "light"]
    assert split("none; mirror,crop=0.15") == ["none", "mirror,crop=0.15"]
    assert split("mirror,crop=0.15;") == ["mirror,crop=0.15"]


def test_backbones_whose_weights_are_here_are_tried_the_default_first(monkeypatch):
    here = {"mobilenet-v2", "resnet50", "efficientnet-lite2", "efficientnet-b0"}
    monkeypatch.setattr(search, "is_local", lambda row: row.name in here)
    assert list_local() == [DEFAULT, "efficientnet-lite2", "mobilenet-v2"]
    assert len(list_local()) == MOST_BACKBONES
