"""Trials by Ray Tune: how each ended is heard, the worse ones are stopped early, and machines are left out in words."""

from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.support.cluster.nodes import cluster
from tests.support.cluster.tasks import learn, learn_slowly
from thaw.cluster import tuner
from thaw.cluster.node import SAME
from thaw.cluster.runner import ClusterError, Outcome
from thaw.cluster.tuner import GRACE_EPOCHS, Tuning, tune
from tlcore.progress import never_stop

EPOCHS = 3 * GRACE_EPOCHS + 2
GOOD, POOR = 0.01, 0.0001


def ask(storage, trials, epochs=EPOCHS, function=learn):
    return Tuning(function, 1.0, dict(enumerate(trials)), epochs, Path(__file__), SAME, storage)


def tell_how_two_ended(pipe: Connection, _address: str) -> None:
    asked = pipe.recv()
    assert asked["function"] == "tests.support.cluster.tasks:learn"
    pipe.send(("told", "On 1 machine."))
    pipe.send(("done", 1, {"epochs": 3}))
    pipe.send(("failed", 0, "no memory"))
    if asked["epochs"] == EPOCHS:
        pipe.send(("over",))
        pipe.poll(None)


def test_how_each_trial_ended_is_heard_as_it_ends(monkeypatch, tmp_path):
    monkeypatch.setattr(tuner, "drive", tell_how_two_ended)
    told = []
    ended = list(tune("auto", ask(tmp_path, [(GOOD, 1)] * 2), told.append, never_stop))
    assert ended == [Outcome(1, "auto", {"epochs": 3}), Outcome(0, "auto", reason="no memory")]
    assert told == ["On 1 machine."]


def test_a_loss_of_the_cluster_comes_after_what_had_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(tuner, "drive", tell_how_two_ended)
    heard = []
    with pytest.raises(ClusterError, match="The cluster at auto was lost"):
        heard.extend(tune("auto", ask(tmp_path, [(GOOD, 1)] * 2, epochs=1), print, never_stop))
    with closing(tune("auto", ask(tmp_path, [(GOOD, 1)] * 2, epochs=1), print, never_stop)) as trials:
        assert next(trials).number == 1


@pytest.mark.slow
def test_trials_on_a_real_cluster_are_stopped_early_or_go_through(tmp_path, monkeypatch):
    pytest.importorskip("ray.tune", reason="pip install '.[cluster]', to have trials made by Ray Tune")
    good, over_early, fails, poor = (GOOD, 99), (GOOD * 2, GRACE_EPOCHS + 2), (-1, 1), [(POOR, 99)] * 4
    dies = (GOOD, 0)
    told = []
    with cluster(cpus=1) as lab:
        # On one processor they are made in turn, so that the poor ones meet what the good ones reached.
        trials = [good, over_early, fails, *poor, dies]
        outcomes = {each.number: each for each in tune(lab.address, ask(tmp_path, trials), told.append, never_stop)}
        assert told == [f"On 1 machine of the cluster at {lab.address}."]
        monkeypatch.setattr(tuner.node, "hash_file", lambda _: "of a photo that is another there")
        with pytest.raises(ClusterError, match=r"Expected a machine of the cluster at .* that can do this"):
            list(tune(lab.address, ask(tmp_path, trials), told.append, never_stop))
    assert told[1].startswith(f"head is left out: it does not see {Path(__file__).parent}, where the photos are.")
    assert set(outcomes) == set(range(len(trials)))
    assert "ValueError: a loss that rises" in outcomes[2].reason
    reports = {number: each.result for number, each in outcomes.items() if each.reason is None}
    assert reports[0] == {
        "epochs": EPOCHS,
        "loss": pytest.approx(1 - GOOD * EPOCHS),
        "accuracy": GOOD,
        "best_epoch": EPOCHS,
        "seconds": 0.5,
        "over": False,
    }
    assert (reports[1]["epochs"], reports[1]["over"]) == (GRACE_EPOCHS + 2, True)
    assert {reports[number]["epochs"] for number in range(3, len(trials) - 1)} == {GRACE_EPOCHS}
    assert outcomes[len(trials) - 1].reason == "its process died, perhaps for want of memory"


@pytest.mark.slow
def test_trials_of_a_machine_that_dies_are_made_on_another_until_none_is_left(tmp_path):
    pytest.importorskip("ray.tune", reason="pip install '.[cluster]', to have trials made by Ray Tune")
    asked = ask(tmp_path, [(GOOD, GRACE_EPOCHS)] * 6, GRACE_EPOCHS, learn_slowly)
    told, ended = [], []
    with cluster() as lab:
        other = lab.add("other")
        for outcome in tune(lab.address, asked, told.append, never_stop):
            ended.append(outcome)
            if other.poll() is None:
                lab.kill(other)
        assert told == [f"On 2 machines of the cluster at {lab.address}."]
    assert sorted((each.number, each.reason, each.result["epochs"]) for each in ended) == [
        (number, None, GRACE_EPOCHS) for number in range(6)
    ]

    ended = []
    with cluster(cpus=0) as lab:
        other = lab.add("other")
        trials = tune(lab.address, asked, told.append, never_stop)
        ended.append(next(trials))
        lab.kill(other)
        with pytest.raises(ClusterError, match=r"Expected a machine of the cluster at .* Received: none"):
            ended.extend(trials)
    assert 1 <= len(ended) < 6
