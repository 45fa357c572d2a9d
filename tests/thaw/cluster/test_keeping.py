"""Which store for features jobs use, and how its words stand beside a cluster's."""

import os

import pytest

from tests.support.models.backbones import PRETRAINED, row_of, size_of
from thaw.backbones import loading
from thaw.cluster.keeping import VARIABLE, choose_store, chosen_store, find_keeping
from thaw.cluster.spreading import ClusterSpread
from thaw.jobs.reporter import Reporter
from tlcore.errors import SettingsError

URL = "file:///mnt/lab/features"


@pytest.fixture(autouse=True)
def no_store(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture
def reporter(store):
    return Reporter(store, store.add_job("import", {}))


def note(reporter):
    return reporter.store.job(reporter.job_id).note


def test_without_a_word_from_the_person_there_is_no_store(reporter):
    choose_store(None)
    assert chosen_store() is None
    assert find_keeping(reporter) is None


def test_a_store_is_what_the_variable_or_the_command_names(monkeypatch, store, reporter):
    monkeypatch.setattr("tlcore.features.shard_store.require_store", lambda url: None)
    choose_store(URL)
    assert chosen_store() == os.environ[VARIABLE] == URL
    assert find_keeping(reporter).url == URL
    unasked = Reporter(store, store.add_job("look_ahead", {}))
    assert find_keeping(unasked).url == URL, "what it computes no job would put there later"


@pytest.mark.parametrize("named", ["option", "variable"])
def test_what_names_no_store_is_refused_wherever_it_was_named(monkeypatch, named):
    if named == "variable":
        monkeypatch.setenv(VARIABLE, "lab")
    with pytest.raises(SettingsError, match=r"Expected the URL of a folder for features.*Received: 'lab'"):
        choose_store("lab" if named == "option" else None)


def test_its_words_stand_beside_those_of_the_cluster(monkeypatch, reporter):
    monkeypatch.setenv(VARIABLE, URL)
    keeping, spread = find_keeping(reporter), ClusterSpread("lab:6379", reporter)
    keeping.tell("Features kept at the lab: 0 of 40 photos found there.")
    spread.decline("there is a GPU")
    keeping.tell("Features kept at the lab: 0 of 40 photos found there, 40 put there.")
    assert note(reporter) == (
        "Features kept at the lab: 0 of 40 photos found there, 40 put there. Computed on this machine and not on the "
        "cluster at lab:6379: there is a GPU."
    )


def test_a_backbone_for_a_job_knows_the_store(monkeypatch, reporter):
    monkeypatch.setenv(VARIABLE, URL)
    monkeypatch.setattr(loading, "recognise", lambda workspace, row, path: "sha")
    assert loading.load_backbone(reporter, row_of(PRETRAINED), size_of(PRETRAINED)).keeping.url == URL
