"""Depths of a probe as tasks for other machines: the same table as here, and here what they cannot do."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cluster.nodes import cluster
from tests.support.runs import train_head
from thaw.cluster import spreading
from thaw.cluster.runner import ClusterError, Outcome
from thaw.cluster.spreading import VARIABLE
from thaw.jobs import starts
from thaw.jobs.reporter import Reporter
from thaw.training.materials import gather
from thaw.tuning import depth_probe, sent_materials
from thaw.tuning.depth_task import Depths
from thaw.tuning.probe_record import ProbeSettings, read_probe
from thaw.worker import work
from tlcore.errors import WeightsError
from tlcore.settings import HeadSettings

HEAD = HeadSettings(image_size=48, epochs=2, validation_split=0.25, dropout=0.3)
SETTINGS = ProbeSettings(depths=2, folds=2, epochs=1, batch_size=8, learning_rate=1e-3)


@pytest.fixture(scope="module")
def head_run(store, tiny_dataset):
    return train_head(store, tiny_dataset, HEAD)


def probe(store, run_id):
    """Probe a branch of a run, which has no probe yet; return the table and what the job said."""
    branched = starts.branch(store, store.run(run_id))
    (store.workspace.run(branched) / "probe.json").unlink(missing_ok=True)
    job_id = starts.add_probe_job(store, branched, SETTINGS)
    work(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error
    found = read_probe(store.workspace.run(branched))
    return found.plan, [(each.top, each.accuracies, each.right, each.groups) for each in found.depths], job_id


@pytest.fixture
def two_depths(monkeypatch):
    monkeypatch.setattr(depth_probe, "list_depths", lambda layers, depths: [0, 9])


class Somewhere:
    """Stands for the cluster: a task goes there and back pickled; the last one is lost with the cluster."""

    nodes = 2

    def __init__(self, address, tell, packages):
        assert "keras" in packages
        self.address = address

    def run(self, call, tasks, check_stop):
        assert call.whole
        assert call.carry is None
        assert call.witness.is_file()
        *done, _ = tasks
        for number, task in done:
            common, sent = pickle.loads(pickle.dumps((call.common, task)))  # noqa: S301
            yield Outcome(number, "lab-2", call.function(common, sent))
        raise ClusterError(f"The cluster at {self.address} was lost.")

    def close(self):
        pass


def test_the_table_is_that_of_this_machine_and_what_is_lost_is_tried_here(store, head_run, two_depths, monkeypatch):
    plan, here, _ = probe(store, head_run)
    monkeypatch.setenv(VARIABLE, "lab:6379")
    monkeypatch.setattr(spreading, "RayRunner", Somewhere)
    there = probe(store, head_run)
    assert there[:2] == (plan, here)
    note = store.job(there[2]).note
    assert note == "The cluster at lab:6379 was lost. What is not done yet is computed on this machine."


def test_a_machine_without_the_weights_says_which_and_where_they_go(store, head_run, monkeypatch):
    materials = gather(Reporter(store, store.add_job("probe", {"run": head_run})), head_run)
    depths = replace(Depths.of(materials, SETTINGS, 2), weights=Path("/nowhere/weights.h5"))
    assert depths.gather().weights_sha256 == materials.weights_sha256, "this machine has them elsewhere"
    monkeypatch.setattr(sent_materials, "is_local", lambda row: False)
    with pytest.raises(
        WeightsError, match=r"the weights of .* are not there\. Copy weights\.h5 to its ~/.keras/models"
    ):
        depths.gather()


@pytest.mark.slow
def test_a_probe_on_two_machines_has_the_same_table(store, head_run, monkeypatch):
    pytest.importorskip("ray", reason="pip install '.[cluster]', to probe on a real Ray cluster")
    plan, here, _ = probe(store, head_run)
    with cluster() as lab:
        lab.add("other")
        monkeypatch.setenv(VARIABLE, lab.address)
        there = probe(store, head_run)
    assert there[:2] == (plan, here)
    assert store.job(there[2]).note == f"On 2 machines of the cluster at {lab.address}, 2 of 2 tasks."
